"""The journal: whole lines of what was decided, whatever moment the writer dies at and whatever call fails."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.errors import OutputError, ResultsError, UsageError
from probe.model import Reason, Verdict
from probe.report.journal import JournalSink, journal_from, read_journal
from tests.report import report_world as world


def write(path: Path, seen: list[Verdict], *, ends: bool = False) -> bytes:
    """A journal of these verdicts; its bytes."""
    sink = JournalSink(str(path), "mark")
    sink.start(world.RUN)
    for verdict in seen:
        sink.port(verdict)
    data = path.read_bytes()
    if ends:
        sink.finish(world.summary())
    else:
        sink.abandon(keep=True)
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("journal") / "j", world.verdicts())


def rounded(seen: list[Verdict]) -> list[Verdict]:
    """As they come back: times are kept to the microsecond, like in records."""
    return [replace(one, rtt_ms=None if one.rtt_ms is None else round(one.rtt_ms, 3)) for one in seen]


def test_what_was_decided_comes_back(data: bytes) -> None:
    journal = journal_from(data, "j")
    assert (journal.fingerprint, journal.run) == ("mark", world.RUN)
    assert list(journal.verdicts.values()) == rounded(world.verdicts())
    assert journal.length == len(data)


def test_it_is_cut_at_every_byte(data: bytes) -> None:
    """A writer that dies leaves the beginning of what it would have written."""
    head = data.index(b"\n") + 1
    seen = rounded(world.verdicts())
    for cut in (*range(2 * head + 1500), *range(2 * head + 1500, len(data) + 1, 17)):
        if cut < head:
            with pytest.raises(ResultsError, match="j:1: nothing was decided before the run ended"):
                journal_from(data[:cut], "j")
            continue
        journal = journal_from(data[:cut], "j")
        assert journal.length <= cut < journal.length + 2000
        assert list(journal.verdicts.values()) == seen[: len(journal.verdicts)]


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_cut_and_resumed_and_cut_again(first: int, second: int) -> None:
    """Twice killed, at any byte, and it holds the same as if it had been written at one go."""
    import tempfile

    seen = world.verdicts()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        write(path, seen)
        head = path.read_bytes().index(b"\n") + 1
        for cut in (first, second):
            size = path.stat().st_size
            os.truncate(path, head + cut % (size - head + 1))
            journal = read_journal(str(path))
            sink = JournalSink(str(path), "mark", journal)
            sink.start(world.RUN)
            for verdict in [*journal.verdicts.values(), *seen]:
                sink.port(verdict)
            sink.abandon(keep=True)
        assert set(read_journal(str(path)).verdicts.values()) == set(rounded(seen))


def test_what_was_interrupted_is_not_decided(tmp_path: Path) -> None:
    cut_short = replace(world.not_sent("web", world.WEB, 1), reason=Reason.INTERRUPTED)
    assert journal_from(write(tmp_path / "j", [cut_short]), "j").verdicts == {}


def test_it_goes_with_a_run_that_ended_and_stays_with_any_other(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write(path, world.verdicts(), ends=True)
    assert not path.exists()
    write(path, world.verdicts())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sink = JournalSink(str(path), "mark")
    sink.start(world.RUN)
    sink.abandon(keep=False)
    assert not path.exists()


GARBLED = [
    (b"", "j:1: nothing was decided"),
    (b"{}\n", "j:1: this is no journal"),
    (b"[]\n", "j:1: this is no journal"),
    (b"{\n", "j:1: the line is no JSON"),
    (b'{"type":"journal","version":2}\n', "j:1: 'version' is 2; this probe reads 1"),
    (b'{"type":"journal","version":1,"fingerprint":"x","run":{}}\n', "j:1: 'run': 'schema_version' is missing"),
]
LINES = [
    (b"7", "this is no line of a journal"),
    (b'{"host":["198.18.1.10"]}', "'host' is an address and a transport"),
    (b'{"host":["198.18.1.300","tcp"]}', "is no address"),
    (b'{"look":{}}', "'look': 'target' is missing"),
    (b"[0,1,0]", "a verdict is host, port, look and round-trip time"),
    (b"[99,1,0,null]", "names a host or a look that was not said before"),
    (b"[0,65536,0,null]", "a whole number from 0 to 65535"),
    (b'[0,1,0,"fast"]', "a number is expected"),
    (b"[" * 100_000, "the line is no JSON"),
]


@pytest.mark.parametrize("garbled, message", GARBLED)
def test_what_is_no_journal(garbled: bytes, message: str) -> None:
    with pytest.raises(ResultsError) as caught:
        journal_from(garbled, "j")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("line, message", LINES)
def test_a_line_that_is_garbled(line: bytes, message: str, data: bytes) -> None:
    lines = data.split(b"\n")
    with pytest.raises(ResultsError, match="j:6: ") as caught:
        journal_from(b"\n".join([*lines[:5], line, *lines[5:]]), "j")
    assert message in str(caught.value)


@given(st.data())
def test_any_damage_is_read_or_named(data: bytes, choice: st.DataObject) -> None:
    at = choice.draw(st.integers(0, len(data) - 1))
    try:
        journal_from(data[:at] + choice.draw(st.binary(max_size=4)) + data[at + 1 :], "j")
    except ResultsError as error:
        assert str(error).startswith("j:")  # noqa: PT017


def test_two_runs_do_not_share_one(tmp_path: Path) -> None:
    sink = JournalSink(str(tmp_path / "j"), "mark")
    with pytest.raises(UsageError, match="another run of this profile is going on"):
        JournalSink(str(tmp_path / "j"), "mark")
    sink.abandon(keep=False)


@pytest.mark.parametrize("odd", ["symlink", "folder"])
def test_what_is_no_plain_file_is_left_alone(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.mkdir() if odd == "folder" else path.symlink_to("elsewhere")
    with pytest.raises(UsageError, match=f"is a {odd}"):
        JournalSink(str(path), "mark")


@pytest.mark.parametrize("call", ["open", "ftruncate", "lseek", "write", "unlink", "close"])
def test_every_call_may_fail(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, and a journal that holds what was decided before: never half of a line in its middle."""
    path = tmp_path / "j"
    real = getattr(os, call)

    def failing(*arguments: object, **more: object) -> object:
        if call == "write" and path.stat().st_size < 2000:
            return real(*arguments)
        if call in ("unlink", "close", "open") and call != "close" and str(path) not in map(str, arguments):
            return real(*arguments, **more)
        if call == "close":
            real(*arguments)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, failing)
    if call == "close":  # whatever closing says, everything was written before
        write(path, world.verdicts())
    else:
        with pytest.raises(OutputError, match="Input/output error"):
            write(path, world.verdicts(), ends=True)
    monkeypatch.undo()
    if path.exists() and path.stat().st_size:
        found = list(read_journal(str(path)).verdicts.values())
        assert found == rounded(world.verdicts())[: len(found)]


def test_a_disk_that_takes_half_a_line_gets_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:7]))
    data = write(tmp_path / "j", world.verdicts())
    monkeypatch.undo()
    assert len(journal_from(data, "j").verdicts) == 200
    assert json.loads(data.splitlines()[0])["type"] == "journal"
