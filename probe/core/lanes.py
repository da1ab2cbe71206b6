"""Hosts that need a pace of their own: those behind a limit that others do not meet, and those that have gone silent.

A host whose canaries all fall silent is dark: it gets no probe but an envoy now and then, until it answers again or
patience ends. Probing on would only ask the dark; the questions wait in its lane.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from probe.core.columns import I64, distinct
from probe.core.govern import Governor
from probe.core.hosts import Hosts
from probe.core.pace import Pace

RUN = 8  # control probes in a row, unanswered, that make a host dark
ENVOY = 0.25  # seconds from one envoy to the next


class Lane:
    """The questions of one host that wait. `governor` is None where only darkness holds them back."""

    def __init__(self, row: int) -> None:
        self.row = row
        self.queue: deque[I64] = deque()
        self.governor: Governor | None = None
        self._pace: Pace | None = None
        self.dark_until: float | None = None
        self._next_envoy = 0.0

    def govern(self, rate: float, ceiling: float, now: float) -> None:
        """From now on this host has a rate of its own, packets per second."""
        self.governor = Governor(ceiling)
        self.governor.rate = rate
        self._pace = Pace(rate, now)

    def darken(self, now: float, patience: float) -> None:
        self.dark_until = now + patience
        self._next_envoy = now

    def put(self, slots: I64) -> None:
        if slots.size:
            self.queue.append(slots)

    def take(self, now: float, room: int) -> I64:
        """Slots that may be asked now; none while it is dark."""
        if self.dark_until is not None:
            return np.empty(0, np.int64)
        if self._pace and self.governor:
            self._pace.limit(self.governor.rate)
            room = min(room, self._pace.budget(now))
        taken: list[I64] = []
        while self.queue and room > 0:
            slots = self.queue.popleft()
            if slots.size > room:
                self.queue.appendleft(slots[room:])
            taken.append(slots[:room])
            room -= taken[-1].size
        return np.concatenate(taken) if taken else np.empty(0, np.int64)

    def spend(self, packets: int, now: float) -> None:
        if self._pace and self.governor:
            self._pace.spend(packets)
            self.governor.sent(packets, now)

    def wants_envoy(self, now: float) -> bool:
        """Whether the dark should be asked; if so, the next time is set."""
        if self.dark_until is None or now < self._next_envoy:
            return False
        self._next_envoy = now + ENVOY
        return True

    def next_time(self, now: float) -> float | None:
        """When this lane wants to be asked again; None where nothing waits in it."""
        if self.dark_until is not None:
            return min(self._next_envoy, self.dark_until)
        if self.queue:
            return self._pace.next_packet(now) if self._pace else now
        return None


class Lanes:
    """All lanes of a block; `special` marks their rows, `given_up` those whose darkness outlasted `patience` (s)."""

    def __init__(self, hosts: Hosts, patience: float) -> None:
        self._hosts, self._patience = hosts, patience
        rows = len(hosts.gives)
        self.special = np.zeros(rows, np.bool_)
        self.given_up = np.zeros(rows, np.bool_)
        self.by_row: dict[int, Lane] = {}

    def divert(self, slots: I64, rows: I64) -> I64:
        """Put the questions to special hosts into their lanes; the others come back."""
        apart = self.special[rows]
        if apart.any():
            for row in distinct(rows[apart]).tolist():
                self.by_row[row].put(slots[rows == row])
        return slots[~(apart | self.given_up[rows])]

    def darken(self, row: int, now: float) -> None:
        """All canaries of this host are silent."""
        lane = self._lane(row)
        if lane.dark_until is None and not self.given_up[row]:
            lane.darken(now, self._patience)

    def lighten(self, row: int) -> bool:
        """One of them answered. Whether the host was dark."""
        lane = self.by_row.get(row)
        if lane is None or lane.dark_until is None:
            return False
        lane.dark_until = None
        return True

    def slow(self, row: int, rate: float, ceiling: float, now: float) -> None:
        """This host alone loses much: give it a rate of its own."""
        lane = self._lane(row)
        if lane.governor is None:
            lane.govern(rate, ceiling, now)

    def governor(self, row: int) -> Governor | None:
        lane = self.by_row.get(row)
        return lane.governor if lane else None

    @property
    def busy(self) -> bool:
        """Whether something waits in a lane, or somebody's darkness is not over."""
        return any(lane.queue or lane.dark_until is not None for lane in self.by_row.values())

    def _lane(self, row: int) -> Lane:
        if row not in self.by_row:
            self.by_row[row] = Lane(row)
            self.special[row] = True
        return self.by_row[row]

    def on_time(self, now: float) -> list[I64]:
        """Hosts whose darkness lasts too long are given up; what waited for them comes back and will not be asked.
        What waits for a host that is bright and has no rate of its own comes back to be asked."""
        back: list[I64] = []
        for row, lane in list(self.by_row.items()):
            if lane.dark_until is not None and now >= lane.dark_until:
                self.given_up[row] = True
                lane.queue.clear()
            elif lane.dark_until is None and lane.governor is None:
                back.extend(lane.queue)
            else:
                continue
            del self.by_row[row]
            self.special[row] = False
        return back

    def envoys_to(self, now: float) -> list[int]:
        """The dark hosts that should be asked now."""
        return [row for row, lane in self.by_row.items() if lane.wants_envoy(now)]

    def take(self, now: float, room: int) -> I64:
        """Slots of slow hosts that may be asked now, at most `room`."""
        taken: list[I64] = []
        for lane in self.by_row.values():
            if room <= 0:
                break
            slots = lane.take(now, room)
            lane.spend(slots.size, now)
            taken.append(slots)
            room -= slots.size
        return np.concatenate(taken) if taken else np.empty(0, np.int64)

    def next_time(self, now: float) -> float | None:
        times = [time for lane in self.by_row.values() if (time := lane.next_time(now)) is not None]
        return min(times, default=None)
