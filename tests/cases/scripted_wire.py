"""A scripted host on a wire that is not there: the corpus on a virtual clock. See `probe.net.wire.Wire`."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

import numpy as np
import numpy.typing as npt

from probe.core.replies import Batch
from probe.net.wire import Sent
from tests.cases.responder import Responder
from tests.core.slow_replies import Packet, batch_of

HOPS = 2  # as many routers as stand between scanner and host in the lab
_LATENCY = 0.001


class ScriptedWire:
    """Each packet that is sent is heard by the responder at once; what it answers arrives when it says."""

    name, fd, threaded = "script", -1, False

    def __init__(self, responder: Responder, clock: Callable[[], float]) -> None:
        self._responder, self._clock = responder, clock
        self._order = count()
        self._pending: list[tuple[float, int, bytes]] = []

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        now = self._clock()
        for row in rows:
            for delay, packet in self._responder.hear(row.tobytes(), now):
                heapq.heappush(self._pending, (now + _LATENCY + delay, next(self._order), _travelled(packet)))
        return Sent()

    def receive(self) -> Batch | None:
        arrived = []
        while self._pending and self._pending[0][0] <= self._clock():
            arrived.append(Packet(heapq.heappop(self._pending)[2]))
        return batch_of(arrived) if arrived else None

    def next_arrival(self) -> float | None:
        return self._pending[0][0] if self._pending else None

    def fileno(self) -> int:
        return self.fd

    def drops(self) -> int:
        return 0

    def close(self) -> None:
        self._pending.clear()


def _travelled(packet: bytes) -> bytes:
    """The packet after the routers: TTL less, IPv4's header checksum adjusted (RFC 1624)."""
    data = bytearray(packet)
    if data[0] >> 4 == 6:
        data[7] -= HOPS
        return bytes(data)
    data[8] -= HOPS
    total = (data[10] << 8 | data[11]) + (HOPS << 8)
    data[10:12] = (total + (total >> 16) & 0xFFFF).to_bytes(2, "big")
    return bytes(data)
