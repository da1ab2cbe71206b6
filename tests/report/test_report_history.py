"""The history: what was decided comes back as it was, from a file that can be shared, damaged, locked or full."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.errors import OutputError, UsageError
from probe.judge.diff import Diff, compare
from probe.model import Finding, Keep, PortKey, RunInfo, Summary, Verdict
from probe.report import PortByPort, database, history
from probe.report.archive import Archive, Entry
from probe.report.database import Database, LockedError
from probe.report.history import HistorySink
from probe.report.records import finding_record, port_record, run_record, summary_record
from tests.judge.test_judge_diff import RUNS
from tests.report.report_world import RUN, findings, summary, verdicts


class Told(PortByPort):
    """A sink that remembers what it was told."""

    def __init__(self) -> None:
        self.records: list[dict[str, object]] = []

    def start(self, run: RunInfo) -> None:
        self.records.append(run_record(run))

    def port(self, verdict: Verdict) -> None:
        self.records.append(port_record(verdict))

    def finding(self, finding: Finding) -> None:
        self.records.append(finding_record(finding))

    def finish(self, end: Summary) -> None:
        self.records.append(summary_record(end))


def file_in(folder: Path) -> str:
    return str(folder / "history.sqlite")


def store(
    path: str, seen: Iterable[Verdict] = (), run: RunInfo = RUN, *, keep: Keep | None = None, ends: bool = True
) -> None:
    sink = HistorySink(Database.open(path, create=True), keep)
    sink.start(run)
    seen = list(seen)
    for verdict in seen:
        sink.port(verdict)
    found = findings(seen) if seen else []
    for finding in found:
        sink.finding(finding)
    if ends:
        sink.finish(summary(found))
    else:
        sink.abandon(keep=True)


def tell(sink: HistorySink, seen: Iterable[Verdict] = tuple(verdicts())) -> None:
    sink.start(named(2))
    for number, verdict in enumerate(seen):
        sink.port(replace(verdict, attempts=number))
    sink.finish(summary())


def named(number: int, profile: str = "edge", day: int = 1) -> RunInfo:
    return replace(RUN, run_id=f"{number:016x}", profile=profile, started=f"2026-01-{day:02}T00:00:00.000Z")


def told(path: str, selector: str = "last") -> list[dict[str, object]]:
    sink = Told()
    with Archive.open(path) as opened:
        opened.replay(opened.find(selector), sink)
    return sink.records


def back(path: str, selector: str = "last") -> dict[PortKey, Verdict]:
    with Archive.open(path) as opened:
        return {verdict.key: verdict for verdict in opened.verdicts(opened.find(selector))}


def left_in(path: str, profile: str | None = None) -> list[int]:
    with Archive.open(path) as opened:
        return ids(opened.runs(profile))


def ids(entries: Iterable[Entry]) -> list[int]:
    return [int(entry.run.run_id, 16) for entry in entries]


# --- what was decided comes back


@pytest.mark.parametrize("batch", [1, 7, 8192])
def test_a_run_comes_back_as_it_was(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_BATCH", batch)
    path, seen, direct = file_in(tmp_path), verdicts(), Told()
    store(path, seen)
    direct.start(RUN)
    for verdict in seen:
        direct.port(verdict)
    for finding in findings(seen):
        direct.finding(finding)
    direct.finish(summary(findings(seen)))

    def sorted_records(records: list[dict[str, object]]) -> list[str]:
        return sorted(json.dumps(record) for record in records)

    assert sorted_records(told(path)) == sorted_records(direct.records)


def test_what_no_record_says_comes_back_too(tmp_path: Path) -> None:
    store(file_in(tmp_path), verdicts())
    assert {key: verdict.live for key, verdict in back(file_in(tmp_path)).items()} == {
        one.key: one.live for one in verdicts()
    }


def test_more_looks_than_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_BATCH", 10)
    monkeypatch.setattr(history, "_MOST_REMEMBERED", 3)
    seen = [replace(one, attempts=number % 20) for number, one in enumerate(verdicts())]
    store(file_in(tmp_path), seen)
    assert {key: verdict.attempts for key, verdict in back(file_in(tmp_path)).items()} == {
        one.key: one.attempts for one in seen
    }


def test_a_run_that_was_killed_has_no_end(tmp_path: Path) -> None:
    store(file_in(tmp_path), verdicts(), ends=False)
    with Archive.open(file_in(tmp_path)) as opened:
        entry = opened.find("last")
    assert (entry.summary, entry.complete) == (None, False)
    end = told(file_in(tmp_path))[-1]
    assert (end["complete"], end["interrupted"]) == (False, "killed")
    assert end["counts"] == {"open": 4, "closed": 1, "filtered": 194, "unknown": 1}


def test_what_runs_have_in_common_is_stored_once(tmp_path: Path) -> None:
    store(file_in(tmp_path), verdicts(), named(1))
    store(file_in(tmp_path), verdicts(), named(2))
    sql = sqlite3.connect(file_in(tmp_path))
    (looks,) = sql.execute("SELECT count(*) FROM said").fetchone()
    rows, ports = sql.execute("SELECT count(*), sum(ports) FROM stretch").fetchone()
    sql.close()
    assert ports == 400
    assert rows < 200
    assert looks < 60


# --- which run is meant


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Archive]:
    for number, profile in [(0xA0001, "edge"), (0xA0002, "edge"), (3, "web"), (4, "edge"), (5, "web")]:
        store(file_in(tmp_path), run=named(number << 40, profile))
    with Archive.open(file_in(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize(
    "selector, number",
    [("last", 5), ("last~1", 3), ("web", 5), ("web~1", 3), ("edge", 4), ("edge~2", 0xA0001), ("0a0002", 0xA0002)],
)
def test_selectors(five: Archive, selector: str, number: int) -> None:
    assert ids([five.find(selector)]) == [number << 40]


@pytest.mark.parametrize("selector", ["last~2", "edge~3", "nowhere", "", "~1", "last~-1", "last~x", "ffff", "*", "%"])
def test_no_such_run(five: Archive, selector: str) -> None:
    with pytest.raises(UsageError, match=r"is no file, and no run in .*history\.sqlite; `probe runs` lists them"):
        five.find(selector)


def test_an_id_that_two_runs_begin_with(five: Archive) -> None:
    with pytest.raises(UsageError, match="more than one run"):
        five.find("0a000")


def test_runs_are_listed_newest_first(five: Archive) -> None:
    assert [number >> 40 for number in ids(five.runs())] == [5, 4, 3, 0xA0002, 0xA0001]
    assert [number >> 40 for number in ids(five.runs("edge", 2))] == [4, 0xA0002]


# --- compared in the database as in memory


def plain(diff: Diff) -> tuple[object, ...]:
    gaps = {gap: {place: sorted(ports) for place, ports in of.items()} for gap, of in diff.gaps.items()}
    return ([(change.kind, change.message) for change in diff.changes], diff.unchanged, gaps)


@given(RUNS, RUNS)
def test_a_stored_diff_is_the_diff(old: list[Verdict], new: list[Verdict]) -> None:
    opened = Database("memory", sqlite3.connect(":memory:", isolation_level=None))
    database._set_up(opened.sql, "memory")
    for number, seen in enumerate((old, new)):
        sink = HistorySink(opened)
        sink.start(named(number))
        for verdict in seen:
            sink.port(verdict)
        sink._flush(0)
    there = Archive(opened)
    found = there.compare(there.find("edge~1"), there.find("edge"))
    opened.close()
    assert plain(found) == plain(compare({one.key: one for one in old}, {one.key: one for one in new}))


# --- how long runs stay


@pytest.mark.parametrize(
    "keep, left",
    [(Keep(runs=2), [4, 3]), (Keep(runs=9), [4, 3, 2, 1]), (Keep(days=2), [4, 3, 2]), (Keep(days=1), [4, 3])],
)
def test_retention(keep: Keep, left: list[int], tmp_path: Path) -> None:
    for day in (1, 2, 3):
        store(file_in(tmp_path), verdicts(), named(day, day=day))
    store(file_in(tmp_path), run=named(9, "other"))
    store(file_in(tmp_path), verdicts(), named(4, day=4), keep=keep)
    assert left_in(file_in(tmp_path), "edge") == left
    assert left_in(file_in(tmp_path), "other") == [9]
    assert len(told(file_in(tmp_path), f"{4:016x}")) == len(told(file_in(tmp_path), f"edge~{len(left) - 1}"))


def test_what_only_forgotten_runs_said_is_forgotten(tmp_path: Path) -> None:
    store(file_in(tmp_path), verdicts(), named(1))
    store(file_in(tmp_path), run=named(2), keep=Keep(runs=1))
    sql = sqlite3.connect(file_in(tmp_path))
    counts = [sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("stretch", "finding", "said")]
    sql.close()
    assert counts == [0, 0, 0]


# --- the file


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = str(tmp_path / "a" / "b" / "history.sqlite")
    opened = Database.open(path, create=True)
    HistorySink(opened).start(RUN)
    for each in (path, f"{path}-wal", f"{path}-shm"):
        assert stat.S_IMODE(os.stat(each).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "a" / "b").st_mode) == 0o700
    opened.close()


def foreign(path: Path) -> None:
    sql = sqlite3.connect(path)
    sql.execute("CREATE TABLE precious (x)")
    sql.close()


def newer(path: Path) -> None:
    Database.open(str(path), create=True).close()
    sql = sqlite3.connect(path)
    sql.execute("PRAGMA user_version = 99")
    sql.close()


ODD: dict[str, Callable[[Path], object]] = {
    "is a symlink": lambda path: path.symlink_to("elsewhere"),
    "is a folder": Path.mkdir,
    "is a FIFO": os.mkfifo,
    "of another program": foreign,
    "by a newer probe": newer,
}


@pytest.mark.parametrize("message", ODD)
def test_what_is_no_history_of_ours_is_refused(message: str, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    ODD[message](path)
    before = os.lstat(path)
    with pytest.raises(UsageError, match=message):
        Database.open(str(path), create=True)
    assert os.lstat(path).st_mtime_ns == before.st_mtime_ns


def test_there_is_none_yet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no history yet"):
        Database.open(file_in(tmp_path), create=False)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Database.open(str(tmp_path / "file" / "history.sqlite"), create=True)


@pytest.mark.parametrize("content", [b"hello\n" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_database(content: bytes, tmp_path: Path) -> None:
    Path(file_in(tmp_path)).write_bytes(content)
    with pytest.raises(OutputError, match="no history at all"):
        Database.open(file_in(tmp_path), create=True)
    assert Path(file_in(tmp_path)).read_bytes() == content


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A history with a run in it."""
    folder = tmp_path_factory.mktemp("whole")
    store(file_in(folder), verdicts())
    return Path(file_in(folder)).read_bytes()


