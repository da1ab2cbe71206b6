"""Control probes: ports that answered are asked again among the others, and what becomes of that is written down.

They are sent where the scan sends (companions), so that they share its fate; and on their own (envoys) to a host that
has gone silent, or as the last word before the silence of its other ports is believed. Only companions count for the
loss at the scan's rate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64
from probe.core.govern import Governor
from probe.core.hosts import CLASSES, SYN_ACK, Hosts
from probe.core.keyed import Lots, key_from_seed
from probe.core.ledger import CONTROL, tsval
from probe.core.loss import Losses, Window

SHARE = 1 / 16  # control probes per class and probe
SWEEP = 8  # at least so many per class while all open questions are asked once
TRYING = 1 / 2  # while the rate is on trial
MOST = 64  # at once
# Per canary, the latter per second: a port may have a limit of its own, which must not be taken for the path's.
BURST, REFILL = 8.0, 10.0


U32 = npt.NDArray[np.uint32]


class Trial:
    """One control probe under way."""

    __slots__ = ("expiry", "governor", "hit", "kind", "left_at", "regime", "row", "slot", "void", "window")

    def __init__(self, slot: int, row: int, kind: int, window: Window | None, governor: Governor | None) -> None:
        self.slot, self.row, self.kind, self.window, self.governor = slot, row, kind, window, governor
        self.regime = governor.regime if governor else -1
        self.left_at = self.expiry = 0.0
        self.hit: bool | None = None
        self.void = False


class Controls:
    """Which canaries to ask, and what came of it. `totals` is added to, as in `Losses`."""

    def __init__(self, hosts: Hosts, width: int, seed: int, totals: list[list[int]]) -> None:
        self.hosts, self.losses = hosts, Losses(hosts, totals)
        # Whether our own connections may keep this open port from answering.
        self.busy: Callable[[int], bool] = lambda _slot: False
        self._width = width
        self._lots = Lots(key_from_seed(seed, "controls"))
        self._debt = 0.0
        self._turn = 0
        self._near: I64 = np.empty(0, np.int64)
        self._trials: deque[Trial] = deque()
        self._by_slot: dict[int, deque[Trial]] = {}
        self._waiting = np.zeros(len(hosts.gives) * width, np.bool_)  # one bool per slot: it is in `_by_slot`
        self._kinds: dict[int, int] = {}
        self._fastest = float("inf")
        self._tokens: dict[int, tuple[float, float]] = {}

    # --- choosing ------------------------------------------------------------------------------------------------

    def companions(self, room: int, now: float) -> I64:
        """Control probes that are owed to the traffic of late, as tickets; at most `room`."""
        near = self._near[self.hosts.gives[self._near] != 0]
        count = min(int(self._debt), room, MOST) if near.size else 0
        self._debt = min(self._debt - count, MOST)
        if count <= 0:
            return np.empty(0, np.int64)
        rows = near[self._lots.draw(near.size, count)]
        slots = [self._canary(row) for row in rows.tolist()]
        return self._tickets([slot for slot in slots if self._may_ask(slot, now)])

    def mingle(self, companions: I64, others: I64) -> I64:
        """All of them, the companions anywhere: whoever goes first in a burst finds a policer rested."""
        if not companions.size or not others.size:
            return np.concatenate([others, companions])
        places = self._lots.draw(others.size + 1, companions.size)
        return np.insert(others, places, companions)

    def accompany(self, slots: I64, unsettled: int, trying: bool) -> None:
        """These probes leave now: the hosts among them that have canaries get some of the company."""
        rows = slots // self._width
        near = rows[self.hosts.gives[rows] != 0]
        if near.size:
            self._near = near
            classes = 2 if np.bitwise_or.reduce(self.hosts.gives[near]) == 3 else 1
            share = max(SHARE, SWEEP / max(1, unsettled), TRYING if trying else 0.0)
            self._debt += near.size * min(share, 4.0) * classes

    def envoys(self, row: int) -> I64:
        """One control probe of each class that the host gives, as tickets."""
        kinds = [kind for kind in CLASSES if self.hosts.gives[row] >> kind & 1]
        return self._tickets([self._canary(row, kind) for kind in kinds])

    def _canary(self, row: int, kind: int | None = None) -> int:
        self._turn += 1
        if kind is None:
            kinds = [kind for kind in CLASSES if self.hosts.gives[row] >> kind & 1]
            kind = kinds[self._turn % len(kinds)]
        slot = self.hosts.canary(row, kind, self._turn // 2)
        self._kinds[slot] = kind
        return slot

    def _may_ask(self, slot: int, now: float) -> bool:
        tokens, last = self._tokens.get(slot, (BURST, now))
        tokens = min(BURST, tokens + (now - last) * REFILL)
        allowed = tokens >= 1
        self._tokens[slot] = (tokens - allowed, now)
        return allowed

    def _tickets(self, slots: list[int]) -> I64:
        return np.array(slots, np.int64) | CONTROL

    def asks(self, slot: int) -> bool:
        """Whether a control probe to this port is under way."""
        return slot in self._by_slot

    # --- what becomes of them ------------------------------------------------------------------------------------

    def sent(
        self, slots: I64, now: float, wait: float, window: Window | None = None, governor: Governor | None = None
    ) -> None:
        """These control probes left, and have `wait` seconds; as company in `window`, at the rate of `governor`, or
        on their own."""
        for slot in slots.tolist():
            kind = self._kinds[slot]
            trial = Trial(slot, slot // self._width, kind, window, governor)
            trial.left_at, trial.expiry = now, now + wait
            self._trials.append(trial)
            self._by_slot.setdefault(slot, deque()).append(trial)
            self._waiting[slot] = True
            if window:
                window.trials[kind] += 1
                window.unresolved += 1
                window.ripe = max(window.ripe, trial.expiry)

    def heard(self, kind: int, slots: I64, echoes: U32, now: float) -> list[Trial]:
        """Answers of this class came from these slots; the trials that they end. A canary that turned is withdrawn.

        `echoes` are the timestamps that they answer, 0 where they do not say.
        """
        ended: list[Trial] = []
        asked = np.flatnonzero(self._waiting[slots])
        for slot, echo in zip(slots[asked].tolist(), echoes[asked].tolist(), strict=True):
            waiting = self._by_slot.get(slot)
            if not waiting:  # the same answer twice in one batch
                continue
            if self._kinds[slot] != kind:
                self._withdraw(slot, waiting)
            else:
                trial = _answered(waiting, echo, self._fastest, now)
                self._fastest = min(self._fastest, now - trial.left_at)
                ended.append(self._end(trial, hit=True))
        return ended

    def resolve(self, now: float) -> list[Trial]:
        """The trials whose outcome is known, in the order in which they left: hits are known sooner than misses, and
        whoever counted them as they come would think too well of the path."""
        resolved = []
        while self._trials and (self._trials[0].hit is not None or self._trials[0].expiry <= now):
            trial = self._trials.popleft()
            if trial.hit is None and trial.kind == SYN_ACK and self.busy(trial.slot):
                self._withdraw(trial.slot, self._by_slot[trial.slot])
            resolved.append(trial if trial.hit is not None else self._end(trial, hit=False))
        return [trial for trial in resolved if not trial.void]

    def next_expiry(self) -> float | None:
        return self._trials[0].expiry if self._trials else None

    def _withdraw(self, slot: int, waiting: deque[Trial]) -> None:
        self.hosts.withdraw(self._kinds[slot], slot)
        for trial in waiting:
            trial.hit, trial.void = False, True
            if trial.window:
                trial.window.forget(trial.kind)
        self._forget(slot)

    def _forget(self, slot: int) -> None:
        del self._by_slot[slot]
        self._waiting[slot] = False

    def _end(self, trial: Trial, *, hit: bool) -> Trial:
        waiting = self._by_slot[trial.slot]
        waiting.remove(trial)
        trial.hit = hit
        if not waiting:
            self._forget(trial.slot)
        if hit:
            self.hosts.hit(trial.row, trial.kind, trial.left_at)
        else:
            self.hosts.miss(trial.row, trial.kind)
        if trial.window:
            self.losses.enter(trial.window, trial.kind, hit)
        return trial


def _answered(waiting: deque[Trial], echo: int, fastest: float, now: float) -> Trial:
    """Which of several control probes to one port an answer belongs to: the one whose timestamp it echoes, else the
    latest that has been under way long enough for the fastest answer seen."""
    for trial in reversed(waiting):
        if tsval(trial.left_at) == echo if echo else now - trial.left_at >= fastest / 2:
            return trial
    return waiting[0]
