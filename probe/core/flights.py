"""Attempts under way, and how long each is waited for.

Who asks for a timeout gets it for each attempt, and more where the round trip takes longer. Where nobody does
(`adaptive`), a host that answers is asked again after a pause of two round trips, and its last attempt is heard out for
four; one that has said nothing gets the whole time for each attempt, because nothing is known of how far it is, or of
how much it bears.

Every queue is sorted by itself, because whoever left later waits no less: no heap, no timer per probe.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from math import inf

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from probe.core.columns import I64, Bools
from probe.core.loss import Window

HASTE = 0.2  # seconds at least for an answer that is expected: no Linux gives a segment up sooner (TCP_RTO_MIN)
PAUSE = 0.025  # seconds at least between two attempts
LONGEST = 4  # timeouts: the most that slow answers extend them to, for whoever answers may be slow on purpose


class Flight(Struct, frozen=True):
    """Attempts that left together at `left_at`, in `window`; from `expiry` on there may be others."""

    expiry: float
    slots: I64
    window: Window
    left_at: float

    @property
    def known_at(self) -> float:
        """When it will be known, too, what became of the control probes that left with them."""
        return max(self.expiry, self.window.ripe) if self.window.unresolved else self.expiry


@dataclass
class Flights:
    """`timeout` is in seconds. `longest_rtt` is kept by who sees answers."""

    timeout: float
    adaptive: bool = False
    longest_rtt: float = 0.0
    _answering: int = 0
    _sort_again: float = 0.0
    _left_last: float = -inf
    _first: deque[Flight] = field(default_factory=deque)  # until the pause is over, where no timeout was asked for
    _patient: deque[Flight] = field(default_factory=deque)
    _hasty: deque[Flight] = field(default_factory=deque)  # attempts beyond those that were asked for

    @property
    def whole(self) -> float:
        """Seconds for an answer of which nothing is known."""
        return max(self.timeout, min(LONGEST * self.timeout, 1.5 * self.longest_rtt))

    @property
    def expected(self) -> float:
        """Seconds for an answer of a host that gives answers, by the longest that one took so far."""
        return min(self.whole, max(HASTE, 4 * self.longest_rtt))

    @property
    def pause(self) -> float:
        """Seconds from one attempt to the next at a host that answers, where no timeout was asked for."""
        return min(self.expected, max(PAUSE, 2 * self.longest_rtt))

    def sent(self, slots: I64, extra: Bools, window: Window, now: float) -> None:
        """These left now; `extra` are those beyond the attempts that were asked for."""
        self._left_last = now
        if self.adaptive:
            self._first.append(Flight(now + self.pause, slots, window, now))
            return
        for queue, chosen, wait in (
            (self._patient, slots[~extra], self.whole),
            (self._hasty, slots[extra], self.expected),
        ):
            if chosen.size:
                queue.append(Flight(now + wait, chosen, window, now))

    def over(self, now: float, answering: int, answers: Callable[[I64], Bools]) -> Iterator[tuple[I64, Window]]:
        """Attempts after which there may be others. `answering` is the number of hosts that give answers, and
        `answers` tells of slots whether theirs does."""
        if self.adaptive and answering != self._answering and now >= self._sort_again:
            self._answering, self._sort_again = answering, now + PAUSE
            while self._patient:  # latest first, for the earliest shall be in front
                flight = self._patient.pop()
                self._first.appendleft(replace(flight, expiry=flight.left_at + self.pause))
        while self._first and self._first[0].known_at <= now:
            flight = self._first.popleft()
            heard = answers(flight.slots)
            if heard.any():
                yield flight.slots[heard], flight.window
            if not heard.all():
                self._patient.append(replace(flight, expiry=flight.left_at + self.whole, slots=flight.slots[~heard]))
        for queue in (self._patient, self._hasty):
            while queue and queue[0].known_at <= now:
                flight = queue.popleft()
                yield flight.slots, flight.window

    def next_time(self) -> float | None:
        """When the next wait is over; None where nothing is under way."""
        return min((queue[0].known_at for queue in self._queues() if queue), default=None)

    @property
    def heard_out_at(self) -> float:
        """When every attempt has been waited for."""
        return self._left_last + self.expected if self.adaptive else -inf

    def waiting(self, sent_at: npt.NDArray[np.float64], known: Bools | bool, now: float) -> Bools:
        """Whether an answer to what was sent then may still come; `known` tells whose host gives answers."""
        waiting: Bools = sent_at + np.where(known, self.expected, self.whole) > now
        return waiting

    def lost(self) -> None:
        """Answers to all of these may have been lost in our own kernel."""
        for flight in chain(*self._queues()):
            flight.window.void = True

    def clear(self) -> None:
        for queue in self._queues():
            queue.clear()

    def __bool__(self) -> bool:
        return any(self._queues())

    def _queues(self) -> tuple[deque[Flight], ...]:
        return self._first, self._patient, self._hasty
