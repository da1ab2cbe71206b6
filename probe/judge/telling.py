"""What is said about a service and its whereabouts. Decides nothing, see `moves`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum

from msgspec import Struct

from probe.judge.identity import Likeness, likeness
from probe.judge.wording import evidence_in_words, place, plural, ranges, seen_in_words, service_in_words, some
from probe.model import Service, State, Verdict

# Enough to be complete for any list that a person wrote, and an end for the others.
_RANGES_TOLD = 64
_PLACES_TOLD = 8


class Tells(Enum):
    """What one port says about the service that is looked for; the table is in `moves`."""

    IS = "is"
    STRANGER = "stranger"
    OTHER = "other"
    MUTE = "mute"
    EMPTY = "empty"
    UNDECIDED = "undecided"


class Sighting(Struct, frozen=True):
    """A verdict and what it tells. `likeness` compares with the baseline, `known` is what that had in this place."""

    tells: Tells
    verdict: Verdict
    likeness: Likeness = Likeness.UNTOLD
    known: Service | None = None

    @property
    def service(self) -> Service:
        """What identified itself there."""
        talk = self.verdict.conversation
        return talk.service if talk and talk.service else Service()


def order(sighting: Sighting) -> tuple[int, int, int]:
    """Findings read the same in whatever order the answers came; addresses of two families do not compare."""
    key = sighting.verdict.key
    return (key.address.version, int(key.address), key.port)


def home(service: str, homes: Sequence[Sighting], away: Sequence[Sighting]) -> str:
    """At home, and where else: the same server, another one, or one that cannot be compared."""
    words = f"{service} is at home: {some([_identified(each) for each in homes])}"
    if not away:
        return words
    return f"{words}; also found at {some([_compared(each, homes) for each in sorted(away, key=order)], _PLACES_TOLD)}"


def but(others: Sequence[Sighting]) -> str:
    """Who sits at home on other addresses of the target."""
    return f"; but {sitters(others)}" if others else ""


def found(away: Sequence[Sighting]) -> str:
    return f"; found at {places(away)}" if away else ""


def others(service: str, away: Sequence[Sighting]) -> str:
    """Servers of the same kind that are not the one that was looked for."""
    return f"; another {service} server answers at {places(away)}" if away else ""


def mute(away: Sequence[Sighting]) -> str:
    return f"; open but unidentified: {some([place(each.verdict.key) for each in away])}" if away else ""


def places(sightings: Sequence[Sighting]) -> str:
    return some([_place(each) for each in sightings], _PLACES_TOLD)


def sitters(sightings: Sequence[Sighting]) -> str:
    return some([_sitter(each) for each in sightings])


def strangers(sightings: Sequence[Sighting]) -> str:
    """Another server of the same kind at home, beside what the baseline had there."""
    return some([f"another server sits there: {_identified(each)}{_instead_of(each.known)}" for each in sightings])


def doubts(port: int, sightings: Sequence[Sighting]) -> str:
    """Why nobody can say what is at home."""
    if not sightings:
        return f"tcp/{port} was not scanned on every address"
    return some([_doubt(each) for each in sightings])


def searched(ports: Collection[int], addresses: int) -> str:
    return f"searched tcp/{ranges(ports, _RANGES_TOLD)} of {plural(addresses, 'address')}"


def _doubt(sighting: Sighting) -> str:
    if sighting.known:
        return f"{_identified(sighting)} did not show its key or certificate{_instead_of(sighting.known)}"
    return f"{place(sighting.verdict.key)}: {evidence_in_words(sighting.verdict)}"


def _instead_of(known: Service | None) -> str:
    if known is None:
        return ""
    if known.key:
        return f", where the baseline has key {known.key.fingerprint}"
    return f", where the baseline has certificate {known.tls.sha256}" if known.tls and known.tls.sha256 else ""


def _place(sighting: Sighting) -> str:
    spot = place(sighting.verdict.key)
    if sighting.tells is Tells.STRANGER:
        return f"{spot} ({service_in_words(sighting.service)})"
    return f"{spot} (the same server)" if sighting.likeness is Likeness.SAME else spot


def _compared(sighting: Sighting, homes: Sequence[Sighting]) -> str:
    """The place, and whether its server is one of those at home, as far as keys tell."""
    spot, service = place(sighting.verdict.key), sighting.service
    if not (service.key or service.tls):
        return spot
    answers = {likeness(each.service, service) for each in homes}
    if Likeness.SAME in answers:
        return f"{spot} (the same server)"
    return f"{spot} (another server)" if answers == {Likeness.OTHER} else spot


def _identified(sighting: Sighting) -> str:
    return f"{service_in_words(sighting.service)} at {place(sighting.verdict.key)}"


def _sitter(sighting: Sighting) -> str:
    verdict, service = sighting.verdict, sighting.service
    spot = place(verdict.key)
    if verdict.state is not State.OPEN:
        return f"{spot} is {seen_in_words(verdict)}: {evidence_in_words(verdict)}"
    if service.name is None:
        return f"something that does not identify itself{' inside TLS' if service.tls else ''} sits at {spot} now"
    return f"{service_in_words(service)} sits at {spot} now"
