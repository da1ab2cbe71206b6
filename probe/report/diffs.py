"""Every format of `probe diff`, behind one door. Outputs are opened first, so that a bad path is known early."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from probe.errors import UsageError
from probe.model import OutputSpec
from probe.report import Out
from probe.report.compared import Compared, records
from probe.report.files import OutFile, StandardOutput

FORMATS = ("text", "jsonl", "junit")


def open_outputs(asked: Iterable[OutputSpec]) -> list[tuple[str, Out]]:
    """Where the diff goes: what was asked for, and text where nothing took standard output. Raises UsageError."""
    specs = list(asked)
    for spec in specs:
        if spec.format not in FORMATS:
            raise UsageError(f"{spec.format}:{spec.path}: a diff is written as {', '.join(FORMATS)}")
    if all(spec.path != "-" for spec in specs):
        specs.append(OutputSpec("text", "-"))
    if len({spec.path for spec in specs}) < len(specs):
        raise UsageError("two outputs cannot go to the same place")
    return [(spec.format, StandardOutput() if spec.path == "-" else OutFile(spec.path)) for spec in specs]


def write(compared: Compared, outputs: Iterable[tuple[str, Out]]) -> None:
    """The diff in every format. Raises OutputError."""
    for kind, out in outputs:
        _WRITERS[kind](compared, out)
        out.commit()


def _text(compared: Compared, out: Out) -> None:
    from probe.report.diff_text import write_text

    write_text(compared, out)


def _jsonl(compared: Compared, out: Out) -> None:
    from probe.report.jsonl import line

    for record in records(compared):
        out.write(line(record))


def _junit(compared: Compared, out: Out) -> None:
    from probe.report.diff_junit import junit

    for piece in junit(compared):
        out.write(piece)


_WRITERS: dict[str, Callable[[Compared, Out], None]] = {"text": _text, "jsonl": _jsonl, "junit": _junit}
