"""The rings of AF_XDP sockets (Documentation/networking/af_xdp.rst): memory that is shared with the kernel.

Indices only grow and wrap at 32 bits. The order of stores is that of x86, see `ebpf`.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import socket
import struct

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from probe.core.columns import I64

AF_XDP, SOL_XDP = 44, 283
RX_RING, TX_RING, UMEM, FILL, COMPLETION, STATISTICS = 2, 3, 4, 5, 6, 7
_OFFSETS, _TX_BUDGET = 1, 9
_AT = {RX_RING: 0, TX_RING: 0x80000000, FILL: 0x100000000, COMPLETION: 0x180000000}  # XDP_PGOFF_…
_ORDER = (RX_RING, TX_RING, FILL, COMPLETION)  # of struct xdp_mmap_offsets
SHARED_UMEM, COPY = 1 << 0, 1 << 1  # ways to bind
_SO_SNDBUFFORCE = 32
DESCRIPTOR = np.dtype([("address", np.uint64), ("length", np.uint32), ("options", np.uint32)])

libc = ctypes.CDLL(None, use_errno=True)


class Ring(Struct, frozen=True):
    """`producer` and `consumer` are one number each, in memory shared with the kernel."""

    producer: npt.NDArray[np.uint32]
    consumer: npt.NDArray[np.uint32]
    entries: npt.NDArray[np.generic]

    def filled(self) -> int:
        return (int(self.producer[0]) - int(self.consumer[0])) & 0xFFFFFFFF

    def places(self, index: npt.NDArray[np.uint32], count: int) -> I64:
        """Where the next `count` entries from an index on stand."""
        return (int(index[0]) + np.arange(count)) & (len(self.entries) - 1)


def advance(index: npt.NDArray[np.uint32], count: int) -> None:
    index[0] = (int(index[0]) + count) & 0xFFFFFFFF


def rings(sock: socket.socket, sizes: dict[int, int]) -> list[Ring]:
    """These rings, in this order, with so many entries each. Raises OSError."""
    for number, size in sizes.items():
        sock.setsockopt(SOL_XDP, number, struct.pack("=I", size))
    # struct xdp_mmap_offsets: producer, consumer, entries and flags of each ring
    offsets = struct.unpack("=16Q", sock.getsockopt(SOL_XDP, _OFFSETS, 128))
    made = []
    for number, size in sizes.items():
        start = 4 * _ORDER.index(number)
        producer, consumer, entries, _ = offsets[start : start + 4]
        kind = DESCRIPTOR if number in (RX_RING, TX_RING) else np.dtype(np.uint64)
        shared = mmap.mmap(sock.fileno(), entries + size * kind.itemsize, offset=_AT[number])
        index = [np.frombuffer(shared, np.uint32, 1, at) for at in (producer, consumer)]
        made.append(Ring(index[0], index[1], np.frombuffer(shared, kind, size, entries)))
    return made


def make_room(sock: socket.socket, frames: int) -> None:
    """Let so many frames be sent by one system call, where this kernel and this user may."""
    with contextlib.suppress(OSError):  # since Linux 6.17; 32 without it
        sock.setsockopt(SOL_XDP, _TX_BUDGET, struct.pack("=I", frames))
    with contextlib.suppress(PermissionError):  # without it, fewer frames are under way at once
        sock.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, 16 << 20)


def bind(sock: socket.socket, flags: int, interface: int, queue: int, shared: int = 0) -> None:
    """`shared` is the descriptor of the socket whose memory this one shares. Raises OSError."""
    name = struct.pack("=HHIII", AF_XDP, flags, interface, queue, shared)  # struct sockaddr_xdp
    if libc.bind(sock.fileno(), name, len(name)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
