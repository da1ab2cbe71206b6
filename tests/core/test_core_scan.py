"""The engine, turn by turn: one probe and all that can happen to it. The millions are in test_core_million."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from probe.core import scan as engine
from probe.core.ledger import NOT_SENT, SYN_ACK_SEEN
from probe.core.replies import FIN
from probe.core.scan import AT_HOME, LINGER
from probe.model import Cause, Reason, State
from probe.net.craft import syn_templates
from tests.core.fake_packets import ACK, RST, SYN, icmp, read, seal, tcp, write
from tests.core.fake_wire import FORGERIES
from tests.core.playbook import HOST4, HOST6, PORT, US, Play, block_of, judge, local_of, reset, syn_ack

both = pytest.mark.parametrize("host", [HOST4, HOST6])
# (hard, soft): prohibited and host-unreachable, in the words of each family
ERRORS = {HOST4: ((3, 13), (3, 1)), HOST6: ((1, 1), (1, 3))}


@both
def test_an_answer_opens_the_port(host: str) -> None:
    play = Play(host)
    frames = play.send(1.0)
    assert len(frames) == 1
    assert play.hear(1.02, syn_ack(frames, ttl=57)) == [0]
    play.wait_out()
    verdict = play.verdict()
    assert (verdict.state, verdict.reason, verdict.cause) == (State.OPEN, Reason.SYN_ACK, Cause.HALF_OPEN)
    evidence = verdict.evidence
    assert (evidence.responder, evidence.ttl, evidence.window, evidence.flags) == (host, 57, 65160, "SA")
    assert verdict.rtt_ms == pytest.approx(20, rel=1e-3)
    assert (verdict.attempts, verdict.live) == (1, True)
    counters = play.scan.counters
    assert (counters.sent, counters.received, counters.forged) == (1, 1, 0)


@both
def test_a_reset_closes_it(host: str) -> None:
    play = Play(host)
    assert play.hear(1.02, reset(play.send(1.0))) == []
    verdict = play.verdict()
    assert (verdict.state, verdict.reason, verdict.cause) == (State.CLOSED, Reason.RESET, Cause.UNDETERMINED)
    assert verdict.evidence.flags == "AR"
    assert not verdict.live  # somebody may have said it in the host's name


@both
def test_silence_after_all_attempts_with_the_same_packet(host: str) -> None:
    play = Play(host, attempts=4)
    frames = [play.send(second) for second in (1.0, 2.0, 3.0, 4.0)]
    assert [len(part) for part in frames] == [1, 1, 1, 1]
    start, addresses = (20, 12) if host == HOST4 else (40, 8)
    assert len({part[0, addresses : start + 8].tobytes() for part in frames}) == 1  # addresses, ports, sequence number
    assert not play.over()
    assert len(play.send(5.0)) == 0
    assert play.over()
    verdict = play.verdict()
    assert (verdict.state, verdict.reason, verdict.cause) == (State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED)
    assert (verdict.attempts, verdict.live, verdict.rtt_ms) == (4, False, None)


def test_the_wait_is_neither_shorter_nor_longer() -> None:
    play = Play(HOST4, attempts=2, timeout=0.5)
    assert len(play.send(1.0)) == 1
    assert play.scan.next_deadline() == 1.5
    assert len(play.send(1.499)) == 0
    assert len(play.send(1.5)) == 1
    assert len(play.send(1.999)) == 0
    assert not play.over()
    play.send(2.0)
    assert play.over()


def test_the_timestamp_ticks_and_stays_in_32_bits() -> None:
    play = Play(HOST4, attempts=2, timeout=0.5)
    assert read(play.send(5_000_000.125), 20 + 28, 4).tolist() == [5_000_000_125 % 2**32]
    assert read(play.send(5_000_000.625), 20 + 28, 4).tolist() == [5_000_000_625 % 2**32]


def test_a_late_answer_counts() -> None:
    play = Play(HOST4)
    first = play.send(1.0)
    play.send(2.0)
    assert play.hear(2.3, syn_ack(first)) == [0]
    verdict = play.verdict()
    assert (verdict.state, verdict.attempts) == (State.OPEN, 2)
    assert verdict.rtt_ms is None  # Karn: it may have answered either
    assert len(play.send(3.0)) == 0


def test_an_answer_between_two_attempts_stops_the_second() -> None:
    """The wait is over and the probe queued again, but the answer comes before there is room to send."""
    play = Play(HOST4)
    frames = play.send(1.0)
    assert len(play.send(2.0, budget=0)) == 0
    play.hear(2.0, reset(frames))
    assert len(play.send(2.1)) == 0
    assert play.scan.tries.tolist() == [1]


@pytest.mark.parametrize("apart", [False, True])
def test_a_duplicate_counts_once(apart: bool) -> None:
    play = Play(HOST4)
    answer = syn_ack(play.send(1.0))
    opened = play.hear(1.1, answer) + play.hear(1.1, answer) if apart else play.hear(1.1, answer, answer)
    assert opened == [0]
    assert (play.scan.counters.received, play.scan.counters.forged) == (1, 0)
    assert play.verdict().state is State.OPEN


@both
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("reset_first", [False, True])
def test_reset_and_syn_ack_are_a_conflict(host: str, apart: bool, reset_first: bool) -> None:
    play = Play(host)
    frames = play.send(1.0)
    answers = [reset(frames, ttl=60), syn_ack(frames, ttl=50)]
    answers = answers if reset_first else answers[::-1]
    if apart:
        play.hear(1.1, answers[0])
        play.hear(1.1 + LINGER / 2, answers[1])
    else:
        play.hear(1.1, *answers)
    verdict = play.verdict()
    assert (verdict.state, verdict.reason, verdict.cause) == (State.UNKNOWN, Reason.CONFLICT, None)
    assert verdict.evidence.ttl == (60 if reset_first else 50)  # what came first
    assert verdict.conversation is None


def test_a_contradiction_is_waited_for() -> None:
    play = Play(HOST4)
    play.hear(1.1, reset(play.send(1.0)))
    assert play.scan.next_deadline() == pytest.approx(1.1 + LINGER)
    play.scan.on_time(1.1 + LINGER / 2)
    assert not play.over()
    play.scan.on_time(1.1 + LINGER + 0.001)
    assert play.over()


@pytest.mark.parametrize(
    ("hosts", "linger"), [((US[4],), AT_HOME), ((US[6],), AT_HOME), ((HOST4,), LINGER), ((US[4], HOST4), LINGER)]
)
def test_nobody_stands_between_us_and_ourselves(hosts: tuple[str, ...], linger: float) -> None:
    """To contradict us there; to any other address among ours there may be somebody."""
    play = Play(*hosts)
    play.hear(1.1, reset(play.send(1.0)))
    assert play.scan.next_deadline() == pytest.approx(1.1 + linger)


@both
def test_a_soft_error_is_not_final(host: str) -> None:
    play = Play(host)
    frames = play.send(1.0)
    play.hear(1.1, icmp(frames, *ERRORS[host][1]))
    again = play.send(2.0)
    assert len(again) == 1
    play.hear(2.1, syn_ack(again))
    assert play.verdict().state is State.OPEN


@both
def test_a_soft_error_and_nothing_else(host: str) -> None:
    play = Play(host)
    play.hear(1.1, icmp(play.send(1.0), *ERRORS[host][1], ttl=61))
    play.wait_out()
    verdict = play.verdict()
    assert (verdict.state, verdict.reason, verdict.cause) == (State.FILTERED, Reason.HOST_UNREACH, Cause.UNREACHABLE)
    assert (verdict.attempts, verdict.live, verdict.evidence.ttl) == (3, False, 61)


@both
def test_a_hard_error_ends_the_attempts(host: str) -> None:
    play = Play(host)
    play.hear(1.1, icmp(play.send(1.0), *ERRORS[host][0]))
    play.wait_out()
    verdict = play.verdict()
    assert (verdict.state, verdict.reason, verdict.cause) == (State.FILTERED, Reason.ADMIN_PROHIBITED, Cause.REJECTED)
    assert verdict.attempts == 1
    assert verdict.evidence.responder == ("198.18.255.1" if host == HOST4 else "fd18:ffff::1")
    kind, code = ERRORS[host][0]
    assert (verdict.evidence.icmp_type, verdict.evidence.icmp_code) == (kind, code)


@both
def test_a_hard_error_after_a_soft_one_is_the_one_told(host: str) -> None:
    hard, soft = ERRORS[host]
    play = Play(host)
    frames = play.send(1.0)
    play.hear(1.1, icmp(frames, *soft))
    play.hear(1.2, icmp(frames, *hard))
    play.hear(1.3, icmp(frames, *soft))
    assert play.verdict().reason is Reason.ADMIN_PROHIBITED


def test_a_reply_outweighs_any_error() -> None:
    play = Play(HOST4)
    frames = play.send(1.0)
    play.hear(1.1, icmp(frames, 3, 13))
    play.hear(1.15, syn_ack(frames))
    assert play.verdict().state is State.OPEN


@pytest.mark.parametrize("code", [4, 16])
def test_an_error_that_says_nothing_about_ports(code: int) -> None:
    play = Play(HOST4)
    play.hear(1.1, icmp(play.send(1.0), 3, code))
    play.wait_out()
    assert play.verdict().reason is Reason.NO_RESPONSE
    assert play.scan.counters.forged == 0


@both
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: str(forge.__name__))
@pytest.mark.parametrize("flags", [SYN | ACK, RST | ACK])
def test_a_forgery_decides_nothing(host: str, forge: object, flags: int) -> None:
    assert callable(forge)
    play = Play(host, ports=(80, 81))
    frames = play.send(1.0)
    assert play.hear(1.1, forge(frames, flags)) == []
    assert not play.scan.seen.any()
    assert play.scan.counters.forged == 2
    assert play.scan.counters.received == 0
    assert play.hear(1.2, syn_ack(frames)) == [0, 1]


@both
def test_a_right_guess_for_a_probe_never_sent(host: str) -> None:
    """Only who knows the seed could make one; still, there is nothing yet that it could answer."""
    play = Play(host, ports=(80, 81))
    both_frames = Play(host, ports=(80, 81)).send(1.0)
    play.send(1.0, budget=1)
    assert len(play.hear(1.1, syn_ack(both_frames))) == 1
    assert play.scan.counters.forged == 1


def test_strangers_are_not_counted_as_forgers() -> None:
    """Packets to other ports of ours are other programs' business."""
    play = Play(HOST4)
    answer = syn_ack(play.send(1.0))
    write(answer, 22, 2, PORT + 1)
    play.hear(1.1, seal(answer))
    assert play.scan.counters.forged == 0
    assert not play.scan.seen.any()


