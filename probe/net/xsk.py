"""An AF_XDP socket (Documentation/networking/af_xdp.rst): memory shared with the kernel, and four rings to pass it on.

Copy mode: it works on any device. Frames to send are packed closely, several to a chunk; a received frame has a chunk
of its own. Indices only grow and wrap at 32 bits. The order of stores is that of x86, see `ebpf`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import socket
import struct
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, U64, Bytes
from probe.net.hops import HEADER
from probe.net.ipsend import bytes_of
from probe.net.mmsg import SEND_TIMEOUT

_AF_XDP, _SOL_XDP = 44, 283
_OFFSETS, _RX_RING, _TX_RING, _UMEM, _FILL, _COMPLETION, _STATISTICS, _TX_BUDGET = 1, 2, 3, 4, 5, 6, 7, 9
_AT = {_RX_RING: 0, _TX_RING: 0x80000000, _FILL: 0x100000000, _COMPLETION: 0x180000000}  # XDP_PGOFF_…
_COPY = 1 << 1
_SO_SNDBUFFORCE = 32

CHUNK = 2048
SLOT = 128  # bytes for a frame to send: an IPv6 SYN has 94
SENDING = 4096  # frames under way
_DESCRIPTOR = np.dtype([("address", np.uint64), ("length", np.uint32), ("options", np.uint32)])

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class _Ring:
    """`producer` and `consumer` are one number each, in memory shared with the kernel."""

    producer: npt.NDArray[np.uint32]
    consumer: npt.NDArray[np.uint32]
    entries: npt.NDArray[np.generic]

    def filled(self) -> int:
        return (int(self.producer[0]) - int(self.consumer[0])) & 0xFFFFFFFF

    def places(self, index: npt.NDArray[np.uint32], count: int) -> I64:
        """Where the next `count` entries from an index on stand."""
        return (int(index[0]) + np.arange(count)) & (len(self.entries) - 1)


def _advance(index: npt.NDArray[np.uint32], count: int) -> None:
    index[0] = (int(index[0]) + count) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Received:
    """Frames as they were received: `chunk` and `start` say where in `Xsk.chunks`, `length` is in bytes."""

    chunk: I64
    start: I64
    length: I64


class Xsk:
    """A socket on one queue of an interface, with room for `receiving` frames, a power of two. Raises OSError."""

    def __init__(self, interface: int, queue: int, receiving: int) -> None:
        self._receiving = receiving
        self.socket = socket.socket(_AF_XDP, socket.SOCK_RAW, 0)
        try:
            self._lay_out()
            self._bind(interface, queue)
        except BaseException:
            self.socket.close()
            raise
        self._free: I64 = np.arange(SENDING)

    def _lay_out(self) -> None:
        receiving = self._receiving
        chunks = receiving + SENDING * SLOT // CHUNK
        memory = np.frombuffer(mmap.mmap(-1, chunks * CHUNK), np.uint8)
        self.chunks: Bytes = memory[: receiving * CHUNK].reshape(receiving, CHUNK)
        self._slots: Bytes = memory[receiving * CHUNK :].reshape(SENDING, SLOT)
        # struct xdp_umem_reg: address, length, chunk size, headroom, flags, room for metadata
        self._set(_UMEM, struct.pack("=QQIIII", memory.ctypes.data, memory.size, CHUNK, 0, 0, 0))
        for ring, size in ((_FILL, receiving), (_COMPLETION, SENDING), (_RX_RING, receiving), (_TX_RING, SENDING)):
            self._set(ring, struct.pack("=I", size))
        with contextlib.suppress(OSError):  # since Linux 6.17: frames for one system call, 32 without it
            self._set(_TX_BUDGET, struct.pack("=I", SENDING))
        with contextlib.suppress(PermissionError):  # without it, fewer frames are under way at once
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, 16 << 20)
        # struct xdp_mmap_offsets: producer, consumer, entries and flags of each ring
        offsets = struct.unpack("=16Q", self.socket.getsockopt(_SOL_XDP, _OFFSETS, 128))
        order = ((_RX_RING, receiving), (_TX_RING, SENDING), (_FILL, receiving), (_COMPLETION, SENDING))
        rings = [self._ring(n, size, offsets[4 * at : 4 * at + 3]) for at, (n, size) in enumerate(order)]
        self._rx, self._tx, self._fill, self._done = rings
        self._give_back(np.arange(receiving))

    def _set(self, option: int, value: bytes) -> None:
        self.socket.setsockopt(_SOL_XDP, option, value)

    def _ring(self, number: int, size: int, offsets: tuple[int, ...]) -> _Ring:
        producer, consumer, entries = offsets
        kind = _DESCRIPTOR if number in (_RX_RING, _TX_RING) else np.dtype(np.uint64)
        shared = mmap.mmap(self.socket.fileno(), entries + size * kind.itemsize, offset=_AT[number])
        index = [np.frombuffer(shared, np.uint32, 1, at) for at in (producer, consumer)]
        return _Ring(index[0], index[1], np.frombuffer(shared, kind, size, entries))

    def _bind(self, interface: int, queue: int) -> None:
        # struct sockaddr_xdp: family, flags, interface, queue, descriptor of a shared umem
        name = struct.pack("=HHIII", _AF_XDP, _COPY, interface, queue, 0)
        if _libc.bind(self.socket.fileno(), name, len(name)):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def send(self, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        """Send packets behind their headers, (rows, HEADER) or (HEADER,); the rows that were not sent, by errno."""
        self._collect()
        count = min(len(rows), len(self._free))
        slots, self._free = self._free[:count], self._free[count:]
        size = HEADER + rows.dtype.itemsize
        self._slots[slots, :HEADER] = headers if headers.ndim == 1 else headers[:count]
        self._slots[slots, HEADER:size] = bytes_of(rows[:count])
        entries = np.zeros(count, _DESCRIPTOR)
        entries["address"], entries["length"] = self._receiving * CHUNK + slots * SLOT, size
        self._tx.entries[self._tx.places(self._tx.producer, count)] = entries
        _advance(self._tx.producer, count)
        sent, failed = self._push(count)
        self._free = np.concatenate([self._free, slots[sent:]])
        if sent < len(rows):
            failed.setdefault(errno.EAGAIN, []).extend(range(sent, len(rows)))
        return {code: np.array(lines, np.int64) for code, lines in failed.items()}

    def _push(self, count: int) -> tuple[int, dict[int, list[int]]]:
        """Have the kernel send what stands in the ring: how many it took, and those that it threw away."""
        thrown: dict[int, list[int]] = {}
        end = time.monotonic() + SEND_TIMEOUT
        while (left := self._tx.filled()) and time.monotonic() < end:
            if _libc.sendto(self.socket.fileno(), None, 0, socket.MSG_DONTWAIT, None, 0) >= 0:
                continue
            code = ctypes.get_errno()
            if code == errno.EBUSY:  # the device dropped one, and it will not be tried again (xsk_generic_xmit)
                thrown.setdefault(errno.ENOBUFS, []).append(count - self._tx.filled() - 1)
            elif code not in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS):
                break
            elif left == self._tx.filled():
                self._rest()
        left = self._tx.filled()
        self._tx.producer[0] = self._tx.consumer[
            0
        ]  # nobody but our own call reads this ring in copy mode: take it back
        return count - left, thrown

    def _rest(self) -> None:
        """A full device empties at its own speed; its completions free our send buffer."""
        self._collect()
        time.sleep(0.0001)

    def _collect(self) -> None:
        """Take back the slots of frames that have left."""
        count = self._done.filled()
        if count:
            addresses: U64 = self._done.entries[self._done.places(self._done.consumer, count)].astype(np.uint64)
            slots = (addresses.astype(np.int64) - self._receiving * CHUNK) // SLOT
            _advance(self._done.consumer, count)
            self._free = np.concatenate([self._free, slots])

    def received(self, most: int) -> Received:
        """What has come in; its chunks are the reader's until they are `done`."""
        count = min(self._rx.filled(), most)
        entries: npt.NDArray[np.void] = self._rx.entries[self._rx.places(self._rx.consumer, count)]  # type: ignore[assignment]
        _advance(self._rx.consumer, count)
        address = entries["address"].astype(np.int64)
        return Received(address // CHUNK, address % CHUNK, entries["length"].astype(np.int64))

    def crowded(self) -> bool:
        """Whether a quarter of the room is taken."""
        return self._rx.filled() > self._receiving // 4

    def done(self, received: Received) -> None:
        """The chunks are the kernel's again."""
        self._give_back(received.chunk)

    def _give_back(self, chunks: I64) -> None:
        places = self._fill.places(self._fill.producer, len(chunks))
        self._fill.entries[places] = (chunks * CHUNK).astype(np.uint64)
        _advance(self._fill.producer, len(chunks))

    def drops(self) -> int:
        """Frames for us that found no room, so far."""
        # struct xdp_statistics: dropped for want of a chunk, two of invalid descriptors, dropped as the ring was full …
        dropped, _, _, full = struct.unpack_from("=4Q", self.socket.getsockopt(_SOL_XDP, _STATISTICS, 48))
        return int(dropped + full)

    def close(self) -> None:
        """The memory goes when the last view of it does."""
        self.socket.close()
