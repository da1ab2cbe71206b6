"""The fast wires: frames to devices, by packet sockets or by AF_XDP, and answers from rings. See `ways` for what may
leave as a frame."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

import numpy as np
import numpy.typing as npt

from probe.core.replies import Batch
from probe.net.abreast import Abreast
from probe.net.devices import Devices
from probe.net.ring import FEWEST, FRAMES, Ring
from probe.net.ways import FrameSender, Ways
from probe.net.wire import Sent

MOST_WAITING = 1 << 10  # batches: what is sent in one call has no more answers, and a flood shall not fill memory


class Source(Protocol):
    """Where answers come from."""

    def take(self) -> list[Batch]: ...

    def crowded(self) -> bool: ...

    def drops(self) -> int: ...

    def close(self) -> None: ...


class FastWire:
    """See `probe.net.wire.Wire`. Answers are taken out of their rings while a long batch is sent. Raises OSError."""

    threaded = True

    def __init__(self, name: str, frames: FrameSender, sources: Sequence[Source], fileno: Callable[[], int]) -> None:
        self.name, self.fileno = name, fileno
        self._sources = sources
        self._waiting: deque[Batch] = deque()
        self._ways = Ways(frames, self._relieve)

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        return self._ways.send(rows)

    def receive(self) -> Batch | None:
        if not self._waiting:
            self._take()
        return self._waiting.popleft() if self._waiting else None

    def _take(self) -> None:
        for source in self._sources:
            self._waiting.extend(source.take())

    def _relieve(self) -> None:
        while len(self._waiting) < MOST_WAITING and any(source.crowded() for source in self._sources):
            self._take()

    def drops(self) -> int:
        return sum(source.drops() for source in self._sources)

    @property
    def why_not(self) -> str | None:
        """Why frames are not used at present, if they are not."""
        return self._ways.say.why

    def close(self) -> None:
        self._ways.close()
        for source in self._sources:
            source.close()


def packet_wire(port: int, packets: int | None = None) -> FastWire:
    """Frames by sendmmsg on two threads, answers from one ring, with room for an eighth of them. Raises OSError."""
    frames = FRAMES if packets is None else min(FRAMES, max(FEWEST, 1 << (packets // 8).bit_length()))
    with ExitStack() as stack:
        ring = Ring(port, frames)
        stack.callback(ring.close)
        wire = FastWire("packet", Abreast(Devices(), Devices()), [ring], ring.fileno)
        stack.pop_all()
        return wire


def xdp_wire(port: int) -> FastWire:
    """Frames by AF_XDP on two threads, resets from its rings, other answers from a ring of packets. Raises OSError."""
    from probe.net.xdp import Beside, XdpDevices

    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        ring = Ring(port)
        stack.callback(ring.close)
        devices = XdpDevices(port, poll)
        stack.callback(devices.close)
        poll.register(ring.fileno(), select.EPOLLIN)
        wire = FastWire("xdp", Abreast(devices, Beside(devices)), [devices, ring], poll.fileno)
        stack.pop_all()
        return wire
