"""How long attempts are waited for, on a clock of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.flights import HASTE, PAUSE, Flights
from probe.core.loss import Window

SLOTS = np.array([4, 9])
FIRST, EXTRA = np.zeros(2, np.bool_), np.ones(2, np.bool_)


def over(flights: Flights, now: float, answering: set[int] | None = None) -> list[int]:
    """The slots that may be asked again, where these are the ones whose hosts answer."""
    hosts = answering or set()
    found = flights.over(now, len(hosts), lambda slots: np.isin(slots, list(hosts)))
    return sorted(slot for slots, _ in found for slot in slots.tolist())


def window(now: float = 0.0) -> Window:
    return Window(now, 0)


def test_who_asks_for_a_timeout_gets_it_for_each_attempt() -> None:
    flights = Flights(1.0)
    flights.sent(SLOTS, FIRST, window(), 10.0)
    assert flights.next_time() == 11.0
    assert over(flights, 10.99, {4, 9}) == []
    assert over(flights, 11.0, {4, 9}) == [4, 9]
    assert not flights
    assert flights.next_time() is None
    assert flights.heard_out_at < 11.0


def test_attempts_beyond_those_asked_for_wait_as_long_as_answers_took() -> None:
    flights = Flights(1.0, longest_rtt=0.1)
    flights.sent(SLOTS, EXTRA, window(), 10.0)
    assert over(flights, 10.39) == []
    assert over(flights, 10.41) == [4, 9]


def test_without_a_timeout_who_answers_is_asked_again_soon_and_heard_out_for_four_round_trips() -> None:
    flights = Flights(1.0, adaptive=True, longest_rtt=0.002)
    flights.sent(SLOTS, FIRST, window(), 10.0)
    assert flights.next_time() == 10.0 + PAUSE
    assert over(flights, 10.0 + PAUSE, {4}) == [4]
    assert over(flights, 10.99, {4}) == []
    assert over(flights, 11.0, {4}) == [9]
    assert flights.heard_out_at == 10.0 + HASTE
    flights.longest_rtt = 0.1
    assert flights.heard_out_at == 10.4


def test_a_host_that_begins_to_answer_is_not_waited_for_any_longer() -> None:
    flights = Flights(1.0, adaptive=True)
    flights.sent(np.array([1, 2]), FIRST, window(), 10.0)
    flights.sent(np.array([3, 4]), FIRST, window(), 10.01)
    assert over(flights, 10.5) == []
    assert over(flights, 10.51, {1, 4}) == [1, 4]
    assert over(flights, 10.99, {1, 4}) == []
    assert over(flights, 11.01, {1, 4}) == [2, 3]


@pytest.mark.parametrize("rtt, seconds", [(0.5, 1.0), (0.9, 1.35), (2.0, 3.0), (100.0, 4.0)])
def test_a_slow_path_extends_a_timeout_but_not_for_ever(rtt: float, seconds: float) -> None:
    assert Flights(1.0, longest_rtt=rtt).whole == pytest.approx(seconds)


def test_a_slow_round_trip_makes_pauses_longer() -> None:
    assert Flights(1.0, longest_rtt=0.2).pause == pytest.approx(0.4)
    assert Flights(0.3, longest_rtt=0.2).pause == pytest.approx(0.3)
    assert Flights(1.0).expected == HASTE


def test_an_attempt_is_judged_when_the_control_probes_beside_it_are_known() -> None:
    flights, beside = Flights(1.0), window()
    beside.unresolved, beside.ripe = 1, 11.5
    flights.sent(SLOTS, FIRST, beside, 10.0)
    assert flights.next_time() == 11.5
    assert over(flights, 11.4, {4, 9}) == []
    beside.unresolved = 0
    assert over(flights, 11.4, {4, 9}) == [4, 9]


def test_what_our_own_kernel_lost_counts_for_nothing() -> None:
    flights, beside = Flights(1.0), window()
    flights.sent(SLOTS, FIRST, beside, 10.0)
    flights.lost()
    assert beside.void


steps = st.lists(st.tuples(st.floats(0, 0.3), st.booleans(), st.floats(0, 0.2)), max_size=30)


@given(steps, st.booleans())
def test_every_attempt_is_over_once_and_never_before_its_pause(
    steps: list[tuple[float, bool, float]], adaptive: bool
) -> None:
    flights, now = Flights(1.0, adaptive), 0.0
    left: dict[int, float] = {}
    ended: list[tuple[int, float]] = []
    hosts: set[int] = set()
    for number, (pause, answers, rtt) in enumerate(steps):
        now += pause
        flights.longest_rtt = max(flights.longest_rtt, rtt)
        flights.sent(np.array([number]), np.array([number % 2 > 0]), window(now), now)
        left[number] = now
        hosts |= {number // 3} if answers else set()
        ended += [(slot, now) for slot in over(flights, now, {slot for slot in left if slot // 3 in hosts})]
    ended += [(slot, now + 100) for slot in over(flights, now + 100)]
    assert sorted(slot for slot, _ in ended) == sorted(left)
    assert not flights
    assert all(when >= left[slot] + PAUSE for slot, when in ended)
