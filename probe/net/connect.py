"""The connect scan, for users without raw sockets: the kernel makes the connections, errno is all the evidence.

It sees less: no TTL, no window, no sender of an ICMP error. Where one errno has several explanations the cause says so.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Iterator

from asyncio_throttle import Throttler
from msgspec import Struct

from probe.core.verdict import HANDSHAKE_CAUSES
from probe.model import Cause, Evidence, PortKey, Reason, State, Verdict
from probe.net.orders import Orders

AT_ONCE = 256  # below the usual limit of 1024 open files, with room for the handshakes
BATCH = 4096  # ports judged together: bounds memory, and lets the handshakes of a batch run while it is scanned
PERIOD = 0.1

# What connect(2) says -> (state, reason, cause). Linux: icmp_err_convert in net/ipv4/icmp.c.
_MEANING: dict[int, tuple[State, Reason, Cause]] = {
    errno.ECONNREFUSED: (State.CLOSED, Reason.RESET, Cause.UNDETERMINED),
    errno.ECONNRESET: (State.CLOSED, Reason.RESET, Cause.UNDETERMINED),
    errno.EHOSTUNREACH: (State.FILTERED, Reason.HOST_UNREACH, Cause.UNDETERMINED),
    errno.ENETUNREACH: (State.FILTERED, Reason.NET_UNREACH, Cause.UNDETERMINED),
    errno.EHOSTDOWN: (State.FILTERED, Reason.HOST_UNREACH, Cause.UNDETERMINED),
    errno.ENOPROTOOPT: (State.FILTERED, Reason.PROTO_UNREACH, Cause.UNDETERMINED),
    errno.ETIMEDOUT: (State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED),
}
_ALIVE = frozenset({0, errno.ECONNREFUSED, errno.ECONNRESET})


class _Attempt(Struct, frozen=True):
    """What the kernel said in the end; errno 0 is a connection."""

    key: PortKey
    errno: int
    attempts: int
    rtt_ms: float | None


class ConnectScan:
    """See `probe.net.syn.SynScan`; needs no right at all."""

    name = "connect"

    def close(self) -> None:
        """Nothing is kept open."""

    async def verdicts(self, orders: Orders) -> AsyncIterator[Iterable[Verdict]]:
        """One per probe, in batches by address."""
        rate = orders.plan.options.rate
        share = rate * PERIOD
        throttle = Throttler(max(1, int(share)), period=PERIOD if share >= 1 else 1 / rate)
        slots = asyncio.Semaphore(AT_ONCE)
        for keys in _batches(orders):
            tasks = [asyncio.create_task(self._try(key, orders, throttle, slots)) for key in keys]
            attempts = [await task for task in tasks]
            await orders.shaken()
            yield self._judge(attempts, orders)
            if not orders.may_go_on(asyncio.get_running_loop().time()):
                return

    async def _try(
        self, key: PortKey, orders: Orders, throttle: Throttler, slots: asyncio.Semaphore
    ) -> _Attempt | None:
        loop, code, tries, began = asyncio.get_running_loop(), errno.ETIMEDOUT, 0, 0.0
        async with slots:
            while code == errno.ETIMEDOUT and tries < orders.plan.options.attempts:
                async with throttle:
                    if not orders.may_go_on(loop.time()):
                        return None
                began, tries = loop.time(), tries + 1
                orders.counters.sent += 1
                code = await _connect(key, orders.plan.options.timeout)
        orders.counters.received += code in _ALIVE
        orders.on_progress(orders.counters.sent, orders.plan.packets, orders.counters.received)
        if code == 0:
            orders.shake([key])
        return _Attempt(key, code, tries, (loop.time() - began) * 1000 if code in _ALIVE else None)

    def _judge(self, attempts: list[_Attempt | None], orders: Orders) -> Iterator[Verdict]:
        made = [attempt for attempt in attempts if attempt]
        alive = {attempt.key.address for attempt in made if attempt.errno in _ALIVE}
        for attempt in made:
            conversation = orders.handshakes.result(attempt.key) if orders.handshakes and not attempt.errno else None
            state, reason, cause, evidence = _meaning(attempt)
            if state is State.OPEN:
                cause = HANDSHAKE_CAUSES[conversation.handshake] if conversation else Cause.LISTENING
            yield Verdict(
                target=orders.target_of(attempt.key.address),
                key=attempt.key,
                state=state,
                reason=reason,
                cause=cause,
                evidence=evidence,
                attempts=attempt.attempts,
                rtt_ms=attempt.rtt_ms,
                conversation=conversation,
                live=attempt.key.address in alive,
            )


def meaning_of(code: int) -> tuple[State, Reason, Cause | None]:
    """What an errno of connect(2) means for the port, 0 being a connection."""
    if code == 0:
        return State.OPEN, Reason.SYN_ACK, None
    return _MEANING.get(code, (State.UNKNOWN, Reason.NOT_SENT, None))


def _meaning(attempt: _Attempt) -> tuple[State, Reason, Cause | None, Evidence]:
    if attempt.errno == 0:
        return *meaning_of(0), Evidence(responder=str(attempt.key.address))
    return *meaning_of(attempt.errno), Evidence(errno=errno.errorcode.get(attempt.errno, str(attempt.errno)))


def _batches(orders: Orders) -> Iterator[list[PortKey]]:
    keys = orders.plan.keys()
    while batch := list(itertools.islice(keys, BATCH)):
        yield batch


async def _connect(key: PortKey, timeout: float) -> int:
    """The errno of one connection attempt, 0 for success, ETIMEDOUT after `timeout` seconds."""
    family = socket.AF_INET if key.address.version == 4 else socket.AF_INET6
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        return error.errno or errno.EIO
    with sock:
        # Closing with a reset leaves neither a half-open connection there nor a TIME-WAIT here.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().sock_connect(sock, (str(key.address), key.port))
        except TimeoutError:
            return errno.ETIMEDOUT
        except OSError as error:
            return error.errno or errno.EIO
    return 0
