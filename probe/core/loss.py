"""How probable it is that an answer got lost, by control probes that left among the others, at the same rate.

The loss of answered ports says nothing (they are those that were not lost); control probes go to ports that are known
to answer. A window is a short stretch of sending, so that a burst which drowned in a queue is not whitewashed by the
calm after it; a regime is the time between two changes of the rate.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64
from probe.core.counters import estimate
from probe.core.hosts import CLASSES, Hosts

WINDOW = 0.05  # seconds
PRIOR = 2.0  # how many control probes the wider experience weighs
LEAST = 1e-4  # no network is better than this on the evidence of a few hundred packets

Floats = npt.NDArray[np.float64]


class Window:
    """The control probes of one stretch of sending. `void`: our own kernel lost packets then."""

    __slots__ = ("hits", "opened", "regime", "ripe", "trials", "unresolved", "void")

    def __init__(self, opened: float, regime: int) -> None:
        self.opened, self.regime, self.void = opened, regime, False
        self.trials, self.hits = [0, 0], [0, 0]
        self.unresolved = 0
        self.ripe = opened  # when the last control probe will be known to be lost

    def forget(self, kind: int) -> None:
        """A control probe that proves nothing after all."""
        self.trials[kind] -= 1
        self.unresolved -= 1


class Losses:
    """Misses and trials by regime, over all hosts of a block. `totals` is added to: [trials, misses] of each class."""

    def __init__(self, hosts: Hosts, totals: list[list[int]]) -> None:
        self._hosts, self.totals = hosts, totals
        self._regimes: defaultdict[int, list[list[int]]] = defaultdict(lambda: [[0, 0], [0, 0]])

    def enter(self, window: Window, kind: int, hit: bool) -> None:
        """A control probe of this window is resolved."""
        window.unresolved -= 1
        window.hits[kind] += hit
        for tally in (self._regimes[window.regime][kind], self.totals[kind]):
            tally[0] += 1
            tally[1] += not hit

    def p_miss(self, window: Window, rows: I64) -> Floats:
        """For each address row, the probability that a probe of this window to an answering port stayed unanswered.

        The worst of the classes that the host gives; 1 where it gives none, or where the window is void.
        """
        if window.void:
            return np.ones(rows.size)
        worst = np.zeros(rows.size)
        for kind in CLASSES:
            pool = self._pooled(window, kind)
            own = (self._hosts.misses[rows, kind] + PRIOR * pool) / (self._hosts.trials[rows, kind] + PRIOR)
            given = self._hosts.gives_class(rows, kind)
            worst = np.where(given, np.maximum(worst, np.maximum(pool, own)), worst)
        worst[worst == 0] = 1.0
        return np.clip(worst, LEAST, 1.0)

    def overall(self, kind: int) -> float | None:
        """The loss of this class in the whole run; None where there was no control probe."""
        return estimate(*self.totals[kind]) if self.totals[kind][0] else None

    def stands_out(self, row: int, kind: int) -> bool:
        """Whether this host loses much more than the others do."""
        trials, misses = int(self._hosts.trials[row, kind]), int(self._hosts.misses[row, kind])
        overall = self.overall(kind) or 0.0
        return len(self._hosts.gives) > 1 and trials >= 8 and misses > 4 + 2 * overall * trials

    def _pooled(self, window: Window, kind: int) -> float:
        trials, misses = self._regimes[window.regime][kind]
        regime = estimate(trials, misses)
        missed = window.trials[kind] - window.hits[kind]
        return max(regime, (missed + PRIOR * regime) / (window.trials[kind] + PRIOR))
