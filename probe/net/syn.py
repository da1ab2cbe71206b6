"""The SYN scan: blocks of the plan through the engine and the wire, verdicts out."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterable

import numpy as np

from probe.core.assess import Assessment, Circumstances
from probe.core.block import Block
from probe.core.columns import I64
from probe.core.driver import Driver
from probe.core.echo import EchoControl
from probe.core.prohibitions import Prohibitions
from probe.core.scan import Scan
from probe.model import Conversation, Verdict
from probe.net.craft import syn_templates
from probe.net.netlink import unanswered
from probe.net.orders import Orders
from probe.net.pump import pump
from probe.net.routes import ReservedPort, local_side
from probe.net.wire import Scoped
from probe.net.wires import choose
from probe.sweep import Sweep

# Where servers usually are, so that a host shows early which answers it gives.
LIKELY_OPEN = (80, 443, 22, 25, 53, 8080, 445, 3389, 21, 23, 110, 143, 3306, 5432, 8443, 993)


MANY = 1 << 10  # verdicts that are worth making ready for


class SynScan:
    """Opened before anything is sent, so that a missing right is known early. `warnings` say what was asked for
    and could not be had. Raises WireError."""

    def __init__(self, wire: str, rate: float, packets: int) -> None:
        self._port = ReservedPort()
        try:
            choice = choose(wire, rate, packets, self._port.number)
        except BaseException:
            self._port.close()
            raise
        self._raw, self.name, self.warnings = choice.wire, choice.wire.name, choice.warnings
        self._closing: threading.Thread | None = None

    def close(self) -> None:
        if self._closing:
            self._closing.join()
        self._raw.close()
        self._port.close()

    def _close_early(self) -> None:
        """Nothing more is sent. The kernel takes 20 ms to close a packet socket; reports can be written meanwhile."""
        self._closing = threading.Thread(target=self._raw.close)
        self._closing.start()

    async def verdicts(self, orders: Orders) -> AsyncIterator[Iterable[Verdict]]:
        """One per probe, many at a time, block by block; a block that was cut short gives those of which something was
        sent."""
        for number, block in enumerate(orders.plan.cut()):
            if number:
                gc.collect()  # the scan of a block is a cycle of some 50 MB, and chance would free it late
            scan = self._prepare(block, orders)
            async for verdicts in self._block(scan, orders, last=number + 1 == orders.plan.blocks):
                yield verdicts
            if not scan.done:
                return
            del scan

    async def _block(self, scan: Scan, orders: Orders, *, last: bool) -> AsyncIterator[Iterable[Verdict]]:
        await self._pump(scan, orders)
        await orders.shaken()
        echo, prohibitions = EchoControl(scan, scan.wait, scan.rate), Prohibitions(scan, scan.wait, scan.rate)
        for question in (echo, prohibitions):
            await self._ask(question, orders)
        assessment = self._assess(scan, echo, prohibitions, orders)
        tell = await self._locate(scan, assessment, orders)
        if last:
            self._close_early()
        for sweep in assessment.sweeps():
            yield tell(sweep)

    def _prepare(self, block: Block, orders: Orders) -> Scan:
        local, unroutable = local_side(block, self._port.number)
        options = orders.plan.options
        scan = Scan(
            block,
            local,
            syn_templates(),
            orders.seed,
            options.attempts,
            options.timeout,
            options.confidence,
            adaptive=options.adaptive,
            second_look=True,
            ceiling=options.rate,
            first=LIKELY_OPEN,
            counters=orders.counters,
        )
        if handshakes := orders.handshakes:
            scan.controls.busy = lambda slot: handshakes.busy(scan.block.key(slot))
        for errno, rows in unroutable.items():
            scan.exclude(rows, errno)
        return scan

    async def _pump(self, scan: Scan, orders: Orders) -> None:
        def on_open(slots: I64) -> None:
            orders.shake([scan.block.key(slot) for slot in slots.tolist()])

        rested = False

        def on_turn(_now: float) -> None:
            nonlocal rested
            if not rested and scan.block.slots >= MANY and scan.resting:
                rested = True
                orders.on_rest()
            counters = orders.counters
            orders.on_progress(counters.sent, counters.sent + scan.remaining, counters.received)

        await pump(
            scan,
            Scoped(self._raw, orders.scope),
            orders.pace,
            may_go_on=orders.may_go_on,
            on_open=on_open,
            on_turn=on_turn,
        )

    async def _ask(self, question: Driver, orders: Orders) -> None:
        """What is left open by the scan itself."""
        wire = Scoped(self._raw, orders.scope)
        await pump(question, wire, orders.pace, may_go_on=orders.may_go_on, on_open=_ignore, on_turn=_ignore)

    async def _locate(self, scan: Scan, assessment: Assessment, orders: Orders) -> Callable[[Sweep], Iterable[Verdict]]:
        """What adds to verdicts where their packets end, if that is wanted."""
        if not orders.plan.options.locate:
            return lambda sweep: sweep
        from probe.net.locating import locate

        return await locate(scan, assessment.verdicts(), Scoped(self._raw, orders.scope), orders)

    def _assess(self, scan: Scan, echo: EchoControl, prohibitions: Prohibitions, orders: Orders) -> Assessment:
        def conversation_of(slot: int) -> Conversation | None:
            return orders.handshakes.result(scan.block.key(slot)) if orders.handshakes else None

        return Assessment(
            scan,
            Circumstances(interrupted=not scan.done, kernel_drops=self._raw.drops()),
            lambda row: orders.target_of(scan.block.address(row)),
            conversation_of,
            echo.ttls,
            prohibitions.doubtful,
            _absent(scan),
        )


def _absent(scan: Scan) -> frozenset[int]:
    """Address rows without any answer, whose next hop has not answered the kernel either."""
    mute = np.flatnonzero(~scan.seen.reshape(-1, len(scan.block.ports)).any(axis=1))
    if not mute.size:
        return frozenset()
    addresses = {scan.block.address(row): row for row in mute.tolist()}
    try:
        return frozenset(addresses[address] for address in unanswered(list(addresses)))
    except OSError:  # then nothing is known of neighbours, and silence is what it was
        return frozenset()


def _ignore(_: object) -> None:
    """Nobody wants to know."""