def test_a_segment_without_syn_or_reset_is_no_answer() -> None:
    play = Play(HOST4)
    frames = play.send(1.0)
    play.hear(1.1, tcp(frames, ACK), tcp(frames, ACK | FIN))
    assert play.scan.counters.forged == 2
    assert not play.scan.seen.any()


def test_what_could_not_be_sent_is_unknown() -> None:
    play = Play(HOST4)
    for attempt in range(6):
        play.scan.failed(play.scan.due(1.0 + attempt, 10), errno.ENETUNREACH, 1.0 + attempt)
    play.wait_out()
    verdict = play.verdict()
    assert (verdict.state, verdict.reason, verdict.cause) == (State.UNKNOWN, Reason.NOT_SENT, None)
    assert (verdict.evidence.errno, verdict.attempts) == ("ENETUNREACH", 0)


def test_a_failure_of_a_later_attempt_makes_silence_unknown() -> None:
    play = Play(HOST4)
    play.send(1.0)
    for attempt in range(6):
        play.scan.failed(play.scan.due(2.0 + attempt, 10), errno.ENOBUFS, 2.0 + attempt)
    play.wait_out()
    assert (play.verdict().reason, play.verdict().evidence.errno) == (Reason.NOT_SENT, "ENOBUFS")


def test_excluded_addresses_are_never_due_and_cost_no_turn() -> None:
    play = Play("198.18.0.1", "198.18.0.2", "198.18.0.3", ports=range(1, 101))
    play.scan.exclude(np.array([0, 2]), errno.EHOSTUNREACH)
    slots = np.concatenate([play.scan.due(0.0, 10) for _ in range(10)])
    assert sorted(slots.tolist()) == list(range(100, 200))
    states = {verdict.target: verdict.evidence.errno for verdict in judge(play.scan)}
    assert states == {"row 0": "EHOSTUNREACH", "row 1": None, "row 2": "EHOSTUNREACH"}


