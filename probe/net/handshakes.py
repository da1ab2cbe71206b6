"""Completes the handshake on open ports while the scan goes on, over fresh kernel connections.

A host that accepts on very many ports and says nothing on any is no host with so many services: a tarpit, or a SYN
proxy. After MUTE_PORTS of them its other ports are asked the likely hellos only, for all of them would take hours.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probe.core.pace import Pace
from probe.model import Address, Conversation, Handshake, PortKey
from probe.net.turnstile import HostGate, Turnstile, connections_allowed

if TYPE_CHECKING:
    from probe.net.sockets import Dial

FEW = 4  # connections that any server has room for, also one that accepts none of them (listen(2), backlog)
PORTS_AT_ONCE = 500  # dialogues under way; most of them have one connection, and the others wait for leave
MUTE_PORTS = 200


class Handshakes:
    """Feed it open ports; `result` has what came of each once `finish` is over, and `on_result` gets it at once.
    `wanted` is a service to try first."""

    def __init__(
        self,
        pace: Pace,
        server_name: Callable[[PortKey], str | None],
        wanted: str | None = None,
        dial: Dial | None = None,
        on_result: Callable[[PortKey, Conversation], None] = lambda key, talk: None,
    ) -> None:
        self._turnstile = Turnstile(pace, connections_allowed())
        self._server_name, self._wanted, self._dial, self._on_result = server_name, wanted, dial, on_result
        self._waiting: deque[PortKey] = deque()
        self._results: dict[PortKey, Conversation | None] = {}
        self._mute: Counter[Address] = Counter()
        self._made: Counter[PortKey] = Counter()  # connections
        self._workers: set[asyncio.Task[None]] = set()

    def start(self, keys: Iterable[PortKey]) -> None:
        for key in keys:
            if key not in self._results:
                self._results[key] = None
                self._waiting.append(key)
                self._hire()

    @property
    def unfinished(self) -> int:
        return sum(result is None for result in self._results.values())

    async def finish(self, stop: asyncio.Event) -> None:
        """Wait for all of them, or give up those under way when `stop` is set."""
        workers, stopping = tuple(self._workers), asyncio.create_task(stop.wait())
        everyone = asyncio.gather(*workers)  # raises what a worker raises: a mistake of ours is not to be swallowed
        both: list[asyncio.Future[Any]] = [everyone, stopping]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not stop.is_set():
            everyone.result()
            return
        self._waiting.clear()
        everyone.cancel()
        await asyncio.gather(everyone, *workers, return_exceptions=True)

    def result(self, key: PortKey) -> Conversation | None:
        """What the connection brought; None where none was tried, or it was given up."""
        return self._results.get(key)

    def busy(self, key: PortKey) -> bool:
        """Whether so many of our connections wait there for a word that a new one may not be answered any more."""
        talk = self._results.get(key)
        return self._made[key] > FEW and (talk is None or talk.handshake is Handshake.MUTE)

    def _hire(self) -> None:
        if len(self._workers) < PORTS_AT_ONCE:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        while self._waiting:
            key = self._waiting.popleft()
            talk = self._results[key] = await self._shake(key)
            self._mute[key.address] += talk.handshake is Handshake.MUTE
            self._on_result(key, talk)

    async def _shake(self, key: PortKey) -> Conversation:
        # All the services take 0.05 s to import: only who finds an open port waits for them.
        from probe.net.streams import converse
        from probe.services.identify import identify

        brief = self._mute[key.address] >= MUTE_PORTS
        dialogue = identify(key.port, self._server_name(key), self._wanted, brief=brief)
        gate = _Counted(self._turnstile, key.address, key, self._made)
        return await converse(str(key.address), key.port, dialogue, gate=gate, dial=self._dial)


@dataclass(frozen=True)
class _Counted(HostGate):
    """Counts who passes."""

    key: PortKey
    made: Counter[PortKey]

    async def enter(self) -> None:
        await super().enter()
        self.made[self.key] += 1
