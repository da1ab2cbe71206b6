"""Verdicts and findings as people and programs read them: one file per format, all behind one small protocol.

A sink is told of a run as it goes: `start`, then `port` (`ports`, of many at once) and `finding` as they are decided,
`finish` at the end. What it writes is whole and in place only after `finish`. Nothing here is imported until a format
is asked for.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from probe.model import Finding, RunInfo, Summary, Verdict
    from probe.sweep import Sweep

# What can stand before the colon of `-o FORMAT:PATH`, and the ending of the file that `results:` makes of it.
FORMATS = {
    "jsonl": ".jsonl",
    "csv": ".csv",
    "junit": ".xml",
    "table": ".txt",
    "html": ".html",
    "nmap-xml": ".nmap.xml",
    "sarif": ".sarif",
    "prometheus": ".prom",
    "profile": ".yaml",
}


class Out(Protocol):
    """Where the text of one format goes: a file that appears whole at `commit`, or standard output."""

    name: str

    def write(self, text: str) -> None:
        """Raises OutputError."""

    def flush(self) -> None:
        """Hand over what was written so far. Raises OutputError."""

    def commit(self) -> None:
        """Make it final. Raises OutputError."""

    def abandon(self, *, keep: bool) -> None:
        """Give up without making it final; `keep` leaves readable what there is. Never raises."""


class Sink(Protocol):
    """One format being written to one `Out`. Every method may raise OutputError."""

    def start(self, run: RunInfo) -> None: ...

    def port(self, verdict: Verdict) -> None: ...

    def ports(self, sweep: Sweep) -> None:
        """As `port` with each of them in turn."""

    def finding(self, finding: Finding) -> None: ...

    def finish(self, summary: Summary) -> None: ...


class PortByPort:
    """For a sink that has no use for many verdicts at once."""

    @abstractmethod
    def port(self, verdict: Verdict) -> None: ...

    def ports(self, sweep: Sweep) -> None:
        for verdict in sweep:
            self.port(verdict)