def test_a_scan_of_which_nothing_can_be_sent_is_over_at_once() -> None:
    play = Play(HOST4, HOST6, ports=range(1, 1001))
    play.scan.exclude(np.array([0, 1]), errno.ENETUNREACH)
    assert play.scan.due(0.0, 5).size == 0
    assert play.over()
    assert (play.scan.seen == NOT_SENT).all()


def test_the_budget_is_kept_and_the_silent_come_first() -> None:
    play = Play(HOST4, ports=range(1, 101), attempts=2)
    first = play.send(0.0, budget=30)
    assert len(first) == 30
    assert len(play.send(1.0, budget=20)) == 20  # 30 are silent: again, before fresh ones
    assert play.scan.tries.max() == 2
    assert int((play.scan.tries > 0).sum()) == 30
    assert len(play.send(1.0, budget=20)) == 20
    assert int((play.scan.tries == 2).sum()) == 30
    assert int((play.scan.tries > 0).sum()) == 40


def test_order_and_cookies_belong_to_the_seed() -> None:
    one, same, other = (Play(HOST4, ports=range(1, 201)) for _ in range(3))
    other.scan = engine.Scan(other.scan.block, other.scan.local, other.scan.templates, 8, 3, 1.0)
    a, b, c = (play.send(0.0) for play in (one, same, other))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    order, foreign = (read(frames, 22, 2).tolist() for frames in (a, c))
    assert order != sorted(order)
    assert order != foreign
    assert sorted(order) == sorted(foreign)
    assert len(set(read(a, 24, 4).tolist())) == 200


