"""Moves packets between the engine and the wire on asyncio's clock, in batches: one turn of the loop is one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from probe.core.columns import I64
from probe.core.pace import Pace
from probe.core.scan import Scan
from probe.net.wire import Wire

TURN = 0.001  # seconds between two turns while there is something to send
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


async def pump(
    scan: Scan,
    wire: Wire,
    pace: Pace,
    *,
    may_go_on: Callable[[float], bool],
    on_open: Callable[[I64], None],
    on_turn: Callable[[float], None],
) -> None:
    """Drive `scan` until it is done or `may_go_on(now)` is false. `on_open` gets slots that just became open."""
    clock = asyncio.get_running_loop().time
    with Readable(wire) as readable:
        while not scan.done and may_go_on(clock()):
            sent = _send(scan, wire, pace, clock())
            received = _receive(scan, wire, clock(), on_open)
            scan.on_time(clock())
            on_turn(clock())
            await readable.wait(0 if received else _rest(scan, pace, clock(), sent))


def _send(scan: Scan, wire: Wire, pace: Pace, now: float) -> int:
    slots = scan.due(now, pace.budget(now))
    for part, rows in scan.frames(slots, now):
        report = wire.send(rows)
        for errno, failed in report.failed.items():
            scan.failed(part[failed], errno)
        left = part[report.rows(len(part))]
        scan.sent(left, now)
        pace.spend(left.size)
    return slots.size


def _receive(scan: Scan, wire: Wire, now: float, on_open: Callable[[I64], None]) -> bool:
    batch = wire.receive()
    if batch is None:
        return False
    opened = scan.receive(batch, now)
    if opened.size:
        on_open(opened)
    return True


def _rest(scan: Scan, pace: Pace, now: float, sent: int) -> float:
    """How long nothing needs to be done unless a packet comes."""
    if sent:
        return TURN
    deadline = scan.next_deadline()
    due = pace.next_packet(now) if deadline is None else deadline
    return min(IDLE, max(TURN, due - now))
