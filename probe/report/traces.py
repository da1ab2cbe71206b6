"""All outputs of one trace behind one object, its capture file too. A disk that fails takes one output, no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from probe.core import pcap
from probe.core.story import Step
from probe.core.traced import TraceEnd, TraceInfo
from probe.errors import OutputError, UsageError
from probe.model import OutputSpec
from probe.report import Out
from probe.report.files import OutFile, StandardOutput
from probe.report.trace import TraceLines, TraceSink

FORMATS = ("jsonl", "table")


class Traces:
    """Opened before anything is sent. Its methods never raise OutputError: see `problems`."""

    def __init__(self) -> None:
        self._sinks: list[tuple[TraceSink, Out]] = []
        self._pcap: OutFile | None = None
        self._told = self._finished = False
        self.problems: list[OutputError] = []

    @classmethod
    def open(cls, specs: Iterable[OutputSpec], capture: str | None) -> Traces:
        """Open all or none; `capture` is the path of the pcap file. Raises UsageError or OutputError."""
        specs, traces = list(specs), cls()
        _check(specs, capture)
        try:
            for spec in specs:
                out: Out = StandardOutput() if spec.path == "-" else OutFile(spec.path)
                traces._sinks.append((_sink(spec.format, out), out))
            if capture:
                traces._pcap = OutFile(capture, encoding="latin-1")
                traces._pcap.write(pcap.header().decode("latin-1"))
        except BaseException:
            traces._abandon()
            raise
        return traces

    def start(self, info: TraceInfo) -> None:
        self._tell(lambda sink: sink.start(info))

    def packet(self, time_ns: int, data: bytes) -> None:
        """For the capture file."""
        self._told = True
        if self._pcap:
            self._capture(lambda out: out.write(pcap.record(time_ns, data).decode("latin-1")))

    def step(self, step: Step) -> None:
        self._told = True
        self._tell(lambda sink: sink.step(step))

    def finish(self, end: TraceEnd) -> None:
        self._tell(lambda sink: sink.finish(end))
        self._capture(lambda out: out.commit())
        self._finished = True

    def __enter__(self) -> Traces:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._finished:
            self._abandon()

    def _abandon(self) -> None:
        for out in [*(out for _, out in self._sinks), *([self._pcap] if self._pcap else [])]:
            out.abandon(keep=self._told)

    def _tell(self, message: Callable[[TraceSink], None]) -> None:
        for sink, out in tuple(self._sinks):
            try:
                message(sink)
            except OutputError as problem:
                self.problems.append(problem)
                self._sinks.remove((sink, out))
                out.abandon(keep=True)

    def _capture(self, action: Callable[[OutFile], None]) -> None:
        out = self._pcap
        if out is None:
            return
        try:
            action(out)
        except OutputError as problem:
            self.problems.append(problem)
            self._pcap = None
            out.abandon(keep=True)


def _check(specs: list[OutputSpec], capture: str | None) -> None:
    for spec in specs:
        if spec.format not in FORMATS:
            known = ", ".join(FORMATS)
            raise UsageError(
                f"{spec.format}:{spec.path}: a trace has the formats {known}; for Wireshark use --pcap FILE"
            )
    if capture == "-":
        raise UsageError("--pcap -: a capture goes to a file, such as trace.pcap")
    taken: set[str] = set()
    for path in [*(spec.path for spec in specs), *([capture] if capture else [])]:
        place = path if path == "-" else str(Path(path).absolute())
        if place in taken:
            raise UsageError(f"{path}: two outputs cannot go to the same place")
        taken.add(place)


def _sink(kind: str, out: Out) -> TraceSink:
    if kind == "jsonl":
        return TraceLines(out)
    from probe.report.traceview import TraceView

    return TraceView(out)
