"""A million probes through loss, duplicates, late answers and forgeries: no wrong verdict, and never too fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from probe.core.ledger import ANSWERED, ICMP_HARD, RESET_SEEN, SYN_ACK_SEEN
from probe.core.pace import Pace
from probe.core.scan import Scan
from probe.model import Cause, State
from tests.core.fake_wire import CLOSED, FILTERED, OPEN, REJECTED, FakeWire, Weather, scattered_truth
from tests.core.playbook import Clock, block_of, drive, judge, scan_of

HOSTS = (*(f"198.18.{n}.{7 * n + 1}" for n in range(8)), *(f"fd18:{n}::{n:x}{n:x}" for n in range(1, 9)))
RATE = 400_000.0
# A probe goes unanswered with probability 0.06 per attempt: 0.06**8 * 800,000 answering ports = 0.0001 wrong verdicts.
ATTEMPTS = 8
WEATHER = Weather(syn_loss=0.03, reply_loss=0.03, duplicates=0.05, forgeries=0.05, late=0.005)


@dataclass
class Aftermath:
    scan: Scan
    wire: FakeWire
    truth: npt.NDArray[np.uint8]


def storm(hosts: tuple[str, ...], ports: range, rate: float, weather: Weather = WEATHER) -> Aftermath:
    block = block_of(hosts, np.arange(ports.start, ports.stop).astype(np.uint16))
    scan = scan_of(block, attempts=ATTEMPTS, timeout=1.0)
    clock = Clock()
    wire = FakeWire(scattered_truth, clock, weather, seed=2)
    drive(scan, wire, Pace(rate, clock.now), clock, turn=0.004)
    rows, port = np.divmod(np.arange(block.slots), len(ports))
    truth = scattered_truth(block.high[rows], block.low[rows], port.astype(np.uint64) + np.uint64(ports.start))
    return Aftermath(scan, wire, truth)


@pytest.fixture(scope="module")
def million() -> Aftermath:
    return storm(HOSTS, range(1, 65536), RATE)


def test_no_verdict_is_wrong(million: Aftermath) -> None:
    scan, truth = million.scan, million.truth
    assert scan.block.slots == 1_048_560
    assert np.bincount(truth, minlength=4).min() > 50_000  # each truth is well represented
    expected = np.array([SYN_ACK_SEEN, RESET_SEEN, 0, ICMP_HARD], np.uint8)[truth]
    assert np.flatnonzero(scan.seen != expected).tolist() == []


def test_every_forgery_was_seen_through(million: Aftermath) -> None:
    assert million.wire.forged > 100_000
    assert million.scan.counters.forged == million.wire.forged


def test_only_the_silent_are_asked_again(million: Aftermath) -> None:
    scan, truth = million.scan, million.truth
    assert set(scan.tries[truth == FILTERED].tolist()) == {ATTEMPTS}
    answered = scan.tries[truth != FILTERED]
    assert answered.min() == 1
    shares = np.bincount(answered, minlength=5) / len(answered)
    assert shares[1:4].tolist() == pytest.approx([0.9375, 0.0590, 0.0033], rel=0.05)


def test_the_counters_are_the_wires(million: Aftermath) -> None:
    scan = million.scan
    assert scan.counters.sent == sum(packets for _, packets in million.wire.log) == int(scan.tries.sum())
    assert scan.counters.received == int((scan.seen & ANSWERED > 0).sum())
    assert scan.remaining == 0


def test_no_100_ms_see_more_than_their_share(million: Aftermath) -> None:
    times = np.array([time for time, _ in million.wire.log])
    total = np.concatenate([[0], np.cumsum([packets for _, packets in million.wire.log])])
    within = total[np.searchsorted(times, times + 0.1 - 1e-9)] - total[:-1]  # from each sending on, 100 ms
    assert within.max() <= RATE * 0.1 * 1.06 + 1
    assert within.max() > RATE * 0.1 * 0.95  # and the rate is used


def test_the_evidence_is_the_true_answers(million: Aftermath) -> None:
    """Not a forgery's: those claim TTL 63 and the lie's flags; not a duplicate's: that comes later."""
    scan, truth = million.scan, million.truth
    rows = scan.block.address_rows(np.arange(scan.block.slots))
    hops = 63 - (scan.block.low[rows] & np.uint64(0xFF)) % np.uint64(8)
    answered = (truth == OPEN) | (truth == CLOSED)
    assert np.array_equal(scan.ttl[answered], hops[answered].astype(np.uint8))
    assert set(scan.flags[truth == OPEN].tolist()) == {0x12}
    assert set(scan.flags[truth == CLOSED].tolist()) == {0x14}
    once = answered & (scan.tries == 1)
    assert not np.isnan(scan.rtt[once]).any()
    assert 0.001 <= scan.rtt[once].min() <= scan.rtt[once].max() < 1.0
    assert np.isnan(scan.rtt[answered & (scan.tries > 1)]).all()


def test_verdicts_of_a_storm() -> None:
    """The same, up to the objects that users get."""
    after = storm(HOSTS[5:11], range(8000, 8800), 20_000.0)
    states = {OPEN: State.OPEN, CLOSED: State.CLOSED, FILTERED: State.FILTERED, REJECTED: State.FILTERED}
    causes = {OPEN: Cause.HALF_OPEN, CLOSED: Cause.UNDETERMINED, FILTERED: Cause.DROPPED, REJECTED: Cause.REJECTED}
    verdicts = judge(after.scan)
    assert len(verdicts) == 4800
    assert [(v.state, v.cause) for v in verdicts] == [(states[kind], causes[kind]) for kind in after.truth.tolist()]
    assert [v.key for v in verdicts] == sorted(
        (v.key for v in verdicts), key=lambda key: (key.address.version, int(key.address), key.port)
    )
    assert all(v.live for v in verdicts)


def test_a_calm_network_costs_one_packet_per_answer() -> None:
    after = storm(HOSTS[7:9], range(1, 2001), 50_000.0, Weather())
    silent = int((after.truth == FILTERED).sum())
    assert after.scan.counters.sent == 4000 - silent + silent * ATTEMPTS
    assert after.scan.counters.forged == 0
