"""When there is time to make ready for results: all is sent that need be, and only the unexpected may still come."""

from __future__ import annotations

import numpy as np
import pytest

from probe.core.pace import Pace
from tests.core.fake_wire import CLOSED, FILTERED, FakeWire, Truth, Weather
from tests.core.playbook import HOST4, Clock, block_of, careful_scan_of, drive


def half_silent(_high: object, _low: object, port: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray:
    return np.where(port % 2 == 1, FILTERED, CLOSED).astype(np.uint8)


def rests(truth: Truth, monkeypatch: pytest.MonkeyPatch, *, adaptive: bool) -> list[tuple[float, int]]:
    """When the scan rested, in seconds, and after how many attempts at each port that was silent then."""
    scan, clock = careful_scan_of(block_of((HOST4,), range(1, 21)), 1e6, adaptive=adaptive), Clock()
    wire = FakeWire(truth, clock, Weather(delay=(0.001, 0.001)))
    found: list[tuple[float, int]] = []
    on_time = scan.on_time

    def watched(now: float) -> None:
        on_time(now)
        if scan.resting and not scan.done:
            found.append((now - 100.0, int(scan.tries[scan.seen == 0].min(initial=99))))

    monkeypatch.setattr(scan, "on_time", watched)
    assert not scan.resting
    drive(scan, wire, Pace(1e6, clock.now), clock, 0.001)
    return found


def test_while_silent_ports_are_heard_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rests(half_silent, monkeypatch, adaptive=True)
    assert found
    assert all(attempts >= 3 for _, attempts in found)
    assert found[0][0] < 0.25  # some pauses of 25 ms; a second would be that of a timeout


def test_not_while_each_attempt_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rests(half_silent, monkeypatch, adaptive=False) == []


def test_while_contradictions_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rests(lambda _high, _low, port: np.full(len(port), CLOSED, np.uint8), monkeypatch, adaptive=False)
    assert found
    assert {attempts for _, attempts in found} == {99}
