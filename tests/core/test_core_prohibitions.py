"""Silence beside ICMP errors that are rate-limited: never called dropped where the router may have said its share."""

from __future__ import annotations

from collections import Counter

import numpy as np

from probe.core.assess import Assessment, Circumstances
from probe.core.pace import Pace
from probe.core.prohibitions import ROUNDS, Prohibitions
from probe.model import Cause
from tests.core.fake_wire import OPEN, REJECTED
from tests.core.hostile_path import Bucket, HostilePath
from tests.core.playbook import HOST4, Clock, block_of, careful_scan_of, drive

SILENT = 2


def told(kinds: dict[int, int], limit: Bucket | None) -> tuple[Counter[tuple[int, Cause | None]], int, float]:
    """How often (truth, cause) was said of these ports; the packets and the seconds beyond the scan."""
    clock, table = Clock(), np.full(65536, SILENT, np.uint8)
    for port, kind in kinds.items():
        table[port] = kind
    scan = careful_scan_of(block_of((HOST4,), list(kinds)), 5000.0)
    wire = HostilePath(lambda _high, _low, port: table[port.astype(np.int64)], clock, limit_icmp=limit)
    drive(scan, wire, Pace(5000.0, clock.now), clock, turn=0.001)
    sent, began = scan.counters.sent, clock.now
    control = Prohibitions(scan, scan.wait, scan.rate)
    drive(control, wire, Pace(5000.0, clock.now), clock, turn=0.001)
    assessment = Assessment(scan, Circumstances(), str, lambda _: None, doubtful=control.doubtful)
    found = Counter((kinds[verdict.key.port], verdict.cause) for verdict in assessment.verdicts())
    return found, scan.counters.sent - sent, clock.now - began


def mixture(rejected: int, silent: int) -> dict[int, int]:
    return {80: OPEN, **{1000 + n: REJECTED for n in range(rejected)}, **{2000 + n: SILENT for n in range(silent)}}


def test_a_router_without_a_limit_is_asked_twice_and_believed() -> None:
    found, packets, seconds = told(mixture(5, 20), None)
    assert found[SILENT, Cause.DROPPED] == 20
    assert found[REJECTED, Cause.REJECTED] == 5
    assert packets == 2 * (20 + 1)
    assert seconds < 1


def test_a_limited_router_is_waited_for_and_its_silence_not_misread() -> None:
    found, _, seconds = told(mixture(12, 20), Bucket(1.0, burst=6))
    assert found[REJECTED, Cause.DROPPED] == 0
    assert found[REJECTED, Cause.REJECTED] == 12
    assert found[SILENT, Cause.DROPPED] == 20
    assert seconds < 2 * ROUNDS


def test_too_many_for_its_limit_are_undetermined() -> None:
    found, _, seconds = told(mixture(80, 20), Bucket(1.0, burst=6))
    assert found[REJECTED, Cause.DROPPED] == found[SILENT, Cause.DROPPED] == 0
    assert found[SILENT, Cause.UNDETERMINED] == 20
    assert found[REJECTED, Cause.REJECTED] + found[REJECTED, Cause.UNDETERMINED] == 80
    assert seconds < 2 * ROUNDS


def test_nothing_is_asked_where_nothing_is_in_question() -> None:
    assert told({80: OPEN, 1000: REJECTED}, None)[1] == 0
    assert told({80: OPEN, 2000: SILENT}, None)[1] == 0
