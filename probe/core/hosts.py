"""What each address has shown so far: which kinds of answer it gives, ports that gave them, how many it still owes.

A canary is a port that answered: asked again, it must answer again, and if it does not, silence elsewhere on that host
proves nothing. Answers come in two classes, SYN-ACKs and resets, because hosts and firewalls limit them apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from probe.core.block import Block
from probe.core.columns import I64, Bools, grouped

SYN_ACK, RESET = 0, 1
CLASSES = (SYN_ACK, RESET)
CANARIES = 4  # per host and class; a few, so that none of them is asked all the time
MEMORY = 16  # recent control probes that are remembered of a host

Floats = npt.NDArray[np.float64]


class Hosts:
    """Columns by address row; the second index is the class. Some 50 bytes an address."""

    def __init__(self, block: Block) -> None:
        rows = len(block.high)
        self._width = len(block.ports)
        self.unsettled = np.full(rows, self._width, np.int32)
        self.gives = np.zeros(rows, np.uint8)  # bit n: answers of class n came
        self.trials = np.zeros((rows, 2), np.uint8)
        self.misses = np.zeros((rows, 2), np.uint8)
        self.silent_run = np.zeros(rows, np.uint8)  # control probes missed in a row
        self.last_good = np.full((rows, 2), -np.inf)  # when the latest control probe left that was answered
        self._canaries = np.zeros((rows, 2, CANARIES), np.uint16)  # port column + 1; 0 is none

    def settled(self, slots: I64) -> None:
        """These owe nothing any more."""
        np.subtract.at(self.unsettled, slots // self._width, 1)

    def answered(self, kind: int, slots: I64) -> None:
        """Distinct slots that gave an answer of this class; some become canaries."""
        rows, columns = np.divmod(slots, self._width)
        self.gives[rows] |= np.uint8(1 << kind)
        lacking = self._canaries[rows, kind, -1] == 0
        rows, columns = rows[lacking], columns[lacking]
        for place in range(CANARIES):
            if not rows.size:
                return
            empty = np.flatnonzero(self._canaries[rows, kind, place] == 0)
            chosen = empty[grouped(rows[empty])[0]]
            self._canaries[rows[chosen], kind, place] = columns[chosen] + 1
            left = np.ones(rows.size, np.bool_)
            left[chosen] = False
            rows, columns = rows[left], columns[left]

    def withdraw(self, kind: int, slot: int) -> None:
        """This canary gave an answer of the other class as well: it witnesses nothing."""
        row, column = divmod(slot, self._width)
        places = self._canaries[row, kind]
        left = places[(places != 0) & (places != column + 1)]
        places[:] = 0
        places[: left.size] = left
        if not left.size:
            self.gives[row] &= np.uint8(0xFF ^ (1 << kind))

    def canary(self, row: int, kind: int, turn: int) -> int:
        """A slot of this host that answered in this class; they take turns."""
        places = self._canaries[row, kind]
        places = places[places != 0]
        return int(row * self._width + int(places[turn % len(places)]) - 1)

    def gives_class(self, rows: I64, kind: int) -> Bools:
        given: Bools = (self.gives[rows] >> np.uint8(kind) & np.uint8(1)).astype(np.bool_)
        return given

    def hit(self, row: int, kind: int, left_at: float) -> None:
        """A control probe that left at `left_at` was answered."""
        self._count(row, kind)
        self.silent_run[row] = 0
        self.last_good[row, kind] = max(self.last_good[row, kind], left_at)

    def miss(self, row: int, kind: int) -> None:
        """One was not."""
        self._count(row, kind)
        self.misses[row, kind] += 1
        self.silent_run[row] = min(250, int(self.silent_run[row]) + 1)

    def _count(self, row: int, kind: int) -> None:
        if self.trials[row, kind] >= MEMORY:
            self.trials[row, kind] //= 2
            self.misses[row, kind] //= 2
        self.trials[row, kind] += 1

    def witnessed_until(self, rows: I64) -> Floats:
        """Until when silence of each host counts: in every class that it gives, a later control probe was answered.

        Infinite where it gives none, because nobody could be a witness.
        """
        until = np.full(rows.size, np.inf)
        for kind in CLASSES:
            given = self.gives_class(rows, kind)
            until[given] = np.minimum(until[given], self.last_good[rows[given], kind])
        return until
