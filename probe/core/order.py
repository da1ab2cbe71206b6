"""In which order the fresh probes of a block leave: a vanguard of a few ports of every host, then all by the seed.

The vanguard is asked where servers usually are, so that hosts show early which answers they give; everything else then
leaves in the company of control probes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from probe.core.block import Block
from probe.core.columns import I64, belongs
from probe.core.keyed import Permutation, key_from_seed

VANGUARD = 16
HEAD_START = 0.1  # seconds that the others wait for the vanguard's answers


class Order:
    """Gives each slot once. `first` are port numbers that probably answer; None wants no vanguard."""

    def __init__(self, block: Block, seed: int, first: Sequence[int] | None) -> None:
        self._width, self._slots = len(block.ports), block.slots
        self._columns = np.empty(0, np.int64) if first is None else _vanguard(block, first)
        self._in_vanguard = np.zeros(self._width, np.bool_)
        self._in_vanguard[self._columns] = True
        self.vanguard = len(block.high) * len(self._columns)
        self._ahead = Permutation(self.vanguard, key_from_seed(seed, "vanguard"))
        self._rest = Permutation(self._slots, key_from_seed(seed, "order"))
        self._position = 0
        self._hold_until: float | None = None

    @property
    def left(self) -> bool:
        return self._position < self.vanguard + self._slots

    def finish(self) -> None:
        """Nothing more is wanted."""
        self._position = self.vanguard + self._slots

    @property
    def hold_until(self) -> float | None:
        """Until when the others wait at most; None where they do not."""
        return self._hold_until if self._position == self.vanguard else None

    def take(self, room: int, now: float) -> I64:
        """The next slots, at most `room`."""
        if self._position < self.vanguard:
            return self._take_ahead(room, now)
        start = self._position - self.vanguard
        slots = self._rest[start : start + room]
        self._position += slots.size
        return slots[~self._in_vanguard[slots % self._width]] if self.vanguard else slots

    def _take_ahead(self, room: int, now: float) -> I64:
        numbers = self._ahead[self._position : self._position + room]
        self._position += numbers.size
        self._hold_until = now + HEAD_START
        rows, places = np.divmod(numbers, len(self._columns))
        slots: I64 = rows * self._width + self._columns[places]
        return slots


def _vanguard(block: Block, first: Sequence[int]) -> I64:
    """Port columns; none where the ports are so few that a vanguard would be most of them."""
    width = len(block.ports)
    if width <= 4 * VANGUARD:
        return np.empty(0, np.int64)
    likely = np.flatnonzero(belongs(block.ports.astype(np.int64), np.array(list(first)[:VANGUARD], np.int64)))
    spread = np.linspace(0, width - 1, VANGUARD).astype(np.int64)
    columns = np.concatenate([likely, spread[~belongs(spread, likely)]])[:VANGUARD]
    return np.sort(columns)
