"""Moves packets between the engine and the wire on asyncio's clock, in batches: one turn of the loop is one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from probe.core.columns import I64
from probe.core.driver import Driver
from probe.core.pace import Pace
from probe.core.replies import Batch
from probe.net.sender import Parts, Reports, Sender
from probe.net.wire import Wire

TURN = 0.001  # seconds between two turns while there is something to send
LOOK_AT_DROPS = 0.02  # seconds from one look at the kernel's drop counter to the next
MOST, MOST_PLAIN = 4096, 1024  # packets of one turn, 10 ms and less: what was asked shall be heard soon
MOST_BATCHES = 16  # of answers in one turn
IDLE = 0.1  # seconds between two turns while everything waits for answers


class _Load(NamedTuple):
    """What leaves in one turn, as it was made at `now`."""

    size: int
    parts: Parts
    now: float


class Readable:
    """Wakes a waiting loop when the wire has something to read. Only who waits listens: elsewhere in its turn the loop
    would go round and round for answers that nobody takes."""

    def __init__(self, wire: Wire) -> None:
        self._event = asyncio.Event()
        self._fd = wire.fileno()

    async def wait(self, seconds: float) -> None:
        """Until there is something to read, at most `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        self._event.clear()
        loop.add_reader(self._fd, self._event.set)
        timer = loop.call_later(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()
            loop.remove_reader(self._fd)


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
    most = MOST if wire.threaded else MOST_PLAIN
    readable = Readable(wire)

    def choose(unspent: int = 0) -> _Load:
        pace.limit(min(pace.ceiling, scan.rate))
        now = clock()
        tickets = scan.due(now, max(0, min(pace.budget(now) - unspent, most)))
        return _Load(tickets.size, scan.frames(tickets, now), now)

    ahead: _Load | None = None
    with Sender(wire) as sender:
        while (ahead or not scan.done) and may_go_on(clock()):
            # Before time is looked at: what came while this process was not running came in time.
            answers, came = _answers(wire), clock()
            if not wire.threaded:
                _enter(scan, answers, came, on_open)
            load, ahead = ahead or choose(), None
            sender.begin(load.parts)
            if wire.threaded:
                _enter(scan, answers, came, on_open)
                # Where nothing answers, the engine would wait for the sender, and then the sender for the engine.
                if load.size == most and scan.plenty and not answers:
                    ahead = choose(unspent=load.size)
            _note(scan, pace, await sender.finish(), load.now)
            losses.watch(clock())
            scan.on_time(clock())
            on_turn(clock())
            await readable.wait(0 if answers else _rest(scan, pace, clock(), load.size))


def _answers(wire: Wire) -> list[Batch]:
    """What has come in; a flood of it must wait for its next turn."""
    batches: list[Batch] = []
    while len(batches) < MOST_BATCHES and (batch := wire.receive()) is not None:
        batches.append(batch)
    return batches


def _enter(scan: Driver, batches: list[Batch], now: float, on_open: Callable[[I64], None]) -> None:
    for batch in batches:
        opened = scan.receive(batch, now)
        if opened.size:
            on_open(opened)


def _note(scan: Driver, pace: Pace, reports: Reports, now: float) -> None:
    for tickets, report in reports:
        for errno, failed in report.failed.items():
            scan.failed(tickets[failed], errno, now)
        left = tickets[report.rows(len(tickets))]
        scan.sent(left, now)
        pace.spend(left.size)


def _rest(scan: Driver, pace: Pace, now: float, sent: int) -> float:
    """How long nothing needs to be done unless a packet comes."""
    if sent:
        return min(TURN, max(0.0, pace.next_packet(now) - now))
    deadline = scan.next_deadline()
    due = pace.next_packet(now) if deadline is None else deadline
    return min(IDLE, max(TURN, due - now))