@settings(max_examples=40)
@given(st.data())
def test_whatever_is_damaged_is_told_and_nothing_is_raised(whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=40))
    cut = data.draw(st.sampled_from([len(whole), at]))
    with tempfile.TemporaryDirectory() as folder:
        path = file_in(Path(folder))
        Path(path).write_bytes((whole[:at] + damage + whole[at + len(damage) :])[:cut])
        try:
            told(path)
            with Archive.open(path) as opened:
                opened.compare(opened.find("last"), opened.find("last"))
        except (OutputError, UsageError) as error:
            assert path in str(error)  # noqa: PT017


@pytest.mark.parametrize("record", ["", "7", "[]", "{}", '{"state":"ajar"}', "[" * 100_000])
def test_records_that_are_none(record: str, tmp_path: Path) -> None:
    store(file_in(tmp_path), verdicts())
    sql = sqlite3.connect(file_in(tmp_path), isolation_level=None)
    sql.execute("UPDATE said SET record = ? WHERE id = 1", (record,))
    sql.close()
    with pytest.raises(OutputError, match="the history is damaged"):
        told(file_in(tmp_path))


def test_a_damage_that_sqlite_itself_stumbles_over(tmp_path: Path) -> None:
    """Its message quotes the schema, and Python's sqlite3 raises UnicodeDecodeError where that is not UTF-8."""
    store(file_in(tmp_path))
    content = Path(file_in(tmp_path)).read_bytes()
    Path(file_in(tmp_path)).write_bytes(content.replace(b"CREATE TABLE host (id", b"CREATE TABLE host \xa6\xe5\xff"))
    with pytest.raises(OutputError, match="text in it is not UTF-8"):
        told(file_in(tmp_path))


