"""The journal of a run: what was decided is with the kernel before the next thing is, so that a kill loses nothing.

    {"type":"journal","version":1,"fingerprint":"…","run":{…}}      the head; `run` is the record of the run
    {"host":["198.18.1.10","tcp"]}                                  hosts and looks have the number in which they come
    {"look":{…}}                                                    a port record without its place, see `shorthand`
    [0,443,0,0.21]                                                  a verdict: host, port, look, milliseconds or null

What is decided together is written by one call, so a run that was killed leaves whole lines and at most one that is cut
off, which nobody reads. The fingerprint is that of what is scanned and expected: a journal of something else is no
beginning. What was found is not kept: it is judged again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probe.errors import OutputError, ResultsError, UsageError
from probe.model import PortKey, Reason, RunInfo, Summary, Verdict
from probe.report.fields import FieldError, Fields, address, listed, nested, number, text, whole
from probe.report.files import opening_error, refuse_odd
from probe.report.parsing import run_of
from probe.report.records import Record, run_record
from probe.report.shorthand import SOMEWHERE, dense, look, look_key, verdict_at, verdict_from
from probe.sweep import Sweep

VERSION = 1
_MOST_REMEMBERED = 50_000  # looks that are known again: a host may say something new on every port
_PORT, _INDEX = whole(0, 65535), whole(0, 1 << 40)


@dataclass(slots=True)
class Journal:
    """What a journal holds. `length` is the number of bytes that are whole lines."""

    fingerprint: str
    run: RunInfo
    verdicts: dict[PortKey, Verdict] = field(default_factory=dict)
    hosts: list[tuple[str, str]] = field(default_factory=list)
    looks: list[Verdict] = field(default_factory=list)
    length: int = 0


class JournalSink:
    """The journal being written. It goes away with a run that came to its end; any other can be resumed."""

    def __init__(self, path: str, fingerprint: str, resumed: Journal | None = None) -> None:
        """Raises UsageError where the path cannot be used or another run uses it, OutputError if the disk fails."""
        self.name = path
        self._fingerprint = fingerprint
        self._handle = _open(path)
        self._known = resumed.verdicts if resumed else {}
        self._begun = frozenset(key.address for key in self._known)
        self._hosts = {host: number for number, host in enumerate(resumed.hosts)} if resumed else {}
        self._looks: dict[Hashable, int] = {}
        if resumed:
            self._looks = {look_key(seen): number for number, seen in enumerate(resumed.looks)}
        self._count = len(resumed.looks) if resumed else 0
        self._said: list[str] = []  # what numbers stand for, to be written before whatever has them
        with self._failing():
            os.ftruncate(self._handle, resumed.length if resumed else 0)
            os.lseek(self._handle, 0, os.SEEK_END)

    def start(self, run: RunInfo) -> None:
        if not self._known and not self._hosts:
            with self._failing():
                os.ftruncate(self._handle, 0)
                os.lseek(self._handle, 0, os.SEEK_SET)
            head = {"type": "journal", "version": VERSION, "fingerprint": self._fingerprint, "run": run_record(run)}
            self._write(_line(head))

    def port(self, verdict: Verdict) -> None:
        if verdict.key in self._known or verdict.reason is Reason.INTERRUPTED:
            return
        rtt_ms = None if verdict.rtt_ms is None else round(verdict.rtt_ms, 3)
        self._write(
            _line(
                [
                    self._host(str(verdict.key.address), verdict.key.transport),
                    verdict.key.port,
                    self._look(verdict),
                    rtt_ms,
                ]
            )
        )

    def ports(self, sweep: Sweep) -> None:
        from probe.report.journal_sweep import lines  # numpy takes 0.1 s to import, and who sweeps has it

        if any(address in self._begun for _, address in sweep.places):
            for verdict in sweep:
                self.port(verdict)
        else:
            self._write(lines(sweep, self._host, self._look))

    def _host(self, address: str, transport: str) -> int:
        """Its number, which is said before it is used."""
        host = (address, transport)
        if host not in self._hosts:
            self._hosts[host] = len(self._hosts)
            self._said.append(_line({"host": list(host)}))
        return self._hosts[host]

    def _look(self, verdict: Verdict) -> int:
        """The number of its look, which is said before it is used."""
        seen = look_key(verdict)
        if seen not in self._looks:
            if len(self._looks) >= _MOST_REMEMBERED:
                self._looks.clear()
            self._looks[seen] = self._count
            self._count += 1
            self._said.append(_line({"look": json.loads(look(verdict))}))
        return self._looks[seen]

    def finding(self, finding: object) -> None:
        """Findings are judged again."""

    def finish(self, summary: Summary) -> None:
        if summary.complete:
            with self._failing():
                os.unlink(self.name)
        self.abandon(keep=True)

    def abandon(self, *, keep: bool) -> None:
        """Never raises. What was decided stays, unless nothing was."""
        with contextlib.suppress(OSError):
            if not keep and not self._hosts:
                os.unlink(self.name)
        with contextlib.suppress(OSError):
            os.close(self._handle)

    def _write(self, lines: str) -> None:
        data = memoryview("".join([*self._said, lines]).encode())
        self._said.clear()
        with self._failing():
            while data:  # a disk that is almost full takes a part
                data = data[os.write(self._handle, data) :]

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"{self.name}: the journal cannot be written: {error.strerror}") from error


def read_journal(path: str) -> Journal:
    """What a run left, whatever moment it was killed at. Raises ResultsError where it is no journal."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ResultsError(path, 1, f"cannot be read: {error.strerror}") from error
    return journal_from(data, path)


