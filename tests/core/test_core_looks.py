"""The second look at closed ports, turn by turn: marked, with a number of its own, and no hurry."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from probe.core.ledger import LOOKED, MARK
from probe.model import Cause, Reason, State
from tests.core.fake_packets import read, seal
from tests.core.playbook import HOST4, HOST6, Play, block_of, careful_scan_of, judge, reset, syn_ack

both = pytest.mark.parametrize("host", [HOST4, HOST6])


def look_at(host: str, tos: int | None) -> Play:
    """Two ports, 80 open and 81 closed; the second look at 81 is answered by a reset with this TOS byte."""
    play = Play(host, ports=(80, 81))
    play.scan.second_look = True
    frames = play.send(1.0)
    frames = frames[np.argsort(read(frames, 22 if host == HOST4 else 42, 2))]
    play.hear(1.02, syn_ack(frames[:1]), reset(frames[1:]))
    looks = play.send(1.03)
    assert len(looks) == 1
    mark = looks[0, 1] if host == HOST4 else (looks[0, 0] & 15) << 4 | looks[0, 1] >> 4
    assert mark == MARK
    if tos is not None:
        play.hear(1.05, with_tos(reset(looks), tos))
    play.wait_out()
    return play


def with_tos(rows: npt.NDArray[np.uint8], tos: int) -> npt.NDArray[np.uint8]:
    if rows[0, 0] >> 4 == 4:
        rows[:, 1] = tos
    else:
        rows[:, 0], rows[:, 1] = 0x60 | tos >> 4, tos << 4 & 0xF0
    return seal(rows)


@both
@pytest.mark.parametrize(
    ("tos", "cause"),
    [
        (MARK, Cause.REFUSED),
        (MARK | 2, Cause.REFUSED),  # ECN may change on the way
        (0, Cause.UNDETERMINED),
        (0x20, Cause.UNDETERMINED),
        (None, Cause.UNDETERMINED),
    ],
)
def test_a_second_look_is_marked_and_tells_who_refused(host: str, tos: int | None, cause: Cause) -> None:
    verdicts = judge(look_at(host, tos).scan)
    assert [(v.state, v.cause) for v in verdicts] == [(State.OPEN, Cause.HALF_OPEN), (State.CLOSED, cause)]


def test_a_second_look_without_an_answer_is_tried_twice_and_delays_little() -> None:
    play = look_at(HOST4, None)
    assert play.scan.counters.sent == 4
    assert play.now < 4
    assert play.scan.tries.tolist() == [1, 1]


def test_a_duplicate_of_the_first_reset_is_no_answer_to_the_second_look() -> None:
    play = Play(HOST4)
    play.scan.second_look = True
    first = play.send(1.0)
    play.hear(1.02, reset(first))
    play.send(1.03)
    play.hear(1.04, with_tos(reset(first), MARK))
    assert play.scan.look.tolist() == [LOOKED]


def test_a_syn_ack_to_the_second_look_is_a_contradiction() -> None:
    play = Play(HOST4)
    play.scan.second_look = True
    play.hear(1.02, reset(play.send(1.0)))
    play.hear(1.05, syn_ack(play.send(1.03)))
    play.wait_out()
    assert play.verdict().reason is Reason.CONFLICT


def tos_of(frames: npt.NDArray[np.uint8]) -> list[int]:
    return [int(row[1]) if row[0] >> 4 == 4 else (int(row[0]) & 15) << 4 | int(row[1]) >> 4 for row in frames]


def play_of_marks(host: str, attempts: int = 3) -> Play:
    """As `probe.net.syn` makes a scan, of one port."""
    play = Play(host, attempts=attempts)
    play.scan.second_look = True
    play.scan.mark_first = True
    return play


@both
@pytest.mark.parametrize("tos, cause", [(MARK, Cause.REFUSED), (0, Cause.UNDETERMINED)])
def test_the_first_attempt_is_marked_and_a_reset_to_it_needs_no_second_look(host: str, tos: int, cause: Cause) -> None:
    play = play_of_marks(host)
    frames = play.send(1.0)
    assert tos_of(frames) == [MARK]
    play.hear(1.02, with_tos(reset(frames), tos))
    play.wait_out()
    assert play.scan.counters.sent == 1
    assert [(v.state, v.cause) for v in judge(play.scan)] == [(State.CLOSED, cause)]


@both
def test_later_attempts_are_plain_and_a_reset_to_one_is_looked_at_again(host: str) -> None:
    play = play_of_marks(host)
    play.send(1.0)
    plain = play.send(2.0)
    assert tos_of(plain) == [0]
    play.hear(2.02, with_tos(reset(plain), 0))
    looks = play.send(2.03)
    assert tos_of(looks) == [MARK]
    play.hear(2.05, with_tos(reset(looks), MARK))
    play.wait_out()
    assert [(v.state, v.cause) for v in judge(play.scan)] == [(State.CLOSED, Cause.REFUSED)]


def test_a_single_attempt_stays_plain() -> None:
    block = block_of([HOST4], [80])
    assert not careful_scan_of(block, 1000.0, attempts=1).mark_first
    assert careful_scan_of(block, 1000.0).mark_first
