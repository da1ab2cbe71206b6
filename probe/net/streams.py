"""Drives a dialogue, and those that race inside it, over connections: bounded in bytes and time, closed in any case.

One `_Driver` has one connection at a time and performs the commands of one generator. A race (see `probe.net.race`)
gives each branch a driver of its own; all of them share one `_Port`, which holds the limits.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from probe.core.dialogue import (
    Close,
    Closed,
    Command,
    Connect,
    Connected,
    Data,
    Dialogue,
    Event,
    Failed,
    Limits,
    Race,
    Read,
    Send,
    Spent,
    StartTLS,
    Timeout,
    TlsFailed,
    TlsUp,
)
from probe.model import Conversation
from probe.net.race import run_race
from probe.net.sockets import Dial, Link, kernel_dial
from probe.net.tls import TlsStream

T = TypeVar("T")


class Gate(Protocol):
    """Who decides when a connection may be made. `leave` is called once for every `enter` that was not cancelled, with
    the number of packets that were sent over the connection; 0 where there was none."""

    async def enter(self) -> None: ...

    def leave(self, packets: int) -> None: ...


class _OpenGate:
    async def enter(self) -> None:
        """At once."""

    def leave(self, packets: int) -> None:
        """Nobody counts."""


async def converse(
    address: str,
    port: int,
    dialogue: Dialogue,
    *,
    timeout: float = 3.0,
    limits: Limits | None = None,
    source: str | None = None,
    gate: Gate | None = None,
    dial: Dial | None = None,
) -> Conversation:
    """The dialogue's result against `address` (IPv4 or IPv6, no names) and `port`.

    `timeout` bounds each connect, `limits` everything; time spent waiting at the `gate`, which every connection passes,
    does not count. `source` is the local address to connect from.
    """
    here = _Port(address, port, timeout, limits or Limits(), gate or _OpenGate(), dial or kernel_dial(source))
    return await _Driver(here).run(dialogue)


@dataclass
class _Port:
    """One port that is spoken to: its limits, its clock, and how many connections to it are open."""

    address: str
    number: int
    connect_timeout: float
    limits: Limits
    gate: Gate
    dial: Dial
    crowded: bool = False
    open: int = 0
    _one_less: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.clock = asyncio.get_running_loop().time
        self.deadline = self.clock() + self.limits.seconds

    def left(self) -> float:
        """Seconds that may still be spent on this port."""
        return self.deadline - self.clock()

    async def enter(self) -> None:
        asked = self.clock()
        await self.gate.enter()
        self.deadline += self.clock() - asked
        self.open += 1

    def late(self, seconds: float) -> None:
        """Our own machine lost so much time."""
        self.deadline += seconds

    def leave(self, packets: int) -> None:
        self.gate.leave(packets)
        self.open -= 1
        self._one_less.set()

    async def alone(self) -> bool:
        """Wait until no connection is open any more; False if there was none, or time is up."""
        if not self.open:
            return False
        self.crowded = True
        try:
            async with asyncio.timeout(max(self.left(), 0)):
                while self.open:
                    self._one_less.clear()
                    await self._one_less.wait()
        except TimeoutError:
            return False
        return True


class _Driver:
    """`waiting`: it wants a connection and has none yet. `heard`: its peer has said something."""

    def __init__(self, port: _Port, link: Link | None = None, tls: TlsStream | None = None) -> None:
        self._port, self._link, self._tls = port, link, tls
        self.waiting = self.heard = False

    async def run(self, dialogue: Generator[Command, Event, T]) -> T:
        """What the dialogue returns. Closes the connection, and the dialogue, whatever happens."""
        try:
            command = next(dialogue)
            while True:
                command = dialogue.send(await self._perform(command))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            self._drop()
            dialogue.close()

    async def _perform(self, command: Command) -> Event:
        if isinstance(command, Race):
            return await run_race(command, self._fork, self._port.late)
        if isinstance(command, Connect):
            return await self._connect()
        if isinstance(command, Close) or self._link is None:
            self._drop()
            return TlsFailed("not connected") if isinstance(command, StartTLS) else Closed()
        event = await self._exchange(self._link, command)
        self.heard = self.heard or isinstance(event, Data | TlsUp)
        return event

    async def _exchange(self, link: Link, command: Send | Read | StartTLS) -> Event:
        stream, left = self._tls or link, self._port.left()
        match command:
            case Send(data):
                return await stream.send(data, left)
            case Read(seconds, limit):
                event = await stream.read(limit, min(seconds, left))
                return Spent() if isinstance(event, Timeout) and self._port.left() <= 0 else event
            case StartTLS():
                return await self._start_tls(link, command)

    async def _start_tls(self, link: Link, command: StartTLS) -> Event:
        if self._tls:
            return TlsFailed("already inside TLS")
        self._tls = TlsStream(link, command.server_name, command.alpn)
        return await self._tls.handshake(min(command.timeout, self._port.left()))

    async def _connect(self) -> Event:
        """A refusal while we have other connections to this port may be due to them: some servers take only one."""
        self._drop()
        event = await self._dial()
        while isinstance(event, Failed) and await self._port.alone():
            event = await self._dial()
        return event

    async def _dial(self) -> Event:
        port = self._port
        if port.left() <= 0:
            return Failed("ETIMEDOUT")
        self.waiting = True
        await port.enter()
        try:
            made = await port.dial(
                port.address, port.number, min(port.connect_timeout, port.left()), port.limits.received
            )
            self._link = None if isinstance(made, Failed) else made
        finally:
            self.waiting = False
            if self._link is None:
                port.leave(0)
        return made if isinstance(made, Failed) else Connected(port.address, os.urandom(32))

    def _drop(self) -> None:
        if self._link:
            packets = self._link.close()
            self._link = self._tls = None
            self._port.leave(packets)

    def _fork(self, first: bool) -> _Driver:
        """The driver of a branch; the first takes over our connection, and the others find us without one."""
        link, tls = (self._link, self._tls) if first else (None, None)
        if first:
            self._link = self._tls = None
        return _Driver(self._port, link, tls)

    @property
    def crowded(self) -> bool:
        return self._port.crowded
