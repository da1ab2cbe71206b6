"""A run repeated until its expectations hold: how often in a row they did, since when, and what leaked meanwhile.

A network that is being changed answers wrongly for a while, and that is forgiven. Not to a line that says `must: stay`:
what it denies may not be open for the length of one scan, so a single leak violates it, whatever comes after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from probe.judge.exits import exit_code
from probe.model import Finding, Outcome, PortKey, Proof, State, Summary

_Promise = tuple[int, str, PortKey | None]


@dataclass
class Convergence:
    """Tell it of every round; `wanted` is how often in a row everything must hold. Times are seconds from the start."""

    wanted: int
    rounds: int = 0
    held: int = 0
    since: float | None = None
    leaks: dict[_Promise, Finding] = field(default_factory=dict)

    def round(self, findings: Iterable[Finding], *, complete: bool, at: float) -> None:
        """One scan is over; `at` is when."""
        self.rounds += 1
        holds = complete
        for finding in findings:
            holds = holds and finding.outcome is Outcome.MET
            if finding.expectation.stay and finding.outcome is Outcome.VIOLATED:
                self.leaks.setdefault(_promise(finding), self._leak(finding, at))
        self.held = self.held + 1 if holds else 0
        self.since = (at if self.held == 1 else self.since) if holds else None

    @property
    def done(self) -> bool:
        return self.held >= self.wanted

    def findings(self, last: Iterable[Finding]) -> Iterator[Finding]:
        """The findings of the last round, each leak in the place of what became of it since."""
        untold = dict(self.leaks)
        for finding in last:
            yield untold.pop(_promise(finding), finding)
        yield from untold.values()

    def summary(self, last: Summary, findings: Iterable[Finding], *, strict: bool) -> Summary:
        """The end of the last round as that of all of them: incomplete where too few in a row held."""
        outcomes, unproven = dict.fromkeys(Outcome, 0), 0
        for finding in findings:
            outcomes[finding.outcome] += 1
            unproven += finding.proof is Proof.UNPROVEN
        code = exit_code(
            outcomes,
            complete=last.complete and self.done,
            unknown_verdicts=last.counts.get(State.UNKNOWN, 0),
            unproven=unproven,
            strict=strict,
            interrupted=last.interrupted if last.interrupted in ("SIGINT", "SIGTERM") else None,
        )
        return replace(
            last, exit_code=code, findings=outcomes, rounds=self.rounds, held=self.held, held_since_s=self.since
        )

    def _leak(self, finding: Finding, at: float) -> Finding:
        when = f"this must stay, and leaked in round {self.rounds}, {at:.1f} s after the start"
        return replace(finding, message=f"{finding.message}; {when}")


def _promise(finding: Finding) -> _Promise:
    return (finding.expectation.number, finding.expectation.target, finding.key)
