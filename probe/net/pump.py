"""Moves packets between the engine and the wire on asyncio's clock, in batches: one turn of the loop is one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from probe.core.columns import I64
from probe.core.driver import Driver
from probe.core.pace import Pace
from probe.net.wire import Wire

TURN = 0.001  # seconds between two turns while there is something to send
LOOK_AT_DROPS = 0.02  # seconds from one look at the kernel's drop counter to the next
IDLE = 0.1  # seconds between two turns while everything waits for answers


class Readable:
    """Wakes a waiting loop when the wire has something to read."""

    def __init__(self, wire: Wire) -> None:
        self._event = asyncio.Event()
        self._fd = wire.fileno()

    def __enter__(self) -> Readable:
        asyncio.get_running_loop().add_reader(self._fd, self._event.set)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)

    async def wait(self, seconds: float) -> None:
        """Until there is something to read, at most `seconds`."""
        self._event.clear()
        timer = asyncio.get_running_loop().call_later(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()


class Losses:
    """Tells the scan when our own kernel had to drop what it received."""

    def __init__(self, scan: Driver, wire: Wire) -> None:
        self._scan, self._wire = scan, wire
        self._drops, self._next = wire.drops(), 0.0

    def watch(self, now: float) -> None:
        if now < self._next:
            return
        self._next = now + LOOK_AT_DROPS
        drops = self._wire.drops()
        if drops != self._drops:
            self._drops = drops
            self._scan.lost(now)


async def pump(
    scan: Driver,
    wire: Wire,
    pace: Pace,
    *,
    may_go_on: Callable[[float], bool],
    on_open: Callable[[I64], None],
    on_turn: Callable[[float], None],
) -> None:
    """Drive `scan` until it is done or `may_go_on(now)` is false. `on_open` gets slots that just became open."""
    clock = asyncio.get_running_loop().time
    losses = Losses(scan, wire)
    with Readable(wire) as readable:
        while not scan.done and may_go_on(clock()):
            # Before time is looked at: what came while this process was not running came in time.
            received = _receive(scan, wire, clock(), on_open)
            pace.limit(min(pace.ceiling, scan.rate))
            sent = _send(scan, wire, pace, clock())
            losses.watch(clock())
            scan.on_time(clock())
            on_turn(clock())
            await readable.wait(0 if received else _rest(scan, pace, clock(), sent))


def _send(scan: Driver, wire: Wire, pace: Pace, now: float) -> int:
    slots = scan.due(now, pace.budget(now))
    for part, rows in scan.frames(slots, now):
        report = wire.send(rows)
        for errno, failed in report.failed.items():
            scan.failed(part[failed], errno, now)
        left = part[report.rows(len(part))]
        scan.sent(left, now)
        pace.spend(left.size)
    return slots.size


def _receive(scan: Driver, wire: Wire, now: float, on_open: Callable[[I64], None]) -> bool:
    batch = wire.receive()
    if batch is None:
        return False
    opened = scan.receive(batch, now)
    if opened.size:
        on_open(opened)
    return True


def _rest(scan: Driver, pace: Pace, now: float, sent: int) -> float:
    """How long nothing needs to be done unless a packet comes."""
    if sent:
        return TURN
    deadline = scan.next_deadline()
    due = pace.next_packet(now) if deadline is None else deadline
    return min(IDLE, max(TURN, due - now))