def journal_from(data: bytes, path: str) -> Journal:
    """The same for its bytes; `path` is for messages."""
    lines = data.split(b"\n")[:-1]  # what stands behind the last line feed was never whole
    number = 1
    try:
        if not lines:
            raise FieldError("nothing was decided before the run ended")
        journal = _head(lines[0])
        for number, line in enumerate(lines[1:], 2):  # noqa: B007 - the number is for the handler
            _enter(journal, _json(line))
    except FieldError as error:
        raise ResultsError(path, number, str(error)) from None
    journal.length = sum(len(line) + 1 for line in lines)
    return journal


def _open(path: str) -> int:
    refuse_odd(path, Path(path), UsageError)
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise opening_error(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise UsageError(f"{path}: another run of this profile is going on") from error
    return handle


def _line(content: Record | list[Any]) -> str:
    return dense(content) + "\n"


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise FieldError("the line is no JSON") from None


def _head(line: bytes) -> Journal:
    head = _json(line)
    if not isinstance(head, dict) or head.get("type") != "journal":
        raise FieldError("this is no journal")
    fields = Fields(head)
    if (version := fields.required("version", _INDEX)) != VERSION:
        raise FieldError(f"'version' is {version}; this probe reads {VERSION}")
    return Journal(fields.required("fingerprint", text), fields.required("run", nested(run_of)))


def _enter(journal: Journal, line: object) -> None:
    if isinstance(line, list):
        verdict = _verdict(journal, line)
        journal.verdicts[verdict.key] = verdict
        return
    if not isinstance(line, dict) or line.keys() not in ({"host"}, {"look"}):
        raise FieldError("this is no line of a journal")
    fields = Fields(line)
    if "look" in line:
        journal.looks.append(fields.required("look", nested(lambda fields: verdict_from(fields.record, SOMEWHERE))))
        return
    host = fields.required("host", listed(text))
    if len(host) != 2:
        raise FieldError("'host' is an address and a transport")
    address(host[0])
    journal.hosts.append((host[0], host[1]))


def _verdict(journal: Journal, line: list[Any]) -> Verdict:
    if len(line) != 4:
        raise FieldError("a verdict is host, port, look and round-trip time")
    host, port, seen = _INDEX(line[0]), _PORT(line[1]), _INDEX(line[2])
    if host >= len(journal.hosts) or seen >= len(journal.looks):
        raise FieldError("the line names a host or a look that was not said before")
    where, transport = journal.hosts[host]
    rtt_ms = None if line[3] is None else number(line[3])
    return verdict_at(journal.looks[seen], PortKey(address(where), transport, port), rtt_ms)
