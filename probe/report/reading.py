"""A jsonl file back into a run. Whatever else the file holds, the answer is a run or `file:line: what is wrong`.

The file may come from anybody: lines have a greatest length, numbers their bounds, and what is repeated, cut off or in
the wrong place is an error, since half of a run compared with a whole one would be called a change.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from probe.errors import ResultsError
from probe.judge.wording import place
from probe.model import Finding, PortKey, RunInfo, State, Summary, Verdict
from probe.report import Sink
from probe.report.fields import FieldError, Fields, shown
from probe.report.parsing import finding_of, run_of, summary_of, verdict_of

LONGEST_LINE = 64 << 20  # bytes; the longest that probe writes is a service found on each of 65,535 ports, 3 MB


@dataclass(slots=True)
class Recorded:
    """A run read back. Without a `summary` it did not end in good order."""

    run: RunInfo
    verdicts: dict[PortKey, Verdict] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    summary: Summary | None = None

    @property
    def complete(self) -> bool:
        return self.summary is not None and self.summary.complete


def read_run(path: str) -> Recorded:
    """The run in a jsonl file. Raises ResultsError."""
    try:
        with open(path, "rb") as file:
            return run_from(lines_of(file), path)
    except OSError as error:
        raise ResultsError(path, 1, f"cannot be read: {error.strerror}") from error


def run_from(lines: Iterable[bytes], path: str) -> Recorded:
    """The run in these lines; `path` is for messages. Raises ResultsError."""
    reader, number = _Reader(), 0
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007 - the number is for the handler
            reader.take(record_in(line))
        return reader.finished()
    except FieldError as error:
        raise ResultsError(path, max(number, 1), str(error)) from error


def replay(recorded: Recorded, sink: Sink) -> None:
    """Tell `sink` of the run as if it went on now."""
    sink.start(recorded.run)
    for verdict in recorded.verdicts.values():
        sink.port(verdict)
    for finding in recorded.findings:
        sink.finding(finding)
    sink.finish(recorded.summary or cut_short(Counter(verdict.state for verdict in recorded.verdicts.values())))


def cut_short(counts: Counter[State]) -> Summary:
    """The end of a run that has none."""
    seen = {state: counts[state] for state in State}
    return Summary(False, 3, seen, sent=0, received=0, forged=0, duration_s=0.0, interrupted="killed")


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, none of them longer than LONGEST_LINE and one byte."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line


def record_in(line: bytes) -> dict[str, Any]:
    """The JSON object of one line. Raises FieldError."""
    if len(line) > LONGEST_LINE:
        raise FieldError("the line is too long to be a record")
    try:
        record = json.loads(line)
    except RecursionError:
        raise FieldError("the line is nested too deeply to be a record") from None
    except ValueError as error:
        # Every line ends in a line feed; one that does not was being written when its writer died.
        if not line.endswith(b"\n"):
            raise FieldError("the file ends in the middle of this line (a killed run, or half a copy)") from None
        raise FieldError(f"the line is no JSON: {_complaint(error)}") from None
    if not isinstance(record, dict):
        raise FieldError(f"a record is a JSON object, not {shown(record)}")
    return record


def _complaint(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else shown(str(error))


class _Reader:
    """Records in the order of a run: its head, what was decided, its end."""

    def __init__(self) -> None:
        self._run: Recorded | None = None

    def take(self, record: dict[str, Any]) -> None:
        kind, fields = record.get("type"), Fields(record)
        if self._run is None:
            if kind != "run":
                raise FieldError(f"a file of results starts with a record of type 'run', not {shown(kind)}")
            self._run = Recorded(run_of(fields))
            return
        if self._run.summary:
            raise FieldError("something stands behind the summary, which is the last record of a run")
        self._enter(self._run, kind, fields)

    def finished(self) -> Recorded:
        if self._run is None:
            raise FieldError("the file is empty")
        return self._run

    def _enter(self, run: Recorded, kind: object, fields: Fields) -> None:
        if kind == "port":
            verdict = verdict_of(fields)
            if run.verdicts.setdefault(verdict.key, verdict) is not verdict:
                raise FieldError(f"a second verdict for {place(verdict.key)}")
        elif kind == "finding":
            run.findings.append(finding_of(fields))
        elif kind == "summary":
            run.summary = summary_of(fields)
        elif kind == "run":
            raise FieldError("a second run starts here; one file holds one run")
        elif not isinstance(kind, str):
            raise FieldError("'type' is missing")
