"""The pump on asyncio's loop, with a clock that jumps: the loop's selector moves it to the next thing that happens."""

from __future__ import annotations

import asyncio
import errno
import os
import selectors
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from probe.core.columns import I64, Bytes
from probe.core.ledger import ICMP_HARD, NOT_SENT, RESET_SEEN, SYN_ACK_SEEN
from probe.core.pace import Pace
from probe.core.scan import Scan
from probe.net.pump import pump
from tests.core.fake_packets import read
from tests.core.fake_wire import FILTERED, OPEN, FakeWire, Weather, scattered_truth
from tests.core.playbook import Clock, block_of, scan_of

Ready = list[tuple[selectors.SelectorKey, int]]


class Jumping(selectors.SelectSelector):
    """Waits in no time at all: until the wire's next packet, or the loop's next timer."""

    def __init__(self, wire: FakeWire, clock: Clock) -> None:
        super().__init__()
        self.wire, self.clock = wire, clock

    def select(self, timeout: float | None = None) -> Ready:
        assert timeout is not None, "everyone waits for everyone"
        arrival, wake = self.wire.next_arrival(), self.clock.now + max(0.0, timeout)
        if arrival is None or arrival > wake:
            self.clock.now = wake
            return []
        self.clock.now = max(self.clock.now, arrival)
        return [(key, selectors.EVENT_READ) for key in self.get_map().values() if key.fd == self.wire.fd]


class Loop(asyncio.SelectorEventLoop):
    def __init__(self, wire: FakeWire, clock: Clock) -> None:
        self._now = clock
        super().__init__(Jumping(wire, clock))

    def time(self) -> float:
        return self._now()


@dataclass
class Stage:
    """A scan, a wire and a clock; `opened` counts how often each slot was announced, `turns` are their times."""

    scan: Scan
    wire: FakeWire
    clock: Clock
    rate: float = 5000.0
    opened: Counter[int] = field(default_factory=Counter)
    turns: list[float] = field(default_factory=list)

    def play(self, may_go_on: Callable[[float], bool] = lambda _: True) -> None:
        def on_open(slots: I64) -> None:
            self.opened.update(slots.tolist())

        with asyncio.Runner(loop_factory=lambda: Loop(self.wire, self.clock)) as runner:
            pace = Pace(self.rate, self.clock.now)
            runner.run(
                pump(self.scan, self.wire, pace, may_go_on=may_go_on, on_open=on_open, on_turn=self.turns.append)
            )


@contextmanager
def a_stage() -> Iterator[Stage]:
    """Two hosts of both families, 300 ports each, in moderate weather."""
    clock = Clock()
    weather = Weather(syn_loss=0.05, reply_loss=0.05, duplicates=0.1, forgeries=0.2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = FakeWire(scattered_truth, clock, weather, seed=3, fd=ours.fileno())
        yield Stage(scan_of(block_of(("198.18.0.1", "fd18::1"), range(1, 301)), attempts=6), wire, clock)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with a_stage() as stage:
        yield stage


@pytest.fixture(scope="module")
def played() -> Iterator[Stage]:
    """A stage after the whole play, for those who only look."""
    with a_stage() as stage:
        stage.play()
        yield stage


def truth_of(scan: Scan) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    rows, columns = np.divmod(np.arange(scan.block.slots), len(scan.block.ports))
    return scattered_truth(scan.block.high[rows], scan.block.low[rows], scan.block.ports[columns].astype(np.uint64))


def test_it_drives_a_scan_to_its_end(played: Stage) -> None:
    truth = truth_of(played.scan)
    expected = np.array([SYN_ACK_SEEN, RESET_SEEN, 0, ICMP_HARD], np.uint8)[truth]
    assert np.array_equal(played.scan.seen, expected)
    assert dict(played.opened) == dict.fromkeys(np.flatnonzero(truth == OPEN).tolist(), 1)
    assert played.scan.done
    assert played.scan.counters.forged == played.wire.forged > 50


def test_it_sends_no_faster_than_it_may(played: Stage) -> None:
    times = np.array([time for time, _ in played.wire.log])
    counts = np.array([packets for _, packets in played.wire.log])
    most = max(counts[(times >= start) & (times < start + 0.1)].sum() for start in times)
    assert 450 <= most <= 5000 * 0.1 * 1.06 + 1


def test_it_waits_no_longer_than_the_last_attempt(played: Stage) -> None:
    """Six attempts of one second, the eighth of a second that 600 packets take, and a turn here and there."""
    assert 6.0 <= played.clock.now - Clock().now <= 6.6
    assert max(np.diff(played.turns)) <= 0.1 + 1e-6  # whoever shows progress is asked ten times a second


def test_it_ends_soon_when_all_is_answered(stage: Stage) -> None:
    stage.wire.truth = lambda high, low, port: np.full(len(port), OPEN, np.uint8)
    stage.wire.weather = Weather()
    began = stage.clock.now
    stage.play()
    assert len(stage.opened) == 600
    assert stage.clock.now - began < 0.35  # 0.12 s to send, 0.03 s for the last answer, 0.1 s for a contradiction


def test_it_stops_when_it_is_told(stage: Stage) -> None:
    end = stage.clock.now + 0.05
    stage.play(may_go_on=lambda now: now < end)
    assert stage.clock.now == pytest.approx(end, abs=0.005)
    assert not stage.scan.done
    assert 0 < stage.scan.counters.sent <= 251 + 25


def test_where_nothing_answers_a_batch_is_chosen_before_the_last_one_is_noted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})  # no thread beside a clock that jumps
    monkeypatch.setattr("probe.net.pump.MOST", 64)
    stage.wire.truth = lambda high, low, port: np.full(len(port), FILTERED, np.uint8)
    stage.wire.weather, stage.wire.threaded, stage.rate = Weather(), True, 1e6
    due, chosen, unnoted = stage.scan.due, list[int](), list[int]()

    def on_due(now: float, budget: int) -> I64:
        tickets = due(now, budget)
        chosen.extend(tickets.tolist())
        unnoted.append(len(chosen) - int(stage.scan.tries.sum()) - tickets.size)
        return tickets

    monkeypatch.setattr(stage.scan, "due", on_due)
    stage.play()
    assert max(unnoted[:9]) == 64
    assert max(unnoted[12:]) == 0  # when all have been sent once, there is nothing to hurry for
    assert len(unnoted) > 60
    assert max(packets for _, packets in stage.wire.log) <= 64
    assert (stage.scan.tries == 6).all()
    assert stage.scan.done


def test_what_the_machine_refuses_is_not_sent(stage: Stage) -> None:
    """An errno for every odd port; those are never tried again, all others are."""

    def refuse(frames: Bytes) -> dict[int, I64]:
        start = 20 if frames.shape[1] == 60 else 40
        return {errno.EPERM: np.flatnonzero(read(frames, start + 2, 2) % np.uint64(2) == 1)}

    stage.wire.refuse = refuse
    stage.play()
    odd = np.tile(stage.scan.block.ports % 2 == 1, 2)
    assert (stage.scan.seen[odd] == NOT_SENT).all()
    assert (stage.scan.errno[odd] == errno.EPERM).all()
    assert (stage.scan.tries[odd] == 0).all()
    silent = ~odd & (truth_of(stage.scan) == FILTERED)
    assert (stage.scan.tries[silent] == 6).all()
    assert (stage.scan.seen[~odd] & NOT_SENT == 0).all()
