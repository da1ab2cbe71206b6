"""Which TTLs to ask for which port, so that each dropped port costs few packets. No packets here, only numbers.

All ports of one host share a path, so they share what is learned of it. The first walker, if there is one, goes to a
port that answers, and learns how far away the host is and which hops speak at all. The next goes to a dropped port and
asks every hop of the way. Those after it begin where that one ended: the hop that answered last, and the one beyond.

    witness ──→ scout ──→ all others

Asking stops where the host begins, or REACH hops after the last that answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from probe.core.bounds import HOPS

REACH = 4  # silent hops in a row after which a path counts as ended
WIDTH = HOPS + 1

# A question is a walker and a TTL: walker * WIDTH + TTL.


@dataclass(slots=True)
class Path:
    """What the walkers to one address know together. `hops` maps a TTL to the hop that answered; SEVERAL to many."""

    waiting: deque[int]
    hops: dict[int, int] = field(default_factory=dict)
    asked: int = 0  # bits of the TTLs that a leader asked
    distance: int | None = None
    usual: int | None = None  # where the last dropped port ended

    def learn(self, ttl: int, hop: int) -> None:
        self.hops[ttl] = hop if self.hops.get(ttl, hop) == hop else SEVERAL

    def ends_before(self, ttl: int) -> bool:
        return ttl > HOPS or (self.distance is not None and ttl >= self.distance)

    def mute(self, below: int) -> tuple[int, ...]:
        return tuple(ttl for ttl in range(1, below) if ttl not in self.hops and self.asked >> ttl & 1)


SEVERAL = -2  # parallel routers at one distance (ECMP)


@dataclass(slots=True)
class Walker:
    """One port. `asked`, `open` and `silent` are bits by TTL; `low` is the last hop that answered, 0 for none."""

    path: Path
    rank: int = 0
    leads: bool = False
    witness: bool = False
    over: bool = False
    answered: bool = False
    low: int = 0
    low_hop: int = -1
    asked: int = 0
    open: int = 0
    silent: int = 0

    @property
    def first_silent(self) -> int | None:
        """The lowest TTL beyond `low` that stayed silent, though it speaks to others; if none does, the lowest."""
        silent = [ttl for ttl in range(self.low + 1, WIDTH) if self.silent >> ttl & 1]
        return next((ttl for ttl in silent if ttl in self.path.hops), silent[0] if silent else None)


class Walks:
    """Walkers are numbered like `rows`, which tells the address row of each; the first `witnesses` of them go to ports
    that answer. Every method that is told something returns the questions that follow from it."""

    def __init__(self, rows: Sequence[int], witnesses: int) -> None:
        paths: dict[int, Path] = {}
        self.walkers: list[Walker] = []
        for number, row in enumerate(rows):
            path = paths.setdefault(row, Path(deque()))
            self.walkers.append(Walker(path, rank=len(path.waiting), witness=number < witnesses))
            path.waiting.append(number)
        self.paths = list(paths.values())
        self.unfinished = len(self.walkers)

    def rank(self, question: int) -> int:
        """Its walker's place among those of its path: who asks in this order is fair to all hosts."""
        return self.walkers[question // WIDTH].rank

    def is_open(self, question: int) -> bool:
        """It was asked, and nothing came of it yet."""
        number, ttl = divmod(question, WIDTH)
        return bool(self.walkers[number].open >> ttl & 1)

    def begin(self) -> list[int]:
        return [question for path in self.paths for question in self._send_leader(path)]

    def heard(self, question: int, hop: int) -> list[int]:
        """A hop answered for the first time at this question."""
        number, ttl = divmod(question, WIDTH)
        walker = self.walkers[number]
        walker.path.learn(ttl, hop)
        walker.silent &= ~(1 << ttl)
        if ttl > walker.low:
            walker.low, walker.low_hop = ttl, hop
        return self._closed(number, ttl)

    def reached(self, question: int) -> list[int]:
        """The port itself answered."""
        number, ttl = divmod(question, WIDTH)
        walker = self.walkers[number]
        walker.answered = True
        walker.path.distance = min(ttl, walker.path.distance or ttl)
        return self._closed(number, ttl)

    def stays_silent(self, question: int) -> list[int]:
        number, ttl = divmod(question, WIDTH)
        self.walkers[number].silent |= 1 << ttl
        return self._closed(number, ttl)

    def moot(self, question: int) -> bool:
        """Nothing would be learned by it any more. A leader wants to hear every hop, for the sake of the others."""
        number, ttl = divmod(question, WIDTH)
        walker = self.walkers[number]
        settled = walker.over or not self.is_open(question) or walker.path.ends_before(ttl)
        return settled or (ttl < walker.low and (not walker.leads or ttl in walker.path.hops))

    def drop(self, question: int) -> list[int]:
        """Not asked any more, because it is moot."""
        return self._closed(*divmod(question, WIDTH))

    def refused(self, question: int) -> list[int]:
        """It could not be asked."""
        number, ttl = divmod(question, WIDTH)
        self.walkers[number].path.asked &= ~(1 << ttl)
        return self._closed(number, ttl)

    def _send_leader(self, path: Path) -> list[int]:
        if not path.waiting:
            return []
        number = path.waiting.popleft()
        self.walkers[number].leads = True
        return self._start(number)

    def _start(self, number: int) -> list[int]:
        walker = self.walkers[number]
        usual = 0 if walker.leads else walker.path.usual or 0
        first = [usual] if usual else []
        return self._ask(number, [*first, *self._beyond(walker, usual)]) or self._finish(number)

    def _ask(self, number: int, ttls: Iterable[int]) -> list[int]:
        walker = self.walkers[number]
        fresh = [ttl for ttl in ttls if not walker.asked >> ttl & 1 and not walker.path.ends_before(ttl)]
        for ttl in fresh:
            walker.asked |= 1 << ttl
            walker.open |= 1 << ttl
            walker.path.asked |= walker.leads << ttl
        return [number * WIDTH + ttl for ttl in fresh]

    def _beyond(self, walker: Walker, low: int) -> Iterator[int]:
        """What to ask after `low`: a leader looks far ahead, the others for the next hop that is known to speak."""
        if walker.leads:
            return iter(range(low + 1, low + REACH + 1))
        known = [ttl for ttl in walker.path.hops if ttl > low]
        return iter([min(known)] if known else [low + 1, low + 2])

    def _closed(self, number: int, ttl: int) -> list[int]:
        walker = self.walkers[number]
        walker.open &= ~(1 << ttl)
        if walker.over:
            return []
        # Where nobody answered at the usual hop, this begins anew from the first one.
        more = self._ask(number, self._beyond(walker, walker.low))
        return more if more or walker.open else self._finish(number)

    def _finish(self, number: int) -> list[int]:
        walker = self.walkers[number]
        walker.over = True
        self.unfinished -= 1
        if walker.witness:
            return self._send_leader(walker.path)
        walker.path.usual = walker.low
        if not walker.leads:
            return []
        others = list(walker.path.waiting)
        walker.path.waiting.clear()
        return [question for other in others for question in self._start(other)]
