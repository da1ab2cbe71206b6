"""After the scan of a block: how far do SYNs to its dropped ports get? Uses the wire and the source port of the scan,
so that the packets take the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from probe.core.bounds import locating
from probe.core.columns import I64
from probe.core.locate import Locate
from probe.core.located import Located, in_words
from probe.core.plan import Block, split
from probe.core.scan import Scan
from probe.model import Address, Cause, PortKey, State, Verdict
from probe.net.orders import Orders
from probe.net.pump import pump
from probe.net.wire import Wire

MOST_PORTS = 1 << 16  # of a block, the first ones of each host: bounds memory
Tell = Callable[[Verdict], Verdict]


async def locate(scan: Scan, verdicts: Iterable[Verdict], wire: Wire, orders: Orders) -> Tell:
    """What turns a verdict of this block into one that says where its packets end.

    `verdicts` is gone through once, and not at all without `locate`. Raises nothing that the wire does not raise.
    """
    if not orders.plan.options.locate:
        return _as_it_is
    dropped, witnesses = _choose(verdicts)
    if not dropped:
        return _as_it_is
    slots = _slots(scan.block, dropped)
    driver = _driver(scan, _first_of_each(slots, len(scan.block.ports)), _slots(scan.block, witnesses), orders)

    def on_turn(_now: float) -> None:
        counters = orders.counters
        orders.on_progress(counters.sent, counters.sent + driver.remaining, counters.received)

    await pump(driver, wire, orders.pace, may_go_on=orders.may_go_on, on_open=lambda _: None, on_turn=on_turn)
    places, beyond = driver.places(), Located(cut=f"it is not one of the first {MOST_PORTS:,} dropped ports")
    found = {key: places.get(slot, beyond) for key, slot in zip(dropped, slots.tolist(), strict=True)}
    return lambda verdict: told(verdict, found[verdict.key]) if verdict.key in found else verdict


def told(verdict: Verdict, place: Located) -> Verdict:
    """The verdict with the place in its evidence. A port that was silent and then answers is no longer dropped."""
    note = "; ".join(filter(None, [verdict.evidence.note, in_words(place)]))
    if place.answered:
        return replace(verdict, state=State.UNKNOWN, cause=None, evidence=replace(verdict.evidence, note=note))
    evidence = replace(verdict.evidence, hop=place.hop, hop_address=place.address, silent_hop=place.silent, note=note)
    return replace(verdict, evidence=evidence)


def _as_it_is(verdict: Verdict) -> Verdict:
    return verdict


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
