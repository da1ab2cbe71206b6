"""A way through routers that is not there. Each router may be mute, answer seldom, or drop what goes to some ports."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import numpy.typing as npt

from probe.core.columns import Bytes
from probe.core.replies import Batch
from probe.net.wire import Sent
from tests.core.fake_packets import ACK, RST, SYN, header_size, icmp, read, tcp
from tests.core.slow_replies import Packet, batch_of

BURST = 6  # net/ipv4/inetpeer.c: XRLIM_BURST_FACTOR


@dataclass
class Router:
    """`rate`: answers per second as Linux allows them, with a burst of six; None for any number. What goes to the ports
    in `drops` is thrown away after its TTL was looked at (forward), to those in `drops_early` before (prerouting)."""

    address: bytes
    rate: float | None = None
    mute: bool = False
    drops: frozenset[int] = frozenset()
    drops_early: frozenset[int] = frozenset()
    answers: int = 0
    _tokens: float = BURST
    _last: float = 0.0

    def may_answer(self, now: float) -> bool:
        if self.mute:
            return False
        if self.rate is not None:
            self._tokens = min(BURST, self._tokens + (now - self._last) * self.rate)
            self._last = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
        self.answers += 1
        return True


@dataclass
class FakePath:
    """See `probe.net.wire.Wire`. `ways` has the routers to each address (as bytes), `ports` what its ports answer."""

    ways: dict[bytes, list[Router]]
    ports: dict[int, int]  # port -> SYN | ACK or RST | ACK; others are silent
    clock: Callable[[], float]
    loss: float = 0.0
    refuse: Callable[[Bytes], dict[int, npt.NDArray[np.int64]]] = lambda _: {}
    name: str = "path"
    threaded: bool = False
    sent: int = 0
    log: list[tuple[float, int, int]] = field(default_factory=list)  # when, port, TTL

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(5)
        self._order = count()
        self._pending: list[tuple[float, int, bytes]] = []

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        frames = rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
        sent = Sent(self.refuse(frames))
        for row in sent.rows(len(frames)):
            self._travel(frames[row : row + 1])
        return sent

    def _travel(self, frame: Bytes) -> None:
        start = header_size(frame)
        ttl, port = int(frame[0, 8 if start == 20 else 7]), int(read(frame, start + 2, 2)[0])
        way = self.ways[frame[0, start - (4 if start == 20 else 16) : start].tobytes()]
        self.sent += 1
        self.log.append((self.clock(), port, ttl))
        if self._random.random() < self.loss:
            return
        for number, router in enumerate(way[:ttl], 1):
            if port in router.drops_early:
                return
            if number == ttl:
                exceeded = icmp(frame, *((11, 0) if start == 20 else (3, 0)), sender=router.address)
                self._answer(exceeded, number) if router.may_answer(self.clock()) else None
                return
            if port in router.drops:
                return
        if port in self.ports:
            self._answer(tcp(frame, self.ports[port]), len(way) + 1)

    def _answer(self, packet: Bytes, hops: int) -> None:
        if self._random.random() >= self.loss:
            heapq.heappush(self._pending, (self.clock() + 0.001 * hops, next(self._order), packet[0].tobytes()))

    def receive(self) -> Batch | None:
        ripe = []
        while self._pending and self._pending[0][0] <= self.clock():
            ripe.append(Packet(heapq.heappop(self._pending)[2]))
        return batch_of(ripe) if ripe else None

    def next_arrival(self) -> float | None:
        return self._pending[0][0] if self._pending else None

    def fileno(self) -> int:
        return -1

    def drops(self) -> int:
        return 0

    def close(self) -> None:
        self._pending.clear()


OPEN, CLOSED = SYN | ACK, RST | ACK
