"""Sending by AF_XDP: slots of shared memory that frames are laid into, and rings that tell the kernel which to send.

Several threads may send from one queue, each by a socket with a ring of its own; the slots that have left come back by
one ring for all of them.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import threading
import time

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, U64, Bytes
from probe.net.hops import HEADER
from probe.net.ipsend import bytes_of
from probe.net.mmsg import SEND_TIMEOUT
from probe.net.xdpring import DESCRIPTOR, Ring, advance, libc

SLOT = 128  # bytes for a frame to send: an IPv6 SYN has 94


class Stock:
    """The slots of one memory: `slots` (n, SLOT) uint8, the first of them at `start`; `shares` outlets divide them."""

    def __init__(self, slots: Bytes, start: int, done: Ring, shares: int) -> None:
        self.slots, self._start, self._done = slots, start, done
        self._lock = threading.Lock()
        self._free: list[I64] = np.array_split(np.arange(len(slots)), shares)
        self._size = len(self._free[0])

    def take(self, share: int, most: int) -> I64:
        """Slots to lay frames into."""
        with self._lock:
            self._collect()
            taken, self._free[share] = self._free[share][:most], self._free[share][most:]
        return taken

    def give_back(self, share: int, slots: I64) -> None:
        """These were not sent."""
        with self._lock:
            self._free[share] = np.concatenate([self._free[share], slots])

    def collect(self) -> None:
        """Take back the slots of frames that have left."""
        with self._lock:
            self._collect()

    def _collect(self) -> None:
        count = self._done.filled()
        if not count:
            return
        addresses: U64 = self._done.entries[self._done.places(self._done.consumer, count)].astype(np.uint64)
        slots = (addresses.astype(np.int64) - self._start) // SLOT
        advance(self._done.consumer, count)
        for share, free in enumerate(self._free):
            self._free[share] = np.concatenate([free, slots[slots // self._size == share]])

    def addresses(self, slots: I64) -> U64:
        return (self._start + slots * SLOT).astype(np.uint64)


class Outlet:
    """One socket's ring to send by, for one thread at a time, and its share of the stock."""

    def __init__(self, sock: socket.socket, ring: Ring, stock: Stock, share: int) -> None:
        self.socket, self._tx, self._stock, self._share = sock, ring, stock, share

    def send(self, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        """Send packets behind their headers, (rows, HEADER) or (HEADER,); the rows that were not sent, by errno."""
        slots = self._stock.take(self._share, len(rows))
        count, size = len(slots), HEADER + rows.dtype.itemsize
        self._stock.slots[slots, :HEADER] = headers if headers.ndim == 1 else headers[:count]
        self._stock.slots[slots, HEADER:size] = bytes_of(rows[:count])
        entries = np.zeros(count, DESCRIPTOR)
        entries["address"], entries["length"] = self._stock.addresses(slots), size
        self._tx.entries[self._tx.places(self._tx.producer, count)] = entries
        advance(self._tx.producer, count)
        sent, failed = self._push(count)
        self._stock.give_back(self._share, slots[sent:])
        if sent < len(rows):
            failed.setdefault(errno.EAGAIN, []).extend(range(sent, len(rows)))
        return {code: np.array(lines, np.int64) for code, lines in failed.items()}

    def _push(self, count: int) -> tuple[int, dict[int, list[int]]]:
        """Have the kernel send what stands in the ring: how many it took, and those that it threw away."""
        thrown: dict[int, list[int]] = {}
        end = time.monotonic() + SEND_TIMEOUT
        while (left := self._tx.filled()) and time.monotonic() < end:
            if libc.sendto(self.socket.fileno(), None, 0, socket.MSG_DONTWAIT, None, 0) >= 0:
                continue
            code = ctypes.get_errno()
            if code == errno.EBUSY:  # the device dropped one, and it will not be tried again (xsk_generic_xmit)
                thrown.setdefault(errno.ENOBUFS, []).append(count - self._tx.filled() - 1)
            elif code not in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS):
                break
            elif left == self._tx.filled():
                self._stock.collect()  # a full device empties at its own speed; its completions free our send buffer
                time.sleep(0.0001)
        left = self._tx.filled()
        # Nobody but our own call reads this ring in copy mode: take back what is left.
        self._tx.producer[0] = self._tx.consumer[0]
        return count - left, thrown
