"""JSON Lines, the canonical form: each line valid by itself, handed over as it is decided.

Until the run ends the lines stand in `.NAME.partial` beside the final path, so that a killed run leaves them readable.
"""

from __future__ import annotations

from probe.model import Finding, RunInfo, Summary, Verdict
from probe.report import Out
from probe.report.records import Record, finding_record, port_record, run_record, summary_record
from probe.report.shorthand import dense
from probe.sweep import Sweep


def line(record: Record) -> str:
    """One record as one line of ASCII: no byte in it can disturb a terminal, whatever a host sent."""
    return dense(record) + "\n"


class JsonlSink:
    def __init__(self, out: Out) -> None:
        self._out = out

    def start(self, run: RunInfo) -> None:
        self._put(run_record(run))

    def port(self, verdict: Verdict) -> None:
        self._put(port_record(verdict))

    def prepare(self) -> None:
        from probe.report.jsonl_sweep import prepare

        prepare()

    def ports(self, sweep: Sweep) -> None:
        from probe.report.jsonl_sweep import lines  # numpy takes 0.1 s to import, and who sweeps has it

        self._out.write(lines(sweep))
        self._out.flush()

    def finding(self, finding: Finding) -> None:
        self._put(finding_record(finding))

    def finish(self, summary: Summary) -> None:
        self._put(summary_record(summary))
        self._out.commit()

    def _put(self, record: Record) -> None:
        self._out.write(line(record))
        self._out.flush()
