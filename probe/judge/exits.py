"""What `run` and `scan` end with. The strongest statement wins: interrupted, violated, incomplete, all well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from probe.model import Finding, Outcome, Proof

OK, VIOLATED, INCOMPLETE = 0, 1, 3
_SIGNALS = {"SIGINT": 130, "SIGTERM": 143}

MEANING = {
    OK: "everything was decided and every expectation was met",
    VIOLATED: "an expectation was violated",
    INCOMPLETE: "nothing is violated, but something could not be decided or written",
    130: "interrupted by SIGINT",
    143: "interrupted by SIGTERM",
}


@dataclass(slots=True)
class Tally:
    """Counts findings as they come, so that none need be kept."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    unproven: int = 0

    def add(self, finding: Finding) -> None:
        self.outcomes[finding.outcome] += 1
        self.unproven += finding.proof is Proof.UNPROVEN


def exit_code(
    findings: Mapping[Outcome, int],
    *,
    complete: bool,
    unknown_verdicts: int,
    unproven: int = 0,
    strict: bool = False,
    interrupted: str | None = None,
) -> int:
    """The exit code of a run.

    `complete` is False when the run ended early or a result could not be written; `unknown_verdicts` counts the ports
    without a verdict, expected or not: a scan that says nothing of a port has not decided everything. `interrupted` is
    `SIGINT` or `SIGTERM`. Codes 1 and above 128 outrank 3: a violation stays one however little else was learnt.
    """
    if interrupted:
        return _SIGNALS.get(interrupted, INCOMPLETE)
    if findings.get(Outcome.VIOLATED, 0):
        return VIOLATED
    undecided = findings.get(Outcome.UNKNOWN, 0) or unknown_verdicts or (strict and unproven)
    return INCOMPLETE if undecided or not complete else OK