def test_a_row_that_names_a_look_that_is_not_there(tmp_path: Path) -> None:
    store(file_in(tmp_path), verdicts())
    sql = sqlite3.connect(file_in(tmp_path), isolation_level=None)
    sql.execute("DELETE FROM said")
    sql.close()
    with pytest.raises(OutputError, match="names another that is not there"):
        told(file_in(tmp_path))


# --- others who write, and disks that are full


def test_while_another_writes_a_scan_does_not_wait_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_BATCH", 20)
    path, seen = file_in(tmp_path), verdicts()
    sink = HistorySink(Database.open(path, create=True))
    sink.start(RUN)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for verdict in seen[:100]:
        sink.port(verdict)
    other.execute("ROLLBACK")
    other.close()
    for verdict in seen[100:]:
        sink.port(verdict)
    sink.finish(summary())
    assert len(told(path)) == 1 + len(seen) + 1


def test_a_lock_that_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_S", 0)
    path = file_in(tmp_path)
    sink = HistorySink(Database.open(path, create=True))
    sink.start(RUN)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    sink.port(verdicts()[0])
    with pytest.raises(LockedError, match="another program has locked the history"):
        sink.finish(summary())
    sink.abandon(keep=True)
    other.close()


def test_a_full_disk_is_told_and_what_stood_there_stays(tmp_path: Path) -> None:
    path = file_in(tmp_path)
    store(path, verdicts(), named(1))
    opened = Database.open(path, create=True)
    (pages,) = opened.sql.execute("PRAGMA page_count").fetchone()
    opened.sql.execute(f"PRAGMA max_page_count = {pages}")
    sink = HistorySink(opened)
    with pytest.raises(OutputError, match="database or disk is full"):
        tell(sink, [replace(one, evidence=replace(one.evidence, note="x" * 3000)) for one in verdicts()])
    sink.abandon(keep=True)
    assert len(back(path, f"{1:016x}")) == 200


