"""Services that left one port and appear on another: which of the changes are one move.

Between two runs, ssh that leaves 22 and appears on 2222 of the same address is one event and not two. A service that is
gone is paired with one that is new by the surest likeness first: the same fingerprint; the same name, product and
version; the same name. Where keys or certificates tell two servers apart (see `identity`), they are two, whatever they
call themselves.

A pair takes away only what it explains. Where something else sits at the old place now, or sat at the new one before,
that is a change of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from probe.judge.identity import Likeness, identity, likeness
from probe.judge.likeness import answering, looks
from probe.model import Handshake, Service, State, Verdict


class Pair(Struct, frozen=True):
    """One port in both runs, changed."""

    old: Verdict
    new: Verdict


class Move(Struct, frozen=True):
    """A service that left `origin` and is at `goal` now."""

    origin: Pair
    goal: Pair


Key = Callable[[Service], object]
_LIKENESSES: tuple[Key, ...] = (identity, lambda service: looks(service)[:3], lambda service: service.name)


def moves(changed: Iterable[Pair]) -> tuple[list[Move], list[Pair]]:
    """The moves among the changes, and the changes that no move explains. Both in the order of ports."""
    by_host = defaultdict(list)
    for pair in changed:
        by_host[(pair.old.key.address, pair.old.key.transport)].append(pair)
    found = [move for pairs in by_host.values() for move in _on_one_host(pairs)]
    left = {id(move.origin) for move in found}
    entered = {id(move.goal) for move in found}
    rest = [
        pair
        for pairs in by_host.values()
        for pair in pairs
        if not _explained(pair, left=id(pair) in left, entered=id(pair) in entered)
    ]
    return found, rest


def _on_one_host(pairs: list[Pair]) -> Iterator[Move]:
    gone = sorted(filter(lost, pairs), key=_port)
    new = sorted(filter(_gained, pairs), key=_port)
    for alike in _LIKENESSES:
        for origin in tuple(gone):
            goal = next((pair for pair in new if pair is not origin and _same(origin, pair, alike)), None)
            if goal:
                gone.remove(origin)
                new.remove(goal)
                yield Move(origin, goal)


def _same(origin: Pair, goal: Pair, alike: Key) -> bool:
    was, now = answering(origin.old), answering(goal.new)
    assert was
    assert now
    stranger = identity(was) and identity(now) and likeness(was, now) is Likeness.OTHER
    key = alike(was)
    return not stranger and key is not None and key == alike(now)


def _explained(pair: Pair, *, left: bool, entered: bool) -> bool:
    """Whether moves say all that happened to this port: nobody was lost but who left, nobody came but who entered."""
    return (left or entered) and (left or not lost(pair)) and (entered or not _gained(pair))


def lost(pair: Pair) -> bool:
    """Who answered there by name is not there any more."""
    return _names_somebody_new(pair.new, pair.old)


def _gained(pair: Pair) -> bool:
    return _names_somebody_new(pair.old, pair.new)


def _names_somebody_new(before: Verdict, after: Verdict) -> bool:
    """Somebody with a name answers in `after` who does not in `before`; what said nothing may still be the same one."""
    who, was = answering(after), answering(before)
    if after.state is not State.OPEN or who is None or who.name is None:
        return False
    talk = before.conversation
    said_nothing = talk is None or talk.handshake is not Handshake.ANSWERED
    return before.state is not State.OPEN or not (said_nothing or (was is not None and was.name == who.name))


def _port(pair: Pair) -> int:
    return pair.old.key.port
