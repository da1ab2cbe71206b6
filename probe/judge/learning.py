"""What was seen, as the expectations that it meets: the inverse of judging.

Each port of a host gets the narrowest word that its verdict meets. What meets no word (`unknown`, `unreachable`) can be
expected of nobody, and is told apart. Hosts of one target of which the same can be expected are one group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from probe.judge.likeness import answering
from probe.judge.words import meets
from probe.model import Address, Outcome, State, Verdict

_NARROWEST_FIRST = ("open", "rejected", "dropped", "closed", "blocked", "not-open")


@dataclass(slots=True)
class Seen:
    """One host: its ports by word, the services that named themselves, and the ports that no word fits."""

    words: dict[str, list[int]] = field(default_factory=dict)
    services: dict[int, str] = field(default_factory=dict)
    doubtful: list[int] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        word = word_for(verdict)
        if word is None:
            self.doubtful.append(verdict.key.port)
            return
        self.words.setdefault(word, []).append(verdict.key.port)
        service = answering(verdict) if verdict.state is State.OPEN else None
        if service and service.name:
            self.services[verdict.key.port] = service.name

    def likeness(self) -> object:
        """Equal for hosts of which the same can be expected."""
        words = frozenset((word, tuple(sorted(ports))) for word, ports in self.words.items())
        return (words, frozenset(self.services.items()), tuple(sorted(self.doubtful)))


class Group(Struct, frozen=True):
    """Hosts of one target of which the same can be expected. `whole`: there are no others of that target."""

    target: str
    addresses: tuple[Address, ...]
    seen: Seen
    whole: bool


def word_for(verdict: Verdict) -> str | None:
    """The narrowest word that the verdict meets; None where it meets none."""
    return next((word for word in _NARROWEST_FIRST if meets(word, verdict) is Outcome.MET), None)


class Learner:
    """Feed it the verdicts of a run, then ask for what can be expected."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, Address], Seen] = {}
        self.ports: set[int] = set()

    def see(self, verdict: Verdict) -> None:
        self.ports.add(verdict.key.port)
        self._hosts.setdefault((verdict.target, verdict.key.address), Seen()).add(verdict)

    def groups(self) -> Iterator[Group]:
        """By target, in the order in which they were seen first, and by address."""
        for target in dict.fromkeys(target for target, _ in self._hosts):
            alike: dict[object, list[Address]] = {}
            for address in _ascending(address for name, address in self._hosts if name == target):
                alike.setdefault(self._hosts[(target, address)].likeness(), []).append(address)
            for addresses in alike.values():
                seen = self._hosts[(target, addresses[0])]
                yield Group(target, tuple(addresses), seen, whole=len(alike) == 1)


def _ascending(addresses: Iterable[Address]) -> list[Address]:
    return sorted(addresses, key=lambda address: (address.version, int(address)))
