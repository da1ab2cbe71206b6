"""Where does a service live now? One expectation, one target, one finding.

Theory of operation
===================
A service is known by what answers, never by its number. Its expectation is judged over every address of the target and
every scanned port, so the watch sees the verdicts as they come, keeps the few that matter, and speaks at the end.

Each port tells one of these things about service S (the port is S's home or is not):

    is S          something there identified itself as S
    stranger      it did, but it is proven not to be the server that the baseline had at home (see `identity`)
    other         something there identified itself as something else
    mute          open and asked, but it did not say what it is
    empty         closed or filtered: nothing there that one could talk to
    undecided     unknown, unreachable, never asked, or without the key that the baseline has: S may well be there

and the finding follows, first line that fits (`home` stands for all addresses of the target, at the home port):

    home a stranger on any address, its key elsewhere   moved      violated
    home a stranger on any address                      impostor   violated, though other addresses may be well
    home is S on any address                            home       met
    home undecided on any address                       unknown    it could be there
    S elsewhere                                         moved      violated
    home mute on any address                            unknown    it could be S, silent
    home other on any address                           impostor   violated, whatever hides behind undecided ports
    anything undecided elsewhere                        unknown    `gone` would be a guess
    otherwise                                           gone       violated

Without a baseline there are no strangers: whatever answers as S is S.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from probe.judge import telling
from probe.judge.identity import Likeness, identity, likeness
from probe.judge.telling import Sighting, Tells
from probe.judge.wording import plural
from probe.model import Cause, Expectation, Finding, Outcome, Place, PortKey, Service, State, Target, Verdict

Baseline = Mapping[PortKey, Service]


class ServiceWatch:
    """Feed it the verdicts of one target, each once and in any order, then ask for the finding.

    `baseline` is what identified itself in an earlier run, by place.
    """

    def __init__(
        self,
        expectation: Expectation,
        target: Target,
        scanned_ports: Sequence[int],
        baseline: Baseline | None = None,
    ) -> None:
        assert expectation.service is not None
        assert expectation.home is not None
        self._expectation = expectation
        self._service, self._home_port = expectation.service, expectation.home
        self._addresses = sum(part.size for part in target.ranges)
        self._ports = frozenset(scanned_ports)
        self._known = _known_homes(expectation, target, baseline or {})
        self._decided = 0
        self._home: list[Sighting] = []
        self._away: list[Sighting] = []

    def see(self, verdict: Verdict) -> None:
        at_home = verdict.key.port == self._home_port
        sighting = self._sight_home(verdict) if at_home else self._sight_away(verdict)
        self._decided += sighting.tells is not Tells.UNDECIDED
        if at_home:
            self._home.append(sighting)
        elif sighting.tells in (Tells.IS, Tells.STRANGER, Tells.MUTE):
            self._away.append(sighting)

    def finding(self) -> Finding:
        outcome, observed, told = self._decide()
        found = sorted(self._at_home(Tells.IS) + self._elsewhere(Tells.IS), key=telling.order)
        message = f"{self._expectation.target}: {told}; {telling.searched(self._ports, self._addresses)}"
        return Finding(outcome, self._expectation, observed, message, found=tuple(map(place_of, found)))

    def _decide(self) -> tuple[Outcome, str, str]:
        expected = f"{self._service} expected on tcp/{self._home_port}"
        found, strangers = self._elsewhere(Tells.IS), self._at_home(Tells.STRANGER)
        if strangers:
            return self._decide_strangers(expected, found)
        if homes := self._at_home(Tells.IS):
            told = telling.home(self._service, homes, found + self._elsewhere(Tells.STRANGER))
            return Outcome.MET, "home", told + telling.but(self._at_home(Tells.OTHER))
        if self._home_is_undecided():
            doubts = telling.doubts(self._home_port, self._at_home(Tells.UNDECIDED))
            return Outcome.UNKNOWN, "unknown", f"{expected}, cannot tell: {doubts}{telling.found(found)}"
        if found:
            moved = f"{expected}, but it moved to {telling.places(found)}; {self._sitters()}"
            return Outcome.VIOLATED, "moved", moved + telling.others(self._service, self._elsewhere(Tells.STRANGER))
        return self._decide_nowhere(expected)

    def _decide_strangers(self, expected: str, found: list[Sighting]) -> tuple[Outcome, str, str]:
        sitters = telling.strangers(self._at_home(Tells.STRANGER))
        if same := [each for each in found if each.likeness is Likeness.SAME]:
            return Outcome.VIOLATED, "moved", f"{expected}, but it moved to {telling.places(same)}; {sitters}"
        where = telling.found(found) or "; found nowhere"
        return Outcome.VIOLATED, "impostor", f"{expected}, but {sitters}{where}{self._open_question()}"

    def _decide_nowhere(self, expected: str) -> tuple[Outcome, str, str]:
        question = self._open_question()
        if self._at_home(Tells.MUTE):
            told = f"{expected}, cannot tell: {self._sitters()}; found nowhere{question}"
            return Outcome.UNKNOWN, "unknown", told
        if self._at_home(Tells.OTHER):
            return Outcome.VIOLATED, "impostor", f"{expected}, but {self._sitters()}; found nowhere{question}"
        if question:
            return Outcome.UNKNOWN, "unknown", f"{expected}, cannot tell: {self._sitters()}{question}"
        told = telling.others(self._service, self._elsewhere(Tells.STRANGER)) + telling.mute(
            self._elsewhere(Tells.MUTE)
        )
        return Outcome.VIOLATED, "gone", f"{expected}, but it is gone: {self._sitters()}{told}"

    def _sight_home(self, verdict: Verdict) -> Sighting:
        tells, seen, known = ask(self._service, verdict), _service(verdict), self._known.get(verdict.key)
        if tells is not Tells.IS or seen is None or known is None:
            return Sighting(tells, verdict)
        if identity(known) and not identity(seen):
            return Sighting(Tells.UNDECIDED, verdict, known=known)
        same = likeness(known, seen) if identity(known) else Likeness.UNTOLD
        return Sighting(Tells.STRANGER if same is Likeness.OTHER else Tells.IS, verdict, same, known)

    def _sight_away(self, verdict: Verdict) -> Sighting:
        tells, seen = ask(self._service, verdict), _service(verdict)
        if tells is not Tells.IS or seen is None:
            return Sighting(tells, verdict)
        same = _likest(likeness(known, seen) for known in self._known.values())
        return Sighting(Tells.STRANGER if same is Likeness.OTHER else Tells.IS, verdict, same)

    def _at_home(self, tells: Tells) -> list[Sighting]:
        return sorted((each for each in self._home if each.tells is tells), key=telling.order)

    def _elsewhere(self, tells: Tells) -> list[Sighting]:
        return sorted((each for each in self._away if each.tells is tells), key=telling.order)

    def _home_is_undecided(self) -> bool:
        return len(self._home) < max(self._addresses, 1) or bool(self._at_home(Tells.UNDECIDED))

    def _open_question(self) -> str:
        undecided = self._addresses * len(self._ports) - self._decided
        return f"; {plural(undecided, 'port')} could not be decided" if undecided else ""

    def _sitters(self) -> str:
        """Who is at home now: those that speak first, then the mute, then what is empty."""
        order = (Tells.OTHER, Tells.MUTE, Tells.EMPTY)
        return telling.sitters([each for tells in order for each in self._at_home(tells)])


def ask(service: str, verdict: Verdict) -> Tells:
    """What one port tells about a service, by its name."""
    # Nobody was asked on an open port without a conversation (`handshake: false`): that is no answer to our question.
    never_asked = verdict.state is State.OPEN and verdict.conversation is None
    if verdict.state is State.UNKNOWN or verdict.cause is Cause.UNREACHABLE or never_asked:
        return Tells.UNDECIDED
    if verdict.state is not State.OPEN:
        return Tells.EMPTY
    known = _service(verdict)
    if known is None or known.name is None:
        return Tells.MUTE
    return Tells.IS if known.name == service else Tells.OTHER


def answers_as(service: str, verdict: Verdict) -> bool:
    """Whether something there identified itself as this service."""
    return ask(service, verdict) is Tells.IS


def _service(verdict: Verdict) -> Service | None:
    return verdict.conversation.service if verdict.conversation else None


def _known_homes(expectation: Expectation, target: Target, baseline: Baseline) -> dict[PortKey, Service]:
    """What the baseline had at home, where that was the service in question."""
    return {
        key: service
        for key, service in baseline.items()
        if key.port == expectation.home and key.address in target and service.name == expectation.service
    }


def _likest(answers: Iterable[Likeness]) -> Likeness:
    """Compared with several: the same as one of them, or another than all of them."""
    answers = set(answers)
    if Likeness.SAME in answers:
        return Likeness.SAME
    return Likeness.OTHER if answers == {Likeness.OTHER} else Likeness.UNTOLD


def place_of(sighting: Sighting) -> Place:
    service, key = _service(sighting.verdict), sighting.verdict.key
    return Place(str(key.address), key.port, identity(service) if service else None)
