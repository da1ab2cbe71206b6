"""A run kept in memory, to be told later: of a run that is repeated, only the last round is written."""

from __future__ import annotations

from collections.abc import Iterable

from probe.model import Finding, RunInfo, Summary, Verdict
from probe.report import Sink
from probe.sweep import Sweep


class Tape:
    """A sink that remembers. `summary` is None until the run has ended."""

    def __init__(self) -> None:
        self.told: list[Verdict | Sweep] = []
        self.findings: list[Finding] = []
        self.summary: Summary | None = None

    def start(self, run: RunInfo) -> None:
        self.run = run

    def port(self, verdict: Verdict) -> None:
        self.told.append(verdict)

    def ports(self, sweep: Sweep) -> None:
        self.told.append(sweep)

    def finding(self, finding: Finding) -> None:
        self.findings.append(finding)

    def finish(self, summary: Summary) -> None:
        self.summary = summary

    def abandon(self, *, keep: bool) -> None:
        """There is nothing to give up."""

    def play(self, sink: Sink, findings: Iterable[Finding], summary: Summary) -> None:
        """Tell `sink` of the run, with these findings and this end instead of its own."""
        sink.start(self.run)
        for told in self.told:
            if isinstance(told, Sweep):
                sink.ports(told)
            else:
                sink.port(told)
        for finding in findings:
            sink.finding(finding)
        sink.finish(summary)
