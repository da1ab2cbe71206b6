"""The history read: which runs there are, one of them again, two of them compared.

A run is named by `last`, by the name of a profile (its last run), either with `~N` for the N-th before it, or by the
beginning of its id. `last~1` is the run before the last *of the same profile*: comparing runs of two profiles means
little, and whoever wants it names both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from probe.errors import UsageError
from probe.judge.diff import Diff
from probe.model import RunInfo, State, Summary, Verdict
from probe.report import Sink
from probe.report.compared import Compared
from probe.report.database import Database
from probe.report.fields import Fields
from probe.report.parsing import run_of, summary_of
from probe.report.reading import cut_short
from probe.report.shorthand import record_from
from probe.report.stored import Stored, understood
from probe.report.stored_diff import compare_stored

_SELECTOR = re.compile(r"(?P<base>[^~]+)(~(?P<back>[0-9]{1,9}))?")
_ID = re.compile(r"[0-9a-f]{4,}")
_RUN = "SELECT id, head, summary FROM run"


class Entry(Struct, frozen=True):
    """A run in the history. Without a `summary` it was killed, or is going on."""

    id: int
    run: RunInfo
    summary: Summary | None

    @property
    def complete(self) -> bool:
        return self.summary is not None and self.summary.complete


class Archive:
    """A history open for reading, to be used in a `with`.

    Every method may raise OutputError: a database can be damaged anywhere.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._path = database.path
        self._stored = Stored(database)

    @classmethod
    def open(cls, path: str) -> Archive:
        """Raises UsageError where there is no history, OutputError where it cannot be read."""
        return cls(Database.open(path, create=False))

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_error: object) -> None:
        self._database.close()

    def runs(self, profile: str | None = None, limit: int = -1) -> list[Entry]:
        """The newest first; -1 means all."""
        if profile is None:
            return self._entries(f"{_RUN} ORDER BY id DESC LIMIT ?", limit)
        return self._entries(f"{_RUN} WHERE profile = ? ORDER BY id DESC LIMIT ?", profile, limit)

    def find(self, selector: str) -> Entry:
        """Raises UsageError where no run, or more than one, is meant."""
        match = _SELECTOR.fullmatch(selector)
        found = self._by_name(match["base"], int(match["back"] or 0)) if match else None
        found = found or self._by_id(selector)
        if found is None:
            raise UsageError(f"{selector!r} is no file, and no run in {self._path}; `probe runs` lists them")
        return found

    def replay(self, entry: Entry, sink: Sink) -> None:
        """Tell `sink` of the run as if it went on now."""
        sink.start(entry.run)
        for verdict in self.verdicts(entry):
            sink.port(verdict)
        with understood(self._path):
            query = "SELECT said, host, port FROM finding WHERE run = ? ORDER BY number"
            for row in self._stored.rows(query, entry.id):
                sink.finding(self._stored.finding(*row))
        sink.finish(entry.summary or self._cut_short(entry))

    def verdicts(self, entry: Entry) -> Iterator[Verdict]:
        """By host and port."""
        with understood(self._path):
            for stretch in self._stored.stretches(entry.id, times=True):
                for port, rtt_ms in zip(range(stretch.first, stretch.end), stretch.times(), strict=True):
                    yield self._stored.verdict(stretch.said, self._stored.key(stretch.host, port), rtt_ms)

    def compare(self, old: Entry, new: Entry) -> Diff:
        """What changed from `old` to `new`; costs what differs, and a little for each stretch."""
        with understood(self._path):
            return compare_stored(self._stored, old.id, new.id)

    def before(self, run: RunInfo) -> Compared | None:
        """A stored run compared with the one before it of the same profile, where there are both."""
        new = self._first(f"{_RUN} WHERE run_id = ?", run.run_id)
        if new is None:
            return None
        old = self._first(f"{_RUN} WHERE profile = ? AND id < ? ORDER BY id DESC LIMIT 1", run.profile, new.id)
        if old is None:
            return None
        return Compared(old.run, new.run, self.compare(old, new), old.complete and new.complete)

    def _by_name(self, base: str, back: int) -> Entry | None:
        if base == "last":
            base = next((entry.run.profile for entry in self.runs(limit=1)), base)
        return self._first(f"{_RUN} WHERE profile = ? ORDER BY id DESC LIMIT 1 OFFSET ?", base, back)

    def _by_id(self, beginning: str) -> Entry | None:
        if not _ID.fullmatch(beginning):
            return None
        found = self._entries(f"{_RUN} WHERE run_id GLOB ? LIMIT 2", f"{beginning}*")
        if len(found) > 1:
            raise UsageError(f"{beginning!r} begins the id of more than one run; write more of it")
        return found[0] if found else None

    def _first(self, query: str, *values: object) -> Entry | None:
        return next(iter(self._entries(query, *values)), None)

    def _entries(self, query: str, *values: object) -> list[Entry]:
        with understood(self._path):
            return [_entry(*row) for row in self._stored.rows(query, *values)]

    def _cut_short(self, entry: Entry) -> Summary:
        """The end of a run that has none."""
        counts = Counter[State]()
        with understood(self._path):
            for stretch in self._stored.stretches(entry.id):
                counts[self._stored.look(stretch.said).state] += stretch.end - stretch.first
        return cut_short(counts)


def _entry(number: int, head: Any, summary: Any) -> Entry:
    """Raises FieldError."""
    run = run_of(Fields(record_from(head)))
    return Entry(number, run, None if summary is None else summary_of(Fields(record_from(summary))))