def test_cookies_belong_to_the_whole_tuple() -> None:
    """Another port of ours, another address, another port of theirs: another number."""
    block = block_of((HOST4, "198.18.0.2", HOST6), (80, 81))
    scans = [engine.Scan(block, local_of(block, port), syn_templates(), 7, 3, 1.0) for port in (PORT, PORT + 1)]
    assert len({cookie for scan in scans for cookie in scan.cookies(np.arange(6)).tolist()}) == 12


def test_progress_is_told() -> None:
    play = Play(HOST4, ports=range(1, 11), attempts=3)
    scan = play.scan
    assert (scan.settled, scan.remaining) == (0, 30)
    frames = play.send(0.0)
    assert (scan.settled, scan.remaining) == (0, 20)
    play.hear(0.1, syn_ack(frames[:4]))
    assert (scan.settled, scan.remaining) == (4, 12)
    play.wait_out()
    assert (scan.settled, scan.remaining) == (4, 0)
    assert int((scan.seen == SYN_ACK_SEEN).sum()) == 4


def test_both_families_in_one_scan() -> None:
    play = Play(HOST4, HOST6, ports=(80, 443))
    scan = play.scan
    parts = scan.frames(scan.due(0.0, 10), 0.0)
    assert [(slots.size, rows.dtype.itemsize) for slots, rows in parts] == [(2, 60), (2, 80)]
    answers = []
    for slots, rows in parts:
        scan.sent(slots, 0.0)
        answers.append(syn_ack(rows.view(np.uint8).reshape(len(rows), -1)))
    assert play.hear(0.1, *answers) == [0, 1, 2, 3]
    assert [str(verdict.key.address) for verdict in judge(scan)] == [HOST4] * 2 + [HOST6] * 2
