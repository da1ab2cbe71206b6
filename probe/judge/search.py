"""Does a service answer anywhere? What `probe find` asks: found, not found, or not to be said.

One place is enough. Without any, a port that could not be decided may hide it, and so may one that keeps silent.
"""

from __future__ import annotations

from collections.abc import Sequence

from probe.judge import telling
from probe.judge.moves import ask, place_of
from probe.judge.telling import Sighting, Tells
from probe.judge.wording import plural
from probe.model import Expectation, Finding, Outcome, Target, Verdict


class ServiceSearch:
    """Feed it the verdicts of one target, each once and in any order, then ask for the finding."""

    def __init__(self, expectation: Expectation, target: Target, scanned_ports: Sequence[int]) -> None:
        assert expectation.service is not None
        self._expectation, self._service = expectation, expectation.service
        self._addresses = sum(part.size for part in target.ranges)
        self._ports = frozenset(scanned_ports)
        self._decided = 0
        self._seen: list[Sighting] = []

    def see(self, verdict: Verdict) -> None:
        tells = ask(self._service, verdict)
        self._decided += tells is not Tells.UNDECIDED
        if tells in (Tells.IS, Tells.MUTE):
            self._seen.append(Sighting(tells, verdict))

    def finding(self) -> Finding:
        found, mute = (self._which(tells) for tells in (Tells.IS, Tells.MUTE))
        undecided = self._addresses * len(self._ports) - self._decided
        if found:
            outcome, observed, told = Outcome.MET, "found", f"{self._service} answers at {telling.places(found)}"
        elif mute or undecided:
            outcome, observed, told = Outcome.UNKNOWN, "unknown", f"{self._service} was found nowhere, cannot tell"
        else:
            outcome, observed, told = Outcome.VIOLATED, "nowhere", f"{self._service} was found nowhere"
        told += telling.mute(mute) + (f"; {plural(undecided, 'port')} could not be decided" if undecided else "")
        message = f"{self._expectation.target}: {told}; {telling.searched(self._ports, self._addresses)}"
        return Finding(outcome, self._expectation, observed, message, found=tuple(map(place_of, found)))

    def _which(self, tells: Tells) -> list[Sighting]:
        return sorted((each for each in self._seen if each.tells is tells), key=telling.order)
