"""After the scan of a block: how far do SYNs to its dropped ports get? Uses the wire and the source port of the scan,
so that the packets take the same way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Iterable

import numpy as np
from msgspec.structs import replace

from probe.core.block import Block, split
from probe.core.bounds import locating
from probe.core.columns import I64
from probe.core.locate import Locate
from probe.core.located import Located, in_words
from probe.core.pace import Pace
from probe.core.plan import Scope
from probe.core.scan import Scan
from probe.errors import WireError
from probe.model import Address, AddressRange, Cause, PortKey, ScanOptions, State, Verdict
from probe.net.craft import syn_templates
from probe.net.orders import Orders
from probe.net.pump import pump
from probe.net.raw import open_wire
from probe.net.routes import ReservedPort, local_side
from probe.net.wire import Scoped, Wire
from probe.sweep import Sweep

MOST_PORTS = 1 << 16  # of a block, the first ones of each host: bounds memory
_RATE, _ATTEMPTS = 100.0, 2  # for a single port there is no hurry
Tell = Callable[[Sweep], Iterable[Verdict]]


async def locate(scan: Scan, verdicts: Iterable[Verdict], wire: Wire, orders: Orders) -> Tell:
    """What turns verdicts of this block into those that say where their packets end.

    `verdicts` is gone through once. Raises nothing that the wire does not raise.
    """
    dropped, witnesses = _choose(verdicts)
    if not dropped:
        return _as_it_is
    slots = _slots(scan.block, dropped)
    driver = _driver(scan, _first_of_each(slots, len(scan.block.ports)), _slots(scan.block, witnesses), orders)

    def on_turn(_now: float) -> None:
        counters = orders.counters
        orders.on_progress(counters.sent, counters.sent + driver.remaining, counters.received)

    await pump(driver, wire, orders.pace, may_go_on=orders.may_go_on, on_open=_ignore, on_turn=on_turn)
    places, beyond = driver.places(), Located(cut=f"it is not one of the first {MOST_PORTS:,} dropped ports")
    found = {key: places.get(slot, beyond) for key, slot in zip(dropped, slots.tolist(), strict=True)}
    return lambda sweep: [told(one, found[one.key]) if one.key in found else one for one in sweep]


def told(verdict: Verdict, place: Located) -> Verdict:
    """The verdict with the place in its evidence. A port that was silent and then answers is no longer dropped."""
    note = "; ".join(filter(None, [verdict.evidence.note, in_words(place)]))
    if place.answered:
        return replace(verdict, state=State.UNKNOWN, cause=None, evidence=replace(verdict.evidence, note=note))
    evidence = replace(verdict.evidence, hop=place.hop, hop_address=place.address, silent_hop=place.silent, note=note)
    return replace(verdict, evidence=evidence)


def _as_it_is(sweep: Sweep) -> Sweep:
    return sweep


def _choose(verdicts: Iterable[Verdict]) -> tuple[list[PortKey], list[PortKey]]:
    """The dropped ports; and one port of each of their hosts that the host itself answered, where there is one."""
    dropped: list[PortKey] = []
    witnesses: dict[Address, PortKey] = {}
    for verdict in verdicts:
        if verdict.cause is Cause.DROPPED:
            dropped.append(verdict.key)
        elif verdict.state is State.OPEN or verdict.cause is Cause.REFUSED:
            witnesses.setdefault(verdict.key.address, verdict.key)
    hosts = {key.address for key in dropped}
    return dropped, [key for address, key in witnesses.items() if address in hosts]


def _slots(block: Block, keys: list[PortKey]) -> I64:
    halves = np.array([split(key.address) for key in keys], np.uint64).reshape(-1, 2)
    return block.find(halves[:, 0], halves[:, 1], np.array([key.port for key in keys], np.uint16))


def _first_of_each(slots: I64, width: int) -> I64:
    """At most MOST_PORTS of the slots, and no host before another."""
    slots = np.sort(slots)
    _, starts, sizes = np.unique(slots // width, return_index=True, return_counts=True)
    rank = np.arange(len(slots)) - np.repeat(starts, sizes)
    return np.sort(slots[np.argsort(rank, kind="stable")[:MOST_PORTS]])


def _driver(scan: Scan, dropped: I64, witnesses: I64, orders: Orders) -> Locate:
    options = orders.plan.options
    bounds = locating(options, len(dropped), len(np.unique(scan.block.address_rows(dropped))))
    return Locate(
        block=scan.block,
        local=scan.local,
        templates=scan.templates,
        seed=orders.seed,
        attempts=options.attempts,
        timeout=options.timeout,
        dropped=dropped,
        witnesses=witnesses,
        most_packets=bounds.packets,
        most_seconds=bounds.seconds,
        rate=scan.rate,
        counters=orders.counters,
    )


async def locate_one(address: Address, port: int, timeout: float) -> Located:
    """Where SYNs to one port end, without a scan before. Raises WireError."""
    reserved = ReservedPort()
    with contextlib.closing(reserved), contextlib.closing(open_wire(reserved.number)) as wire:
        high, low = split(address)
        block = Block(np.array([high], np.uint64), np.array([low], np.uint64), np.array([port], np.uint16))
        local, unroutable = local_side(block, reserved.number)
        for code in unroutable:
            raise WireError(f"no way from here to {address}: {os.strerror(code)}")
        bounds = locating(ScanOptions(rate=_RATE, attempts=_ATTEMPTS, timeout=timeout), 1, 1)
        driver = Locate(
            block=block,
            local=local,
            templates=syn_templates(),
            seed=secrets.randbits(53),
            attempts=_ATTEMPTS,
            timeout=timeout,
            dropped=np.zeros(1, np.int64),
            witnesses=np.zeros(0, np.int64),
            most_packets=bounds.packets,
            most_seconds=bounds.seconds,
        )
        scoped = Scoped(wire, Scope([AddressRange(address.version, int(address), int(address))]))
        pace = Pace(_RATE, asyncio.get_running_loop().time())
        await pump(driver, scoped, pace, may_go_on=_always, on_open=_ignore, on_turn=_ignore)
        return driver.places()[0]


def _always(_now: float) -> bool:
    return True


def _ignore(_what: object) -> None:
    """Nobody listens."""
