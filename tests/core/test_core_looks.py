"""The second look at closed ports, turn by turn: marked, with a number of its own, and no hurry."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from probe.core.ledger import LOOKED, MARK
from probe.model import Cause, Reason, State
from tests.core.fake_packets import read, seal
from tests.core.playbook import HOST4, HOST6, Play, judge, reset, syn_ack

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
