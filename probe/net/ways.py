"""Which way each packet leaves: as a frame to a device, or by a raw IP socket.

A frame passes by the local firewall, IPsec, policy routing and traffic control unseen. So frames are sent only while
`rules` finds nothing there; that is watched at every batch, and until a change has been looked at, everything goes by
raw IP sockets. So do packets to this machine itself, into tunnels, and over links without Ethernet headers. The first
packet to a next hop goes that way too, and one a second later on: by it the kernel finds the link address, goes on
verifying it, and no packet but our probes is ever sent for that.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, Bytes, grouped
from probe.model import Address
from probe.net.hops import KERNEL, UNRESOLVED, Hops, Tables
from probe.net.intervals import keys_of
from probe.net.ipsend import IpSender, joined
from probe.net.netlink import neighbours
from probe.net.rules import Say, Watch, local_say
from probe.net.wire import Sent

FRESH = 1.0  # seconds until the neighbours are read again, and the kernel gets a packet for each of them
CALM = 0.05  # seconds between two looks at everything, however often something changes
WAIT, STEP = 0.005, 0.0003  # seconds that a batch waits for a link address; on a LAN an answer takes one step
REST = 0.1  # seconds before waiting again where it was in vain
PART = 4096  # packets
_SETTLED = -9  # a lane for packets that have left, or will not


class FrameSender(Protocol):
    """One way to hand frames to devices, at most `most` at once; see `probe.net.devices.Devices`."""

    most: int

    def send(self, interface: int, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]: ...

    def close(self) -> None: ...


class Ways:
    """Sends rows. Raises OSError where the right to look at the local rules, or to raw sockets, is missing."""

    def __init__(
        self, frames: FrameSender, between: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`between` is called after every PART packets, so that answers need not wait for the end of a long batch."""
        self._frames, self._between, self._clock = frames, between, clock
        self._watch = Watch()
        try:
            self._ip = IpSender()
        except BaseException:
            self._watch.close()
            raise
        self._changed, self._looked, self._read, self._wait_from = True, -CALM, 0.0, 0.0
        self.say = Say(None, frozenset())
        self._tables: Tables | None = None
        self._hops: dict[int, Hops] = {}
        self._met: dict[int, set[int]] = {}
        self._look()

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        """Send the packets of one family. EAGAIN: the next hop's link address is still being looked for."""
        parts = []
        for at in range(0, len(rows), PART):
            parts.append(self._send(rows[at : at + PART]).failed)
            self._between()
        return joined(parts, PART)

    def _send(self, rows: npt.NDArray[np.void]) -> Sent:
        try:
            self._look()
            if self._changed or self.say.why:
                return self._ip.send(rows)
            batch = _Batch(rows)
            self._sort(batch)
            self._by_kernel(batch, batch.on(KERNEL))
            self._by_frame(batch)
            return batch.sent()
        except OSError:  # the kernel's tables cannot be read just now; what has left leaves twice, as a SYN may
            return self._ip.send(rows)

    def _sort(self, batch: _Batch) -> None:
        """Find each packet's way. Raises OSError."""
        batch.lanes = self._hops[batch.version].find(batch.keys)
        if batch.on(UNRESOLVED).size:
            self._resolve(batch)
        self._introduce(batch)

    def _resolve(self, batch: _Batch) -> None:
        """Send one packet to each next hop whose link address is not known, and see if that is answered at once."""
        rows = batch.on(UNRESOLVED)
        self._by_kernel(batch, rows[self._hops[batch.version].heads(batch.keys[rows])])
        if batch.on(UNRESOLVED).size and self._wait(self._hops[batch.version].waiting):
            left = np.flatnonzero(batch.lanes != _SETTLED)
            batch.lanes[left] = self._hops[batch.version].find(batch.keys[left])
        batch.settle({errno.EAGAIN: batch.on(UNRESOLVED)})

    def _wait(self, hops: set[tuple[int, Address]]) -> bool:
        """Whether one of these next hops answered within a moment; the tables are then new."""
        begin = self._clock()
        answered = False
        while not answered and begin >= self._wait_from and self._clock() - begin < WAIT:
            time.sleep(STEP)
            table = neighbours()
            answered = any(key in table and table[key].usable for key in hops)
        if answered and self._tables:
            self._enter(self._tables.later())
        elif begin >= self._wait_from:
            self._wait_from = self._clock() + REST
        return answered

    def _introduce(self, batch: _Batch) -> None:
        """Leave to the kernel one packet to each next hop that it has not had one for lately."""
        met = self._met[batch.version]
        used = np.flatnonzero(np.bincount(batch.lanes[batch.lanes >= 0])).tolist()
        if not met.issuperset(used):
            first = grouped(batch.lanes)[0]
            lanes = batch.lanes[first].tolist()
            batch.lanes[[row for lane, row in zip(lanes, first, strict=True) if lane >= 0 and lane not in met]] = KERNEL
            met.update(used)

    def _by_kernel(self, batch: _Batch, rows: I64) -> None:
        if rows.size:
            batch.settle({code: rows[part] for code, part in self._ip.send(batch.rows[rows]).failed.items()}, rows)

    def _by_frame(self, batch: _Batch) -> None:
        hops, framed = self._hops[batch.version], np.flatnonzero(batch.lanes >= 0)
        interfaces = np.array([hop.interface for hop in hops.hops], np.int64)[batch.lanes[framed]]
        for interface in np.flatnonzero(np.bincount(interfaces)).tolist():
            out = framed[interfaces == interface]
            for part in (out[at : at + self._frames.most] for at in range(0, len(out), self._frames.most)):
                headers = hops.headers[batch.lanes[part]] if len(hops.hops) > 1 else hops.headers[0]
                failed = self._frames.send(interface, headers, _taken(batch.rows, part))
                batch.settle({code: part[rows] for code, rows in failed.items()})

    def _look(self) -> None:
        """Notices what changed on this machine. Raises OSError."""
        now = self._clock()
        self._changed |= self._watch.heard()
        if self._changed and now - self._looked >= CALM:
            self._looked, self._changed = now, False
            self.say = local_say()
            self._enter(Tables.now(self._tables))
        elif self._tables and now - self._read >= FRESH:
            self._enter(self._tables.later())

    def _enter(self, tables: Tables) -> None:
        self._tables, self._read = tables, self._clock()
        self._hops = {version: Hops(version, tables, self.say.closed) for version in (4, 6)}
        self._met = {version: set() for version in (4, 6)}

    def close(self) -> None:
        """Twice is once."""
        self._watch.close()
        self._ip.close()
        self._frames.close()


