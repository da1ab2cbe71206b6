"""Silence on paths that police, lose, ban and go dark: never `filtered` where an answer was lost, and in bounded time.

The truth by port is the same on every host: odd ports are open or closed as said, the rest is silent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest

from probe.core.assess import Circumstances
from probe.core.pace import Pace
from probe.core.scan import Scan
from probe.model import Cause, Reason, State, Verdict
from tests.core.fake_wire import Weather
from tests.core.hostile_path import Bucket, HostilePath, truth_by_port
from tests.core.playbook import HOST4, Clock, block_of, careful_scan_of, drive, judge


def odd(port: int) -> bool:
    return port % 2 == 1


def even(port: int) -> bool:
    return port % 2 == 0


def none(_port: int) -> bool:
    return False


@dataclass
class Aftermath:
    scan: Scan
    wire: HostilePath
    seconds: float
    verdicts: list[Verdict] = field(default_factory=list)

    def states(self, port: int | None = None) -> Counter[tuple[bool, State]]:
        """How often (odd port, state)."""
        return Counter((odd(v.key.port), v.state) for v in self.verdicts)


def scan_through(
    ports: range, *, hosts: tuple[str, ...] = (HOST4,), closed: bool = False, rate: float = 5000.0, **path: object
) -> Aftermath:
    """Odd ports are open, even ones silent or (`closed`) closed."""
    clock = Clock()
    scan = careful_scan_of(block_of(hosts, np.array(ports, np.uint16)), rate)
    truth = truth_by_port(odd, even if closed else none)
    wire = HostilePath(truth, clock, **path)  # type: ignore[arg-type]
    began = clock.now
    drive(scan, wire, Pace(rate, clock.now), clock, turn=0.001)
    return Aftermath(scan, wire, clock.now - began, judge(scan, Circumstances()))


def test_a_calm_path_costs_three_attempts_and_little_else() -> None:
    after = scan_through(range(1, 401))
    assert after.states() == {(True, State.OPEN): 200, (False, State.FILTERED): 200}
    assert {v.cause for v in after.verdicts} == {Cause.HALF_OPEN, Cause.DROPPED}
    assert {v.attempts for v in after.verdicts if v.state is State.FILTERED} <= {3, 4}
    assert after.seconds < 3.6
    assert after.scan.counters.sent < 1.2 * (200 + 3 * 200)
    assert after.scan.counters.slowest is None
    assert all(v.evidence.p_miss is not None and v.evidence.p_miss < 1e-5 for v in after.verdicts if even(v.key.port))


def test_a_host_without_a_voice_has_its_attempts_and_no_proof() -> None:
    clock = Clock()
    scan = careful_scan_of(block_of((HOST4,), np.arange(1, 301, dtype=np.uint16)), 5000.0)
    drive(scan, HostilePath(truth_by_port(none, none), clock), Pace(5000.0, clock.now), clock, turn=0.001)
    found = judge(scan)
    assert {(v.state, v.cause, v.live, v.attempts, v.evidence.p_miss) for v in found} == {
        (State.FILTERED, Cause.DROPPED, False, 3, None)
    }
    assert scan.counters.sent == 900
    assert clock.now < 104


@pytest.mark.parametrize(("policed", "ports", "most"), [(300.0, 300, 40), (20.0, 60, 60)])
@pytest.mark.parametrize("closed", [False, True])
def test_a_policed_path(policed: float, ports: int, most: float, closed: bool) -> None:
    after = scan_through(range(1, ports + 1), closed=closed, police=Bucket(policed))
    other = State.CLOSED if closed else State.FILTERED
    assert after.states() == {(True, State.OPEN): ports // 2, (False, other): ports // 2}
    assert after.seconds < most
    assert after.scan.counters.slowest is not None


@pytest.mark.parametrize("loss", [0.05, 0.2])
def test_random_loss_each_way(loss: float) -> None:
    took = []
    for seed in range(3):
        after = scan_through(range(1, 401), weather=Weather(syn_loss=loss, reply_loss=loss), seed=seed)
        assert after.states() == {(True, State.OPEN): 200, (False, State.FILTERED): 200}
        took.append(after.seconds)
    assert sorted(took)[1] < 20
    assert max(took) < 60  # one in eight has bad luck: its control probes are lost in a row, and it slows down
    trials, misses = np.sum(after.scan.counters.trials, axis=0)
    assert misses / trials == pytest.approx(1 - (1 - loss) ** 2, abs=0.1)


def test_resets_that_are_rate_limited_are_waited_for() -> None:
    after = scan_through(range(1, 401), closed=True, limit_resets=Bucket(100))
    assert after.states() == {(True, State.OPEN): 200, (False, State.CLOSED): 200}
    assert after.seconds < 40


@pytest.mark.parametrize("ban_after", [20, 150])
def test_a_ban_in_mid_scan_makes_silence_unknown(ban_after: int) -> None:
    after = scan_through(range(1, 201), ban_after=ban_after)
    assert (False, State.FILTERED) not in after.states()
    assert (True, State.FILTERED) not in after.states()
    assert {v.reason for v in after.verdicts if v.state is State.UNKNOWN} == {Reason.CANARY_SILENT}
    assert after.seconds < 15


@pytest.mark.parametrize("start", [0.05, 0.5, 1.5])
def test_a_link_that_is_down_for_three_seconds(start: float) -> None:
    after = scan_through(range(1, 201), blackouts=((start, start + 3),))
    assert after.states() == {(True, State.OPEN): 100, (False, State.FILTERED): 100}
    assert after.seconds < 15


def test_one_host_of_many_is_policed() -> None:
    hosts = tuple(f"198.18.0.{n}" for n in range(1, 9))
    after = scan_through(range(1, 81), hosts=hosts, police=Bucket(20), police_host=5)
    assert after.states() == {(True, State.OPEN): 320, (False, State.FILTERED): 320}
    others = [v.attempts for v in after.verdicts if str(v.key.address) != "198.18.0.5"]
    assert max(others) <= 7  # they do not suffer for it
    assert after.seconds < 60


def test_the_rate_holds_in_every_100_ms_control_probes_included() -> None:
    after = scan_through(range(1, 401), rate=2000.0, weather=Weather(syn_loss=0.1))
    times = np.array([time for time, _ in after.wire.log])
    total = np.concatenate([[0], np.cumsum([packets for _, packets in after.wire.log])])
    within = total[np.searchsorted(times, times + 0.1 - 1e-9)] - total[:-1]
    assert within.max() <= 2000 * 0.1 * 1.06 + 1
    assert total[-1] == after.scan.counters.sent


def test_what_the_kernel_dropped_is_asked_again() -> None:
    """Nothing was silent: the answers came, and our kernel had no room for them."""
    clock, dropped = Clock(), []
    scan = careful_scan_of(block_of((HOST4,), np.arange(1, 101, dtype=np.uint16)), 5000.0)

    class Deaf(HostilePath):
        def receive(self) -> None:
            if clock.now < 100.5 and super().receive() is not None:
                dropped.append(clock.now)
                scan.lost(clock.now)
            return super().receive() if clock.now >= 100.5 else None  # type: ignore[return-value]

    drive(scan, Deaf(truth_by_port(odd, even), clock), Pace(5000.0, clock.now), clock, turn=0.001)
    assert dropped
    assert {v.state for v in judge(scan)} == {State.OPEN, State.CLOSED}