@pytest.mark.parametrize("statement", ["INSERT INTO run", "INSERT INTO stretch", "COMMIT", "UPDATE run", "BEGIN"])
def test_every_statement_may_fail(statement: str, tmp_path: Path) -> None:
    """Whatever fails leaves a sentence, a history that can be read, and no half of a batch."""
    opened = Database.open(file_in(tmp_path), create=True)
    opened.sql = _Failing(opened.sql, statement)  # type: ignore[assignment]
    sink = HistorySink(opened)
    with pytest.raises(OutputError, match=r"history\.sqlite: the history cannot be used: disk I/O error"):
        tell(sink)
    sink.abandon(keep=False)
    kept = left_in(file_in(tmp_path))
    assert len(back(file_in(tmp_path)) if kept else {}) in (0, 200)


class _Failing:
    """A connection in which one statement fails."""

    def __init__(self, real: sqlite3.Connection, statement: str) -> None:
        self._real, self._statement = real, statement

    def execute(self, query: str, *values: object) -> sqlite3.Cursor:
        if query.startswith(self._statement):
            raise sqlite3.OperationalError("disk I/O error")
        return self._real.execute(query, *values)  # type: ignore[arg-type]

    def executemany(self, query: str, *values: object) -> sqlite3.Cursor:
        if query.startswith(self._statement):
            raise sqlite3.OperationalError("disk I/O error")
        return self._real.executemany(query, *values)  # type: ignore[arg-type]

    def close(self) -> None:
        self._real.close()
