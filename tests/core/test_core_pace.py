"""The rate is a ceiling over every tenth of a second, whatever the caller's rhythm; it never catches up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.pace import Pace

rates = st.one_of(st.floats(0.1, 100.0), st.floats(100.0, 1_000_000.0))
pauses = st.lists(st.one_of(st.floats(0.0, 0.01), st.floats(0.0, 0.5), st.just(30.0)), min_size=1, max_size=80)


@settings(max_examples=200)
@given(rates, pauses, st.integers(1, 5000))
def test_no_window_of_100_ms_sees_more_than_its_share(rate: float, rests: list[float], greed: int) -> None:
    now, pace, log = 50.0, Pace(rate, 50.0), []
    for rest in rests:
        packets = min(greed, pace.budget(now))
        pace.spend(packets)
        log.append((now, packets))
        now += rest
    times = np.array([time for time, _ in log])
    counts = np.array([packets for _, packets in log])
    for start in times:
        assert counts[(times >= start) & (times < start + 0.1)].sum() <= rate * 0.1 * 1.06 + 1


@pytest.mark.parametrize("rate", [0.5, 7.0, 100.0, 5000.0, 123_456.0])
def test_the_rate_is_reached(rate: float) -> None:
    """A caller who comes whenever a packet is due, or every millisecond, gets all but what the clock rounds off."""
    now, pace, sent = 0.0, Pace(rate, 0.0), 0
    end = 2.0 + 20 / rate
    while now < end:
        packets = pace.budget(now)
        pace.spend(packets)
        sent += packets
        now = max(now + 0.001, pace.next_packet(now))
    assert 0.9 * rate * end - 1 <= sent <= rate * end + 1 + rate * Pace.BUCKET_S


def test_a_process_that_was_stopped_does_not_catch_up() -> None:
    pace = Pace(1000.0, 0.0)
    pace.spend(pace.budget(0.0))
    assert pace.budget(3600.0) == 5


def test_slow_rates_send_one_at_a_time() -> None:
    pace = Pace(2.0, 10.0)
    assert pace.budget(10.0) == 1
    pace.spend(1)
    assert pace.budget(10.2) == 0
    assert pace.next_packet(10.2) == pytest.approx(10.5)
    assert pace.budget(10.5) == 1
    assert pace.budget(99.0) == 1


def test_debt_is_paid_first() -> None:
    """Handshakes by the kernel are not asked for; the probes make room for them."""
    pace = Pace(1000.0, 0.0)
    pace.spend(11)
    assert pace.budget(0.005) == 0
    assert pace.next_packet(0.005) == pytest.approx(0.011)
    assert pace.budget(0.0111) == 1


@given(rates, pauses)
def test_the_next_packet_may_leave_when_it_was_said(rate: float, rests: list[float]) -> None:
    now, pace = 0.0, Pace(rate, 0.0)
    for rest in rests:
        pace.spend(pace.budget(now))
        due = pace.next_packet(now)
        assert due >= now
        assert pace.budget(due + 1e-6 + due * 1e-12) >= 1
        now = due + rest
