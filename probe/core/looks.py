"""The second look at closed ports: who sent the reset?

A Linux host's own reset carries the DSCP of the SYN that it answers (net/ipv4/tcp_ipv4.c, tcp_v4_send_reset); one made
by nftables' `reject with tcp reset`, wherever on the way, carries none (net/ipv4/netfilter/nf_reject_ipv4.c). So the
first attempt at every port is marked, and a port that was closed by a reset to a later one is asked once more, marked.
Later attempts are plain, so that whoever drops marked packets is found to answer others. Looks go out when nothing else
is waiting: they decide no state.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from probe.core.columns import I64
from probe.core.ledger import ECHOED, LOOK, LOOKED, OTHER, PLAIN, Ledger

ATTEMPTS = 2
_OVER = ECHOED | PLAIN | OTHER


class Looks:
    """A queue beside the scan's own. `wait` is how long an answer may take, in seconds."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._tries = np.zeros(ledger.block.slots, np.uint8)
        self._queue: deque[I64] = deque()
        self._flying: deque[tuple[float, I64]] = deque()

    def want(self, closed: I64) -> None:
        """These distinct slots were just closed by a reset; those that tell already are not asked."""
        closed = closed[self._ledger.look[closed] & _OVER == 0]
        if closed.size:
            self._queue.append(closed)

    def due(self, room: int) -> I64:
        """At most `room` tickets."""
        chosen: list[I64] = []
        while self._queue and room > 0:
            slots = self._queue.popleft()
            slots = slots[self._ledger.look[slots] & _OVER == 0]
            if slots.size > room:
                self._queue.appendleft(slots[room:])
            chosen.append(slots[:room] | LOOK)
            room -= chosen[-1].size
        return np.concatenate(chosen) if chosen else np.empty(0, np.int64)

    def sent(self, slots: I64, now: float, wait: float) -> None:
        if slots.size:
            self._ledger.look[slots] |= np.uint8(LOOKED)
            self._tries[slots] += 1
            self._flying.append((now + wait, slots))

    def on_time(self, now: float) -> None:
        while self._flying and self._flying[0][0] <= now:
            slots = self._flying.popleft()[1]
            self.want(slots[(self._ledger.look[slots] & _OVER == 0) & (self._tries[slots] < ATTEMPTS)])

    def next_time(self) -> float | None:
        """When a wait is over; None where nothing is under way."""
        return self._flying[0][0] if self._flying else None

    @property
    def waiting(self) -> bool:
        return bool(self._queue)

    def over(self) -> bool:
        """Whether no look is due and none under way is unanswered."""
        while self._flying and not (self._ledger.look[self._flying[0][1]] & _OVER == 0).any():
            self._flying.popleft()
        return not self._queue and not self._flying
