"""Silence beside prohibitions: dropped, or rejected by a router that has said it often enough?

Routers limit their ICMP errors (RFC 1812 section 4.3.2.8; Linux: one a second to each peer, six at once). So where some
ports of a host are prohibited, its silent ports are asked again in one burst, and a prohibited one right behind them:
if that is prohibited again, the router was free to speak, and would have spoken of the others too. Twice, because a
limit may end in the middle of a burst.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64
from probe.core.ledger import ICMP_HARD, Ledger
from probe.core.queues import NOTHING
from probe.core.replies import Batch

ROUNDS = 8
BURST = 256  # silent ports at once; if more are silent, each burst takes others
REST = 1.1  # seconds, so that a limit of one a second has room again
GOOD = 2


class Prohibitions:
    """A driver (see `driver`) after the scan. `doubtful` are the address rows whose silence it could not tell."""

    plenty = False

    def __init__(self, ledger: Ledger, wait: float, rate: float) -> None:
        self._ledger, self._wait, self._rate = ledger, wait, rate
        self._good = dict.fromkeys(_rows_in_question(ledger), 0)
        self._canary: dict[int, int] = {}
        self._fresh: set[int] = set()
        self._answered: set[int] = set()
        self._round = 0
        self._queue = NOTHING
        self._next = 0.0  # when the next round begins
        self._judge_at: float | None = None

    @property
    def rate(self) -> float:
        return self._rate

    @property
    def done(self) -> bool:
        return self._judge_at is None and (not self._open_rows() or self._round >= ROUNDS)

    @property
    def doubtful(self) -> frozenset[int]:
        return frozenset(self._open_rows())

    def due(self, now: float, budget: int) -> I64:
        self.on_time(now)
        if not self._queue.size and self._judge_at is None and now >= self._next and not self.done:
            self._begin()
        chosen, self._queue = self._queue[:budget], self._queue[budget:]
        return chosen

    def _begin(self) -> None:
        self._round += 1
        self._answered, self._fresh = set(), set()
        parts = [NOTHING]
        for row in self._open_rows():
            silent, prohibited = self._slots(row)
            turn = self._round - 1
            some = np.roll(silent, -turn * BURST)[:BURST] if silent.size > BURST else silent
            self._canary[row] = int(prohibited[turn % prohibited.size])
            parts += [some, np.array([self._canary[row]])]
        self._queue = np.concatenate(parts)

    def frames(self, slots: I64, now: float) -> list[tuple[I64, npt.NDArray[np.void]]]:
        return self._ledger.frames(slots, now)

    def sent(self, slots: I64, now: float) -> None:
        if slots.size:
            self._ledger.counters.sent += slots.size
            if not self._queue.size:
                self._judge_at = now + self._wait

    def failed(self, slots: I64, errno: int, now: float) -> None:
        """Then this is not known."""
        if not self._queue.size:
            self._judge_at = now + self._wait

    def receive(self, batch: Batch, now: float) -> I64:
        opened = self._ledger.hear(batch, now).opened
        self._answered.update(self._ledger.prohibited)
        return opened

    def on_time(self, now: float) -> None:
        if self._judge_at is None or now < self._judge_at:
            return
        self._judge_at, resting = None, False
        for row in self._open_rows():
            canary = self._canary[row]
            news = any(slot != canary and slot // len(self._ledger.block.ports) == row for slot in self._answered)
            good = canary in self._answered and not news
            self._good[row] = self._good[row] + 1 if good else 0
            resting |= not good
        self._next = now + REST if resting else now

    def lost(self, now: float) -> None:
        """Then the canary may not be heard, and another round follows."""

    def next_deadline(self) -> float | None:
        if self._queue.size:
            return None
        return self._judge_at if self._judge_at is not None else self._next

    def _open_rows(self) -> list[int]:
        return [row for row, good in self._good.items() if good < GOOD and self._slots(row)[0].size]

    def _slots(self, row: int) -> tuple[I64, I64]:
        """The silent and the prohibited slots of a host."""
        width = len(self._ledger.block.ports)
        seen = self._ledger.seen[row * width : (row + 1) * width]
        return np.flatnonzero(seen == 0) + row * width, np.flatnonzero(seen == ICMP_HARD) + row * width


def _rows_in_question(ledger: Ledger) -> list[int]:
    width = len(ledger.block.ports)
    seen = ledger.seen.reshape(-1, width)
    rows: list[int] = np.flatnonzero((seen == ICMP_HARD).any(axis=1) & (seen == 0).any(axis=1)).tolist()
    return rows
