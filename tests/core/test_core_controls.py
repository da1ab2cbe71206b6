"""Control probes: which of them count."""

from __future__ import annotations

import pytest

from probe.core.controls import Controls
from probe.core.hosts import RESET, SYN_ACK, Hosts
from probe.core.ledger import slots_of
from tests.core.playbook import HOST4, block_of


def asked(kind: int) -> tuple[Hosts, Controls]:
    """One port answered, was asked again as a canary at 1.0, and has until 1.25."""
    hosts = Hosts(block_of([HOST4], [80, 81]))
    controls = Controls(hosts, 2, 7, [[0, 0], [0, 0]])
    hosts.answered(kind, slots_of(controls._tickets([1])))
    controls.sent(slots_of(controls.envoys(0)), 1.0, 0.25)
    return hosts, controls


@pytest.mark.parametrize("kind", [SYN_ACK, RESET])
def test_a_canary_that_does_not_answer_is_a_miss(kind: int) -> None:
    hosts, controls = asked(kind)
    assert controls.resolve(1.2) == []
    assert [trial.hit for trial in controls.resolve(1.3)] == [False]
    assert hosts.misses[0, kind] == 1
    assert hosts.gives[0] == 1 << kind


def test_a_canary_that_we_keep_busy_ourselves_witnesses_nothing_any_more() -> None:
    hosts, controls = asked(SYN_ACK)
    controls.busy = lambda slot: slot == 1
    controls.sent(slots_of(controls.envoys(0)), 1.1, 0.25)
    assert controls.resolve(1.3) == []
    assert controls.resolve(1.4) == []
    assert not hosts.misses.any()
    assert hosts.gives[0] == 0
    assert controls.next_expiry() is None


def test_a_reset_needs_no_room() -> None:
    hosts, controls = asked(RESET)
    controls.busy = lambda _slot: True
    assert [trial.hit for trial in controls.resolve(1.3)] == [False]
    assert hosts.misses[0, RESET] == 1
