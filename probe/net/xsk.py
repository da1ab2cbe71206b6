"""An AF_XDP socket (Documentation/networking/af_xdp.rst): memory shared with the kernel, and rings to pass it on.

Copy mode: it works on any device. Frames to send are packed closely, several to a chunk; a received frame has a chunk
of its own.
"""

from __future__ import annotations

import mmap
import socket
import struct

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from probe.core.columns import I64, Bytes
from probe.net import xdpring as x
from probe.net.outlet import SLOT, Outlet, Stock

CHUNK = 2048
SENDING = 4096  # frames under way
OUTLETS = 2  # threads that may send at once


class Received(Struct, frozen=True):
    """Frames as they were received: `chunk` and `start` say where in `Xsk.chunks`, `length` is in bytes."""

    chunk: I64
    start: I64
    length: I64


class Xsk:
    """A socket on one queue of an interface, with room for `receiving` frames, a power of two. Raises OSError."""

    def __init__(self, interface: int, queue: int, receiving: int) -> None:
        self._place = interface, queue
        self.socket = _socket()
        self._more: dict[int, Outlet] = {}
        try:
            self._lay_out(receiving)
            x.bind(self.socket, x.COPY, interface, queue)
        except BaseException:
            self.socket.close()
            raise

    def _lay_out(self, receiving: int) -> None:
        chunks = receiving + SENDING * SLOT // CHUNK
        memory = np.frombuffer(mmap.mmap(-1, chunks * CHUNK), np.uint8)
        self.chunks: Bytes = memory[: receiving * CHUNK].reshape(receiving, CHUNK)
        slots = memory[receiving * CHUNK :].reshape(SENDING, SLOT)
        # struct xdp_umem_reg: address, length, chunk size, headroom, flags, room for metadata
        umem = struct.pack("=QQIIII", memory.ctypes.data, memory.size, CHUNK, 0, 0, 0)
        self.socket.setsockopt(x.SOL_XDP, x.UMEM, umem)
        sizes = {x.FILL: receiving, x.COMPLETION: SENDING, x.RX_RING: receiving, x.TX_RING: SENDING}
        self._fill, done, self._rx, tx = x.rings(self.socket, sizes)
        x.make_room(self.socket, SENDING)
        self._stock = Stock(slots, receiving * CHUNK, done, OUTLETS)
        self._first = Outlet(self.socket, tx, self._stock, 0)
        self._give_back(np.arange(receiving))

    def outlet(self, number: int) -> Outlet:
        """One of the OUTLETS ways to send, each for one thread at a time. Raises OSError."""
        if number == 0:
            return self._first
        return self._more.get(number) or self._more.setdefault(number, self._another(number))

    def _another(self, number: int) -> Outlet:
        """Another socket on the same queue and the same memory, with a ring of its own to send."""
        sock = _socket()
        try:
            (tx,) = x.rings(sock, {x.TX_RING: SENDING})
            x.make_room(sock, SENDING)
            x.bind(sock, x.SHARED_UMEM, *self._place, self.socket.fileno())
        except BaseException:
            sock.close()
            raise
        return Outlet(sock, tx, self._stock, number)

    def received(self, most: int) -> Received:
        """What has come in; its chunks are the reader's until they are `done`."""
        count = min(self._rx.filled(), most)
        entries: npt.NDArray[np.void] = self._rx.entries[self._rx.places(self._rx.consumer, count)]  # type: ignore[assignment]
        x.advance(self._rx.consumer, count)
        address = entries["address"].astype(np.int64)
        return Received(address // CHUNK, address % CHUNK, entries["length"].astype(np.int64))

    def crowded(self) -> bool:
        """Whether a quarter of the room is taken."""
        return self._rx.filled() > len(self.chunks) // 4

    def done(self, received: Received) -> None:
        """The chunks are the kernel's again."""
        self._give_back(received.chunk)

    def _give_back(self, chunks: I64) -> None:
        places = self._fill.places(self._fill.producer, len(chunks))
        self._fill.entries[places] = (chunks * CHUNK).astype(np.uint64)
        x.advance(self._fill.producer, len(chunks))

    def drops(self) -> int:
        """Frames for us that found no room, so far."""
        # struct xdp_statistics: dropped for want of a chunk, two of invalid descriptors, dropped as the ring was full …
        dropped, _, _, full = struct.unpack_from("=4Q", self.socket.getsockopt(x.SOL_XDP, x.STATISTICS, 48))
        return int(dropped + full)

    def close(self) -> None:
        """The memory goes when the last view of it does."""
        for outlet in self._more.values():
            outlet.socket.close()
        self.socket.close()


def _socket() -> socket.socket:
    return socket.socket(x.AF_XDP, socket.SOCK_RAW, 0)
