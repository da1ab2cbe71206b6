"""The rate that a path bears: found below a policer, kept under random loss, regained when the path recovers."""

from __future__ import annotations

import numpy as np
import pytest

from probe.core.govern import CALM, LEAST, Governor


def live_with(governor: Governor, seconds: float, passes: float, policed: float, seed: int = 3) -> list[float]:
    """`seconds` of sending at the governor's rate: `policed` packets per second get through, each with probability
    `passes`. Every eighth packet is a control probe, in a trial every second, and its fate is known at once. Returns
    the rate at each packet."""
    random, now, tokens, rates = np.random.default_rng(seed), 0.0, 5.0, []
    while now < seconds:
        step = 1 / governor.rate
        now, tokens = now + step, min(5.0, tokens + step * policed)
        governor.sent(1, now)
        through = tokens >= 1
        tokens -= through
        if random.random() < (1 / 2 if governor.trying else 1 / 8):
            governor.trial(bool(through and random.random() < passes), governor.regime)
        rates.append(governor.rate)
    return rates


@pytest.mark.parametrize("policed", [20, 300, 2000])
@pytest.mark.parametrize("seed", range(4))
def test_it_goes_below_a_policer_and_stays_near(policed: float, seed: int) -> None:
    governor = Governor(5000.0)
    rates = live_with(governor, 60.0 if policed > 20 else 400.0, 1.0, policed, seed)
    late = rates[len(rates) // 2 :]
    assert np.mean(late) < 1.6 * policed
    assert np.mean(late) > policed / 8


@pytest.mark.parametrize("loss", [0.05, 0.2, 0.36, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_random_loss_does_not_slow_it_down(loss: float, seed: int) -> None:
    governor = Governor(5000.0)
    rates = live_with(governor, 40.0, 1 - loss, 1e9, seed)
    assert len(rates) > 40 * 1500
    assert np.median(rates) > 2000


def test_a_path_without_loss_keeps_the_ceiling() -> None:
    governor = Governor(5000.0)
    assert set(live_with(governor, 2.0, 1.0, 1e9)) == {5000.0}
    assert governor.regime == 0


def test_nothing_gets_through_and_it_still_asks() -> None:
    governor = Governor(5000.0)
    rates = live_with(governor, 60.0, 0.0, 1e9)
    assert min(rates) >= LEAST


def test_it_recovers_when_the_path_does() -> None:
    governor = Governor(5000.0)
    live_with(governor, 30.0, 1.0, 300)
    low = governor.rate
    live_with(governor, 60.0, 1.0, 1e9)
    assert governor.rate > 2 * low


def test_old_news_are_no_news() -> None:
    """A control probe that left before the rate was changed says nothing about the rate now."""
    governor = Governor(1000.0)
    for _ in range(CALM):
        governor.trial(False, regime=5)
    assert (governor.rate, governor.regime) == (1000.0, 0)
