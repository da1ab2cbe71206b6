"""Completes the handshake on open ports while the scan goes on: fresh kernel connections, paced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from asyncio_throttle import Throttler

from probe.core.pace import Pace
from probe.model import Conversation, PortKey
from probe.net.streams import converse
from probe.services.identify import identify

AT_ONCE = 100  # connections open at a time
PACKETS = 8  # what a short connection costs: SYN, ACK, request, its ACKs, FIN, ACK
PERIOD = 0.1  # seconds; the limiter lets a whole period's share through at once, so the period is short


class Handshakes:
    """Feed it open ports; `result` has what came of each once `finish` is over."""

    def __init__(self, pace: Pace, rate: float, server_name: Callable[[PortKey], str | None]) -> None:
        share = rate / PACKETS * PERIOD
        self._throttle = Throttler(max(1, int(share)), period=PERIOD if share >= 1 else PACKETS / rate)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._pace, self._server_name = pace, server_name
        self._tasks: dict[PortKey, asyncio.Task[Conversation]] = {}

    def start(self, keys: Iterable[PortKey]) -> None:
        for key in keys:
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(self._shake(key))

    @property
    def unfinished(self) -> int:
        return sum(not task.done() for task in self._tasks.values())

    async def finish(self, stop: asyncio.Event) -> None:
        """Wait for all of them, or give up those under way when `stop` is set."""
        stopping = asyncio.create_task(stop.wait())
        pending: set[asyncio.Task[object]] = set(self._tasks.values())
        while pending and not stop.is_set():
            _, pending = await asyncio.wait({*pending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            pending.discard(stopping)
        for task in (*pending, stopping):
            task.cancel()
        await asyncio.gather(*pending, stopping, return_exceptions=True)

    def result(self, key: PortKey) -> Conversation | None:
        """What the connection brought; None where none was tried, or it was given up."""
        task = self._tasks.get(key)
        return task.result() if task and task.done() and not task.cancelled() else None

    async def _shake(self, key: PortKey) -> Conversation:
        async with self._slots:
            dialogue = identify(key.port, self._server_name(key))
            return await converse(str(key.address), key.port, dialogue, before_connect=self._may_connect)

    async def _may_connect(self) -> None:
        async with self._throttle:
            self._pace.spend(PACKETS)
