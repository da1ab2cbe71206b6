"""What every connection of a handshake passes: it holds the rate, spares the host, and keeps our files below the limit.

A port's dialogue may want a dozen connections at once, and a host may have a hundred ports open.
"""

from __future__ import annotations

import asyncio
import resource
from dataclasses import dataclass, field

from asyncio_throttle import Throttler

from probe.core.pace import Pace
from probe.model import Address

AT_ONCE = 500  # connections open at a time …
PER_HOST = 300  # … and of these to one host
OTHER_FILES = 400  # descriptors that are not ours: the connect scan's, outputs, the loop's own
PACKETS = 8  # what a connection is taken to cost: SYN, ACK, request, ACKs, FIN, ACK; see `Turnstile` for what it did
PERIOD = 0.1  # seconds; the limiter lets a whole period's share through at once, so the period is short


def connections_allowed() -> int:
    """AT_ONCE, or what the limit of open files leaves, once it was raised as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = AT_ONCE + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return AT_ONCE if soft == resource.RLIM_INFINITY else max(8, min(AT_ONCE, soft - OTHER_FILES))


def _share(rate: float) -> tuple[int, float]:
    """Connections in how many seconds, at so many packets per second."""
    share = rate / PACKETS * PERIOD
    return max(1, int(share)), PERIOD if share >= 1 else PACKETS / rate


@dataclass
class _Host:
    """The connections to one address; `users` hold one or wait for it."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PER_HOST))
    users: int = 0


class Turnstile:
    """One for all connections: so many at a time, so many to one host, so many a second, first come first served.

    Each pays for PACKETS when it comes. One that turns out to have cost more (TLS takes eleven, a flood any number of
    ACKs) leaves a debt, and those that come next let turns pass until it is paid: the rate is one of packets.
    """

    def __init__(self, pace: Pace, most: int) -> None:
        self._throttle = Throttler(*_share(pace.rate))
        self._turn = asyncio.Lock()  # the limiter polls, and knows no order: one at a time asks it
        self._slots, self._pace = asyncio.Semaphore(most), pace
        self._hosts: dict[Address, _Host] = {}
        self._owed = 0

    async def enter(self, address: Address) -> None:
        """Wait for leave to make one connection to this address."""
        host = self._hosts.setdefault(address, _Host())
        host.users += 1
        try:
            await host.slots.acquire()
            try:
                await self._enter()
            except BaseException:
                host.slots.release()
                raise
        except BaseException:
            self._forget(address, host)
            raise

    def leave(self, address: Address, packets: int) -> None:
        self._owed = max(0, self._owed + packets - PACKETS)
        host = self._hosts[address]
        self._slots.release()
        host.slots.release()
        self._forget(address, host)

    async def _enter(self) -> None:
        await self._slots.acquire()
        try:
            async with self._turn:
                await self._pay()
        except BaseException:
            self._slots.release()
            raise

    async def _pay(self) -> None:
        while self._owed >= PACKETS:
            self._owed -= PACKETS
            await self._take_turn()
        await self._take_turn()

    async def _take_turn(self) -> None:
        # The rate sinks where the path cannot bear it.
        self._throttle.rate_limit, self._throttle.period = _share(self._pace.rate)
        async with self._throttle:
            self._pace.spend(PACKETS)

    def _forget(self, address: Address, host: _Host) -> None:
        """Whoever has no connection any more needs no room in memory."""
        host.users -= 1
        if not host.users:
            del self._hosts[address]


@dataclass(frozen=True)
class HostGate:
    """The turnstile as the connections to one host see it."""

    turnstile: Turnstile
    address: Address

    async def enter(self) -> None:
        await self.turnstile.enter(self.address)

    def leave(self, packets: int) -> None:
        self.turnstile.leave(self.address, packets)
