"""A network of scripted peers on a clock that jumps: waiting takes no time at all, and is counted exactly."""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import asyncio_throttle.throttler
import pytest

from probe.core.dialogue import Closed, Data, Event, Failed, Sent, Spent, Timeout
from probe.net.sockets import Link

T = TypeVar("T")
Answer = bytes | Closed | None
Speaker = Callable[[bytes], Iterable[tuple[float, bytes]]]
RTT = 0.001


class _Jumping(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everyone waits for everyone"
        self.now += max(0.0, timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]], monkeypatch: pytest.MonkeyPatch) -> tuple[T, float]:
    """What `main` returns, and how many seconds it would have taken."""
    loop = _Loop()
    monkeypatch.setattr(asyncio_throttle.throttler, "time", SimpleNamespace(monotonic=loop.time))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        began = loop.time()
        return runner.run(main()), loop.time() - began


def mute(request: bytes) -> Answer:
    return None


@dataclass
class Peer:
    """A server: what it says first and after how many seconds, and how it answers a request.

    Who has more to say than that has a `session`: called for each connection, it makes the function that is given what
    we send (first of all nothing) and yields what it says then, each with the seconds before; it need not end.
    `most` connections are taken at a time, the others are refused. Where it is `patient`, others wait instead. A
    connection `costs` us so many packets.
    """

    greeting: Answer = None
    greets_after: float = 0.0
    replies: Callable[[bytes], Answer] = mute
    thinks: float = 0.0
    most: int = 1000
    patient: bool = False
    costs: int = 5
    session: Callable[[], Speaker] | None = None
    served: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.served = asyncio.Semaphore(self.most)


class ScriptedLink:
    def __init__(self, net: ScriptedNet, place: tuple[str, int], allowance: int) -> None:
        self.closed: Closed | None = None
        self._net, self._place, self._allowance = net, place, allowance
        self._inbox: asyncio.Queue[bytes | Closed] = asyncio.Queue(maxsize=4)  # as the kernel's window: then it waits
        self._rest = b""
        self._requests: asyncio.Queue[bytes] = asyncio.Queue()
        self._peer = net.peers[place]
        self._task = asyncio.create_task(self._serve(self._peer))

    def close(self) -> int:
        self._task.cancel()
        self._net.closed(self._place)
        return self._peer.costs

    async def read(self, limit: int, seconds: float) -> Event:
        if self._allowance <= 0 or seconds <= 0:
            return Spent()
        if not self._rest:
            try:
                async with asyncio.timeout(seconds):
                    said = self.closed or await self._inbox.get()
            except TimeoutError:
                return Timeout()
            if isinstance(said, Closed):
                self.closed = said
                return said
            self._rest = said
        limit = min(limit, self._allowance)
        data, self._rest = self._rest[:limit], self._rest[limit:]
        self._allowance -= len(data)
        self._net.received += len(data)
        return Data(data)

    async def send(self, data: bytes, seconds: float) -> Event:
        self._net.requests.append((*self._place, data))
        self._requests.put_nowait(data)
        return Sent()

    async def _serve(self, peer: Peer) -> None:
        async with peer.served:
            if peer.session:
                await self._hold_session(peer.session())
            await self._say(peer.greeting, peer.greets_after)
            while True:
                request = await self._requests.get()
                await self._say(peer.replies(request), peer.thinks)

    async def _hold_session(self, speak: Speaker) -> None:
        request = b""
        while True:
            for seconds, data in speak(request):
                await asyncio.sleep(seconds)
                await self._inbox.put(data)
            request = await self._requests.get()

    async def _say(self, answer: Answer, after: float) -> None:
        await asyncio.sleep(RTT + after)
        if answer:
            await self._inbox.put(answer)


class ScriptedNet:
    """`dial` makes connections to the peers by (address, port); elsewhere they are refused.

    `dialled` are the times of all attempts. `peak` is the most that was open at a time: of a place, host, or in all.
    """

    def __init__(self, peers: dict[tuple[str, int], Peer]) -> None:
        self.peers = peers
        self.dialled: list[float] = []
        self.requests: list[tuple[str, int, bytes]] = []
        self.received = 0
        self.open: Counter[object] = Counter()
        self.peak: Counter[object] = Counter()

    async def dial(self, address: str, port: int, seconds: float, allowance: int) -> Link | Failed:
        place = (address, port)
        self.dialled.append(asyncio.get_running_loop().time())
        await asyncio.sleep(RTT)
        peer = self.peers.get(place)
        if peer is None or (self.open[place] >= peer.most and not peer.patient):
            return Failed("ECONNREFUSED")
        for who in (place, address, "all"):
            self.open[who] += 1
            self.peak[who] = max(self.peak[who], self.open[who])
        return ScriptedLink(self, place, allowance)

    def closed(self, place: tuple[str, int]) -> None:
        for who in (place, place[0], "all"):
            self.open[who] -= 1
