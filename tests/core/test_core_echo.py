"""How a host's own reset sounds, asked of an open port: the control that tells a rule on the host from the host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from probe.core.assess import Assessment, Circumstances
from probe.core.echo import EchoControl
from probe.core.ledger import MARK
from probe.model import Cause
from tests.core.fake_packets import RST, read, seal, tcp, write
from tests.core.playbook import HOST4, HOST6, Play, reset, syn_ack
from tests.core.slow_replies import Packet, batch_of

Rows = npt.NDArray[np.uint8]
both = pytest.mark.parametrize("host", [HOST4, HOST6])


def rejected_port(host: str) -> Play:
    """80 is open, 81 reset without our mark, at the same TTL."""
    play = Play(host, ports=(80, 81))
    play.scan.second_look = True
    frames = play.send(1.0)
    frames = frames[np.argsort(read(frames, 22 if host == HOST4 else 42, 2))]
    play.hear(1.02, syn_ack(frames[:1]), reset(frames[1:]))
    play.hear(1.05, reset(play.send(1.03)))
    play.wait_out()
    return play


def ask(control: EchoControl, now: float) -> Rows:
    tickets = control.due(now, 100)
    rows = [rows.view(np.uint8).reshape(len(rows), -1) for _, rows in control.frames(tickets, now)]
    control.sent(tickets, now)
    return np.concatenate(rows) if rows else np.zeros((0, 60), np.uint8)


def own_reset(question: Rows, tos: int, off: int = 0) -> Rows:
    """RFC 9293 section 3.10.7.2: <SEQ=SEG.ACK><CTL=RST>, without ACK."""
    answer, start = tcp(question, RST), 20 if question[0, 0] >> 4 == 4 else 40
    write(answer, start + 4, 4, read(question, start + 8, 4) + np.uint64(off))
    write(answer, start + 8, 4, 0)
    if start == 20:
        answer[:, 1] = tos
    else:
        answer[:, 0], answer[:, 1] = 0x60 | tos >> 4, tos << 4 & 0xF0
    return seal(answer)


def cause_after(play: Play, control: EchoControl) -> Cause | None:
    assessment = Assessment(play.scan, Circumstances(), str, lambda _: None, control.ttls)
    return list(assessment.verdicts())[1].cause


@both
@pytest.mark.parametrize(
    ("tos", "off", "cause"),
    [
        (MARK, 0, Cause.REJECTED),  # its own resets have the mark: the other was a rule's
        (0, 0, Cause.UNDETERMINED),  # its own have none either
        (MARK, 1, Cause.UNDETERMINED),  # not an answer to our question
    ],
)
def test_the_control_tells_a_rule_from_the_host(host: str, tos: int, off: int, cause: Cause) -> None:
    play = rejected_port(host)
    control = EchoControl(play.scan, 0.25, 1e9)
    question = ask(control, 2.0)
    assert len(question) == 1
    flags = question[0, 20 + 13 if host == HOST4 else 40 + 13]
    assert flags == 16  # an ACK, of no connection
    control.receive(batch_of([Packet(row.tobytes()) for row in own_reset(question, tos, off)]), 2.01)
    assert control.done == (off == 0)
    assert cause_after(play, control) is cause


def test_without_an_answer_it_asks_twice_and_is_over() -> None:
    play = rejected_port(HOST4)
    control = EchoControl(play.scan, 0.25, 1e9)
    assert [len(ask(control, 2.0 + 0.25 * n)) for n in range(3)] == [1, 1, 0]
    control.on_time(3.0)
    assert control.done
    assert cause_after(play, control) is Cause.UNDETERMINED


def test_nothing_is_asked_where_nothing_is_in_doubt() -> None:
    play = Play(HOST4, ports=(80, 81))
    play.hear(1.02, syn_ack(play.send(1.0)))
    play.wait_out()
    assert EchoControl(play.scan, 0.25, 1e9).done
