"""What a scanner is told, whichever way it sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from probe.core.counters import Counters
from probe.core.pace import Pace
from probe.core.plan import Plan, Scope
from probe.model import Address, PortKey
from probe.net.handshakes import Handshakes


class Orders(Struct, frozen=True):
    """`stop` is set by whoever wants the scan to end early; `deadline` is on the loop's clock.

    `handshakes` is None where they are not wanted. `on_progress` gets (packets sent, packets at most, answers),
    `on_open` the ports that have just been found open; `on_rest` is called where there are many, and only
    what nobody expects is still waited for.
    """

    plan: Plan
    scope: Scope
    seed: int
    pace: Pace
    handshakes: Handshakes | None
    stop: asyncio.Event
    deadline: float
    target_of: Callable[[Address], str]
    on_progress: Callable[[int, int, int], None]
    counters: Counters
    on_open: Callable[[list[PortKey]], None] = lambda keys: None
    on_rest: Callable[[], None] = lambda: None

    def may_go_on(self, now: float) -> bool:
        return not self.stop.is_set() and now < self.deadline

    def shake(self, keys: list[PortKey]) -> None:
        """These are open."""
        self.on_open(keys)
        if self.handshakes:
            self.handshakes.start(keys)

    async def shaken(self) -> None:
        if self.handshakes:
            await self.handshakes.finish(self.stop)
