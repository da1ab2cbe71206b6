"""Attempts under way, and how long each is waited for.

Every queue is sorted by itself, because whoever left later waits no less: no heap, no timer per probe. Who asks for a
timeout gets it, and more where the round trip takes longer. Where nobody does (`adaptive`), a host that answers is
asked again after a pause of two round trips, and heard out for some more at the end; one that has said nothing gets the
whole timeout for each attempt, because nothing is known of how far it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from probe.core.columns import I64, Bools
from probe.core.loss import Window

HASTE = 0.25  # seconds at least for an answer that is expected
# The same where no timeout was asked for, and the least pause between two attempts. Answers that come later still count
# while the scan lasts.
ADAPTED, PAUSE = 0.1, 0.025
LONGEST = 4  # timeouts: the most that a slow answer extends them to, for whoever answers may be slow on purpose


@dataclass(frozen=True, slots=True)
class Flight:
    """Attempts that left together at `left_at`, in `window`; at `expiry` they have been waited for."""

    expiry: float
    slots: I64
    window: Window
    left_at: float

    def over(self, now: float) -> bool:
        """The wait is over, and it is known what became of the control probes that left with it."""
        return self.known_at <= now

    @property
    def known_at(self) -> float:
        return max(self.expiry, self.window.ripe) if self.window.unresolved else self.expiry


@dataclass
class Flights:
    """`timeout` is in seconds. `longest_rtt` is kept by who sees answers."""

    timeout: float
    adaptive: bool = False
    longest_rtt: float = 0.0
    _first: deque[Flight] = field(default_factory=deque)  # until the pause is over, where no timeout was asked for
    _patient: deque[Flight] = field(default_factory=deque)
    _hasty: deque[Flight] = field(default_factory=deque)  # attempts beyond those that were asked for

    @property
    def whole(self) -> float:
        """Seconds for an answer of which nothing is known."""
        return max(self.timeout, min(LONGEST * self.timeout, 1.5 * self.longest_rtt))

    @property
    def expected(self) -> float:
        """Seconds for an answer where one is expected, by the longest that it took so far."""
        return min(self.whole, max(ADAPTED if self.adaptive else HASTE, 4 * self.longest_rtt))

    @property
    def pause(self) -> float:
        """Seconds from one attempt to the next at a host that answers, where no timeout was asked for."""
        return min(self.expected, max(PAUSE, 2 * self.longest_rtt))

    def sent(self, slots: I64, extra: Bools, window: Window, now: float) -> None:
        """These left now; `extra` are those beyond the attempts that were asked for."""
        if self.adaptive:
            self._first.append(Flight(now + self.pause, slots, window, now))
            return
        for queue, chosen, wait in (
            (self._patient, slots[~extra], self.whole),
            (self._hasty, slots[extra], self.expected),
        ):
            if chosen.size:
                queue.append(Flight(now + wait, chosen, window, now))

    def over(self, now: float, answers: Callable[[I64], Bools]) -> Iterator[tuple[I64, Window]]:
        """Attempts whose wait is over. `answers` tells of slots whether their host gives answers."""
        while self._first and self._first[0].over(now):
            flight = self._first.popleft()
            heard = answers(flight.slots)
            if heard.any():
                yield flight.slots[heard], flight.window
            if not heard.all():
                rest = flight.slots[~heard]
                self._patient.append(Flight(flight.left_at + self.whole, rest, flight.window, flight.left_at))
        for queue in (self._patient, self._hasty):
            while queue and queue[0].over(now):
                flight = queue.popleft()
                yield flight.slots, flight.window

    def next_time(self) -> float | None:
        """When the next wait is over; None where nothing is under way."""
        return min((queue[0].known_at for queue in self._queues() if queue), default=None)

    def heard_out(self) -> float:
        """How long after the last attempt answers must still be waited for, seconds."""
        return self.expected if self.adaptive else 0.0

    def lost(self) -> None:
        """Answers to all of these may have been lost in our own kernel."""
        for flight in chain(*self._queues()):
            flight.window.void = True

    def waiting(self, slots: int) -> Bools:
        """One bool per slot: the wait of its latest attempt is not over, so its silence says nothing yet."""
        waiting = np.zeros(slots, np.bool_)
        for flight in chain(*self._queues()):
            waiting[flight.slots] = True
        return waiting

    def clear(self) -> None:
        for queue in self._queues():
            queue.clear()

    def __bool__(self) -> bool:
        return any(self._queues())

    def _queues(self) -> tuple[deque[Flight], ...]:
        return self._first, self._patient, self._hasty
