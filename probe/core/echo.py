"""A control for our mark: how does this host's own reset sound?

Where no closed port sent our mark back, it may be that the host never does, or that all its closed ports are rejected.
A marked ACK to an open port tells: no rule of the firewall's rejects that, and no connection has it, so the host itself
resets it (RFC 9293 section 3.10.7.2), with our acknowledgement as its sequence number.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, grouped
from probe.core.frames import Stamp
from probe.core.ledger import ANSWERED, ECHOED, MARK, PLAIN, RESET_SEEN, SYN_ACK_SEEN, Counters, Ledger, tsval
from probe.core.replies import ACK, RST, Batch, parse

ATTEMPTS = 2
NOTHING: I64 = np.empty(0, np.int64)


class EchoControl:
    """A driver (see `driver`) after the scan: one open port of each host that leaves it open. `ttls` has, by address
    row, the received TTLs of resets that sent our mark back."""

    plenty = False

    def __init__(self, ledger: Ledger, wait: float, rate: float) -> None:
        self._ledger, self._wait, self._rate = ledger, wait, rate
        self.counters: Counters = ledger.counters
        self.ttls: dict[int, frozenset[int]] = {}
        self._open = _open_ports_in_doubt(ledger)
        self._heard = np.zeros(self._open.size, np.bool_)
        self._round = 0
        self._queue: I64 = self._open
        self._flying: deque[float] = deque()

    @property
    def rate(self) -> float:
        return self._rate

    def lost(self, now: float) -> None:
        """Then this is not known."""

    @property
    def done(self) -> bool:
        return bool(self._heard.all()) or (not self._queue.size and not self._flying)

    def due(self, now: float, budget: int) -> I64:
        self.on_time(now)
        chosen, self._queue = self._queue[:budget], self._queue[budget:]
        return chosen

    def frames(self, slots: I64, now: float) -> list[tuple[I64, npt.NDArray[np.void]]]:
        block, local = self._ledger.block, self._ledger.local

        def stamp(chosen: I64) -> Stamp:
            rows = block.address_rows(chosen)
            return Stamp(
                source=(local.high[rows], local.low[rows]),
                destination=(block.high[rows], block.low[rows]),
                sport=local.port,
                dport=block.port_numbers(chosen),
                seq=self._ledger.cookies(chosen),
                tsval=tsval(now),
                tos=np.full(chosen.size, MARK, np.uint8),
                ack=self._ledger.look_cookies(chosen),
            )

        return self._ledger.by_family(slots, stamp)

    def sent(self, slots: I64, now: float) -> None:
        if slots.size:
            self.counters.sent += slots.size
            self._flying.append(now + self._wait)

    def failed(self, slots: I64, errno: int, now: float) -> None:
        """Then this is not known."""

    def receive(self, batch: Batch, now: float) -> I64:
        replies = parse(batch).tcp
        slots = self._ledger.own_slots(replies.source, replies.destination, replies.sport, replies.dport)
        place = np.searchsorted(self._open, slots)
        place[place == self._open.size] = 0
        ours = (slots >= 0) & (replies.flags & (RST | ACK) == RST) & (self._open[place] == slots)
        ours[ours] = replies.seq[ours] == self._ledger.look_cookies(slots[ours])
        for row in np.flatnonzero(ours).tolist():
            self._heard[place[row]] = True
            if replies.tos[row] & 0xFC == MARK:
                host = int(self._ledger.block.address_rows(slots[row : row + 1])[0])
                self.ttls[host] = self.ttls.get(host, frozenset()) | {int(replies.ttl[row])}
        return NOTHING

    def on_time(self, now: float) -> None:
        while self._flying and self._flying[0] <= now:
            self._flying.popleft()
        if not self._flying and not self._queue.size and self._round + 1 < ATTEMPTS:
            self._round += 1
            self._queue = self._open[~self._heard]

    def next_deadline(self) -> float | None:
        return None if self._queue.size or not self._flying else self._flying[0]


def _open_ports_in_doubt(ledger: Ledger) -> I64:
    """One open slot of each host on which a reset came back without our mark and none with it, ascending."""
    rows = ledger.block.address_rows(np.arange(ledger.block.slots))
    count = len(ledger.block.high)
    closed = (ledger.seen & ANSWERED == RESET_SEEN) & (ledger.look != 0)

    def hosts(slots: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = np.bincount(rows[slots], minlength=count) > 0
        return found

    doubtful = hosts(closed & (ledger.look & PLAIN != 0)) & ~hosts(closed & (ledger.look & ECHOED != 0))
    is_open = np.flatnonzero((ledger.seen & ANSWERED == SYN_ACK_SEEN) & doubtful[rows])
    chosen: I64 = is_open[grouped(rows[is_open])[0]]
    return chosen
