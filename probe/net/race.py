"""Runs the branches of a `Race` as tasks: staggered, so that the likely one mostly ends it before the others begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Protocol

from probe.core.dialogue import Command, Event, Race, Raced

_HELD_UP = 0.25  # seconds between two looks at whether the others may go on; there may be hundreds of ports that wait


class Runner(Protocol):
    """Drives one branch. It is `waiting` while it wants a connection, has `heard` when its peer spoke, and is `crowded`
    where the peer takes one connection at a time."""

    waiting: bool
    heard: bool

    @property
    def crowded(self) -> bool: ...

    async def run(self, dialogue: Generator[Command, Event, Any]) -> Any: ...


async def run_race(race: Race, fork: Callable[[bool], Runner], late: Callable[[float], None]) -> Raced:
    """What the branches returned. `fork` makes the runner of one; it is told whether this is the first. `late` is told
    of seconds that our own machine lost: where it is busy, peers must not be given less time for it."""
    running = _Running(race, fork, late)
    try:
        while running.more or running.tasks:
            held_up = running.held_up()
            if running.more and not held_up:
                running.start()
            if await running.news(_HELD_UP if held_up else race.stagger):
                break
    finally:
        await running.cut_off()
    return Raced(tuple(running.results))


class _Running:
    def __init__(self, race: Race, fork: Callable[[bool], Runner], late: Callable[[float], None]) -> None:
        self.results: list[Any] = [None] * len(race.branches)
        self.tasks: dict[asyncio.Task[Any], tuple[int, Runner]] = {}
        self._race, self._fork, self._late, self._next = race, fork, late, 0
        self._clock = asyncio.get_running_loop().time

    @property
    def more(self) -> bool:
        return self._next < len(self._race.branches)

    def held_up(self) -> bool:
        """No other may start while one waits for its connection (likely ones go first), nor while somebody answers."""
        runners = [runner for _, runner in self.tasks.values()]
        return any(runner.waiting or runner.heard or runner.crowded for runner in runners)

    def start(self) -> None:
        runner = self._fork(self._next == 0)
        task = asyncio.create_task(runner.run(self._race.branches[self._next]))
        self.tasks[task] = (self._next, runner)
        self._next += 1

    async def news(self, patience: float) -> bool:
        """Wait until a branch ends, or it is time to look whether the next may start; True once there is enough."""
        timeout, began = patience if self.more else None, self._clock()
        done, _ = await asyncio.wait(self.tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            self._late(max(0.0, self._clock() - began - patience))
        for task in done:
            number, _runner = self.tasks.pop(task)
            self.results[number] = task.result()
        return bool(done) and self._race.enough(self.results)

    async def cut_off(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
