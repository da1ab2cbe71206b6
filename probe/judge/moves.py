"""Where does a service live now? One expectation, one target, one finding.

Theory of operation
===================
A service is known by what answers, never by its number. Its expectation is judged over every address of the target and
every scanned port, so the watch sees the verdicts as they come, keeps the few that matter, and speaks at the end.

Each port tells one of four things about service S (the port is S's home or is not):

    is S          something there identified itself as S
    other         something there identified itself as something else
    mute          open and asked, but it did not say what it is
    empty         closed or filtered: nothing there that one could talk to
    undecided     unknown, unreachable, never asked: S may well be there

and the finding follows, first line that fits (`home` stands for all addresses of the target, at the home port):

    home is S on any address                    home       met
    home undecided on any address               unknown    it could be there
    S elsewhere                                 moved      violated
    home mute on any address                    unknown    it could be S, silent
    home other on any address                   impostor   violated, whatever hides behind undecided ports elsewhere
    anything undecided elsewhere                unknown    `gone` would be a guess
    otherwise                                   gone       violated
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from probe.judge.wording import evidence_in_words, place, plural, ranges, seen_in_words, service_in_words, some
from probe.model import Cause, Expectation, Finding, Outcome, Place, State, Target, Verdict

# Enough to be complete for any list that a person wrote, and an end for the others.
_RANGES_TOLD = 64


class _Tells(Enum):
    IS = "is"
    OTHER = "other"
    MUTE = "mute"
    EMPTY = "empty"
    UNDECIDED = "undecided"


class ServiceWatch:
    """Feed it the verdicts of one target, each once and in any order, then ask for the finding."""

    def __init__(self, expectation: Expectation, target: Target, scanned_ports: Sequence[int]) -> None:
        assert expectation.service is not None
        assert expectation.home is not None
        self._expectation = expectation
        self._service, self._home_port = expectation.service, expectation.home
        self._addresses = sum(part.size for part in target.ranges)
        self._ports = frozenset(scanned_ports)
        self._decided = 0
        self._home: list[tuple[_Tells, Verdict]] = []
        self._found: list[Verdict] = []
        self._mute: list[Verdict] = []

    def see(self, verdict: Verdict) -> None:
        tells = _ask(self._service, verdict)
        self._decided += tells is not _Tells.UNDECIDED
        if verdict.key.port == self._home_port:
            self._home.append((tells, verdict))
        elif tells is _Tells.MUTE:
            self._mute.append(verdict)
        if tells is _Tells.IS:
            self._found.append(verdict)

    def finding(self) -> Finding:
        outcome, observed, told = self._decide()
        found = (verdict.key for verdict in sorted(self._found, key=_order))
        places = tuple(Place(str(key.address), key.port) for key in found)
        message = f"{self._expectation.target}: {told}; {self._searched()}"
        return Finding(outcome, self._expectation, observed, message, found=places)

    def _decide(self) -> tuple[Outcome, str, str]:
        expected = f"{self._service} expected on tcp/{self._home_port}"
        if self._at_home(_Tells.IS):
            return Outcome.MET, "home", self._told_home()
        if self._home_is_undecided():
            return Outcome.UNKNOWN, "unknown", f"{expected}, cannot tell: {self._why_undecided()}"
        if self._found:
            return Outcome.VIOLATED, "moved", f"{expected}, but it moved to {self._elsewhere()}; {self._sitters()}"
        return self._decide_nowhere(expected)

    def _decide_nowhere(self, expected: str) -> tuple[Outcome, str, str]:
        open_question = f"; {plural(self._undecided(), 'port')} could not be decided" if self._undecided() else ""
        if self._at_home(_Tells.MUTE):
            return (
                Outcome.UNKNOWN,
                "unknown",
                f"{expected}, cannot tell: {self._sitters()}; found nowhere{open_question}",
            )
        if self._at_home(_Tells.OTHER):
            return Outcome.VIOLATED, "impostor", f"{expected}, but {self._sitters()}; found nowhere{open_question}"
        if open_question:
            return Outcome.UNKNOWN, "unknown", f"{expected}, cannot tell: {self._sitters()}{open_question}"
        return Outcome.VIOLATED, "gone", f"{expected}, but it is gone: {self._sitters()}{self._told_mute()}"

    def _at_home(self, tells: _Tells) -> list[Verdict]:
        return sorted((seen for told, seen in self._home if told is tells), key=_order)

    def _home_is_undecided(self) -> bool:
        return len(self._home) < max(self._addresses, 1) or bool(self._at_home(_Tells.UNDECIDED))

    def _undecided(self) -> int:
        return self._addresses * len(self._ports) - self._decided

    def _told_home(self) -> str:
        lives = [_identified(verdict) for verdict in self._at_home(_Tells.IS)]
        words = f"{self._service} is at home: {some(lives)}"
        if len(self._found) > len(lives):
            words += f"; also found at {self._elsewhere()}"
        others = [_sitter(verdict) for verdict in self._at_home(_Tells.OTHER)]
        return words + (f"; but {some(others)}" if others else "")

    def _elsewhere(self) -> str:
        away = [seen.key for seen in sorted(self._found, key=_order) if seen.key.port != self._home_port]
        return some([place(key) for key in away], limit=8)

    def _sitters(self) -> str:
        """Who is at home now: those that speak first, then the mute, then what is empty."""
        order = (_Tells.OTHER, _Tells.MUTE, _Tells.EMPTY)
        return some([_sitter(verdict) for tells in order for verdict in self._at_home(tells)])

    def _why_undecided(self) -> str:
        doubts = [f"{place(seen.key)}: {evidence_in_words(seen)}" for seen in self._at_home(_Tells.UNDECIDED)]
        words = some(doubts) if doubts else f"tcp/{self._home_port} was not scanned on every address"
        return words + (f"; found at {self._elsewhere()}" if self._found else "")

    def _told_mute(self) -> str:
        if not self._mute:
            return ""
        return (
            f"; open elsewhere but unidentified: {some([place(seen.key) for seen in sorted(self._mute, key=_order)])}"
        )

    def _searched(self) -> str:
        return f"searched tcp/{ranges(self._ports, _RANGES_TOLD)} of {plural(self._addresses, 'address')}"


def _ask(service: str, verdict: Verdict) -> _Tells:
    # Nobody was asked on an open port without a conversation (`handshake: false`): that is no answer to our question.
    never_asked = verdict.state is State.OPEN and verdict.conversation is None
    if verdict.state is State.UNKNOWN or verdict.cause is Cause.UNREACHABLE or never_asked:
        return _Tells.UNDECIDED
    if verdict.state is not State.OPEN:
        return _Tells.EMPTY
    known = verdict.conversation.service if verdict.conversation else None
    if known is None or known.name is None:
        return _Tells.MUTE
    return _Tells.IS if known.name == service else _Tells.OTHER


def _order(verdict: Verdict) -> tuple[int, int, int]:
    """Findings read the same in whatever order the answers came; addresses of two families do not compare."""
    return (verdict.key.address.version, int(verdict.key.address), verdict.key.port)


def _identified(verdict: Verdict) -> str:
    assert verdict.conversation is not None
    assert verdict.conversation.service is not None
    return f"{service_in_words(verdict.conversation.service)} at {place(verdict.key)}"


def _sitter(verdict: Verdict) -> str:
    spot = place(verdict.key)
    if verdict.state is not State.OPEN:
        return f"{spot} is {seen_in_words(verdict)}: {evidence_in_words(verdict)}"
    service = verdict.conversation.service if verdict.conversation else None
    if service is None or service.name is None:
        return f"something that does not identify itself{' inside TLS' if service else ''} sits at {spot} now"
    return f"{service_in_words(service)} sits at {spot} now"