class _Batch:
    """Packets on their way: the lane of each (a hop, or one of the special values), and those that failed."""

    def __init__(self, rows: npt.NDArray[np.void]) -> None:
        self.rows, self.keys = rows, keys_of(rows)
        self.version = 4 if rows["destination"].ndim == 1 else 6
        self.lanes: I64 = np.zeros(0, np.int64)
        self._failed: dict[int, list[I64]] = {}

    def on(self, lane: int) -> I64:
        return np.flatnonzero(self.lanes == lane)

    def settle(self, failed: dict[int, I64], rows: I64 | None = None) -> None:
        """Nothing more is to be done for `rows`, nor for those that failed."""
        for code, some in failed.items():
            self._failed.setdefault(code, []).append(some)
            self.lanes[some] = _SETTLED
        if rows is not None:
            self.lanes[rows] = _SETTLED

    def sent(self) -> Sent:
        return Sent({code: np.concatenate(rows) for code, rows in self._failed.items() if sum(map(len, rows))})


def _taken(rows: npt.NDArray[np.void], chosen: I64) -> npt.NDArray[np.void]:
    """The chosen rows, which ascend; without a copy where none is left out between."""
    first, last = int(chosen[0]), int(chosen[-1])
    return rows[first : last + 1] if last - first + 1 == len(chosen) else rows[chosen]
