"""All the outputs of a run behind one sink. One that fails is dropped and remembered; the others go on.

with Reports.open(outputs) as reports:     # refuses bad paths, before anything is sent
    reports.start(run)
    reports.port(verdict) …                # or reports.ports(sweep)
    reports.finish(summary)                # left without it: partial files stay if there is something in them
reports.problems                           # what could not be written (exit code 3)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from msgspec import Struct

from probe.errors import OutputError, UsageError
from probe.model import Finding, OutputSpec, Results, RunInfo, Summary, Verdict
from probe.report import FORMATS, Out, Sink
from probe.report.files import OutFile, StandardOutput, make_folder
from probe.sweep import Sweep

if TYPE_CHECKING:
    from probe.report.compared import Baseline


def outputs_of(profile: str, results: Results | None, asked: Iterable[OutputSpec]) -> tuple[OutputSpec, ...]:
    """Everything that a run writes: `results:`, every `-o`, and the table, unless `-o` took standard output.

    The files of `results:` are `DIR/PROFILE.ENDING` and replace those of the last run. Raises UsageError for an unknown
    format and for two outputs to one place.
    """
    specs = [OutputSpec(kind, _result_path(profile, results.dir, kind)) for kind in results.formats] if results else []
    specs += asked
    if all(spec.path != "-" for spec in specs):
        specs.append(OutputSpec("table", "-"))
    _check(specs)
    return tuple(specs)


def open_sink(spec: OutputSpec) -> Sink:
    """One output, opened: a file that can be written, or standard output. Raises UsageError or OutputError."""
    return _open(spec).sink


class _Ending(Protocol):
    def abandon(self, *, keep: bool) -> None: ...


@runtime_checkable
class _Preparing(Protocol):
    def prepare(self) -> None: ...


class _Lasting(Sink, _Ending, Protocol):
    """A sink that is its own place, such as the history."""


class _Output(Struct, frozen=True):
    sink: Sink
    out: _Ending


class Reports:
    """A Sink over several. Its methods never raise OutputError: see `problems`."""

    def __init__(self, outputs: Iterable[_Output]) -> None:
        self._outputs = list(outputs)
        self._told = False
        self._finished = False
        self.problems: list[OutputError] = []

    @classmethod
    def open(
        cls, specs: Iterable[OutputSpec], results: Results | None = None, baseline: Baseline | None = None
    ) -> Reports:
        """Open all or none. The folder of `results` is made where it is missing; `baseline` is for the HTML page."""
        if results:
            make_folder(Path(results.dir))
        opened: list[_Output] = []
        try:
            for spec in specs:
                opened.append(_open(spec, baseline))
        except BaseException:
            for output in opened:
                output.out.abandon(keep=False)
            raise
        return cls(opened)

    @classmethod
    def of(cls, sink: Sink, out: _Ending) -> Reports:
        """A single output that is open already."""
        return cls([_Output(sink, out)])

    def also(self, opener: Callable[[], _Lasting]) -> None:
        """One more output. Where the machine fails to open it, that is a problem like any other; the run goes on."""
        try:
            sink = opener()
        except OutputError as problem:
            self.problems.append(problem)
        else:
            self._outputs.insert(0, _Output(sink, sink))  # who compares with the history finds this run in it

    def start(self, run: RunInfo) -> None:
        self._tell(lambda sink: sink.start(run))

    def prepare(self) -> None:
        """There will be many verdicts soon, and there is time now to make ready for them."""
        for output in self._outputs:
            if isinstance(output.sink, _Preparing):
                output.sink.prepare()

    def port(self, verdict: Verdict) -> None:
        self._told = True
        self._tell(lambda sink: sink.port(verdict))

    def ports(self, sweep: Sweep) -> None:
        self._told = True
        self._tell(lambda sink: sink.ports(sweep))

    def finding(self, finding: Finding) -> None:
        self._told = True
        self._tell(lambda sink: sink.finding(finding))

    def finish(self, summary: Summary) -> None:
        self._tell(lambda sink: sink.finish(summary))
        self._finished = True

    def __enter__(self) -> Reports:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._finished:
            for output in self._outputs:
                output.out.abandon(keep=self._told)

    def _tell(self, message: Callable[[Sink], None]) -> None:
        for output in tuple(self._outputs):
            try:
                message(output.sink)
            except OutputError as problem:
                self.problems.append(problem)
                self._outputs.remove(output)
                output.out.abandon(keep=True)


def _check(specs: list[OutputSpec]) -> None:
    taken: set[str] = set()
    for spec in specs:
        if spec.format not in FORMATS:
            raise UsageError(f"{spec.format}:{spec.path}: unknown format {spec.format!r}; known: {', '.join(FORMATS)}")
        place = spec.path if spec.path == "-" else str(Path(spec.path).absolute())
        if place in taken:
            raise UsageError(f"{spec.format}:{spec.path}: two outputs cannot go to the same place")
        taken.add(place)


def _result_path(profile: str, folder: str, kind: str) -> str:
    safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in profile).lstrip(".")
    return str(Path(folder) / f"{safe or 'probe'}{FORMATS.get(kind, '')}")


def _open(spec: OutputSpec, baseline: Baseline | None = None) -> _Output:
    make = _sink_maker(spec.format)
    out: Out = StandardOutput() if spec.path == "-" else OutFile(spec.path)
    return _Output(make(out, baseline) if spec.format == "html" else make(out), out)


_SINKS = {
    "jsonl": "JsonlSink",
    "csv": "CsvSink",
    "junit": "JunitSink",
    "table": "TableSink",
    "html": "HtmlSink",
    "nmap-xml": "NmapXmlSink",
    "sarif": "SarifSink",
    "prometheus": "PrometheusSink",
    "profile": "ProfileSink",
}


def _sink_maker(kind: str) -> Callable[..., Sink]:
    """The class of a format, from the module that is called like it. Imported here: some bring rich or more."""
    if kind not in _SINKS:
        raise UsageError(f"unknown format {kind!r}; known: {', '.join(FORMATS)}")
    module = importlib.import_module(f"probe.report.{kind.replace('-', '_')}")
    maker: Callable[..., Sink] = getattr(module, _SINKS[kind])
    return maker
