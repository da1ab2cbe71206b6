"""The last word before silence is believed: is it proof enough, and does the host still answer?

Called when nothing else is left to do. Questions whose silence does not weigh enough yet are asked again; hosts whose
canaries were not heard since the last question get envoys. A scan is over when neither is left to do.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from probe.core.columns import I64, Bools, belongs, distinct
from probe.core.ledger import ENVOY, SETTLED

if TYPE_CHECKING:
    from probe.core.scan import Scan

ENVOYS = 8  # to one host in vain, and its silence stays unknown


class Closing:
    """`over` once silence can be judged; `envoys` are the tickets to send first."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self.over = scan.confidence is None
        self.envoys: deque[I64] = deque()
        self._asked = np.zeros(len(scan.block.high), np.uint8)
        self._waiting = False
        self._pending = np.empty(0, np.int64)

    def step(self, now: float) -> None:
        """Queue what is still to be done, or find that nothing is."""
        if self.over or (self._waiting and self._scan.controls.next_expiry() is not None and not self._answered()):
            return
        silent = self.silent()
        rows = self._scan.block.address_rows(silent)
        short = ~self._scan.weighs_enough(silent, rows) & (self._scan.tries[silent] < self._scan.most_tries)
        if short.any():
            self._scan.ask_again(silent[short])
            return
        self._send_envoys(silent, rows)
        self.over = not self._waiting

    def silent(self) -> I64:
        """Slots without any answer, of hosts that do give answers and are not given up."""
        scan = self._scan
        silent = np.flatnonzero((scan.seen & SETTLED == 0) & (scan.tries > 0))
        rows = scan.block.address_rows(silent)
        judged: I64 = silent[(scan.hosts.gives[rows] != 0) & ~scan.lanes.given_up[rows]]
        return judged

    def witnessed(self, slots: I64, rows: I64) -> Bools:
        """Whether a later control probe of each class was answered."""
        heard: Bools = self._scan.sent_at[slots] <= self._scan.hosts.witnessed_until(rows)
        return heard

    def _send_envoys(self, silent: I64, rows: I64) -> None:
        lacking = distinct(rows[~self.witnessed(silent, rows)])
        lacking = lacking[self._asked[lacking] < ENVOYS]
        self._asked[lacking] += 1
        for row in lacking.tolist():
            self.envoys.append(self._scan.controls.envoys(row) | ENVOY)
        self._waiting = bool(lacking.size)
        self._pending = lacking

    def _answered(self) -> bool:
        """Whether every host that was asked has been heard, so that nothing need be waited out."""
        silent = self.silent()
        rows = self._scan.block.address_rows(silent)
        asked = belongs(rows, self._pending)
        return not self.envoys and bool(self.witnessed(silent[asked], rows[asked]).all())
