"""From columns to verdicts: what interruption, our own losses, the handshake and the host's other answers change."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from probe.core import ledger
from probe.core.assess import Circumstances
from probe.model import Cause, Conversation, Handshake, Reason, State
from tests.core.fake_packets import icmp, read
from tests.core.playbook import HOST4, HOST6, Play, judge, reset, syn_ack


def test_interrupted_before_it_was_sent() -> None:
    """What was never asked has no verdict, unless our own machine is why."""
    play = Play(HOST4, HOST6)
    play.scan.exclude(np.array([1]), errno.ENETUNREACH)
    (verdict,) = judge(play.scan, Circumstances(interrupted=True))
    assert (str(verdict.key.address), verdict.reason) == (HOST6, Reason.NOT_SENT)


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_interrupted_before_the_last_wait_was_over(attempts: int) -> None:
    """Also in the last attempt: an answer might have been on its way."""
    play = Play(HOST4, attempts=attempts)
    for attempt in range(attempts):
        play.send(1.0 + attempt)
        assert play.verdict(interrupted=True).reason is Reason.INTERRUPTED
    play.scan.on_time(1.0 + attempts)
    assert play.verdict(interrupted=True).reason is Reason.NO_RESPONSE


def test_interrupted_after_the_answer() -> None:
    play = Play(HOST4)
    play.hear(1.1, syn_ack(play.send(1.0)))
    assert play.verdict(interrupted=True).state is State.OPEN


def test_our_own_losses_make_silence_unknown_and_nothing_else() -> None:
    play = Play(HOST4, ports=(80, 81))
    frames = play.send(1.0)
    play.hear(1.1, syn_ack(frames[:1]))
    play.scan.lost(1.2)
    play.wait_out()
    found = {verdict.key.port: verdict for verdict in judge(play.scan, Circumstances(kernel_drops=12))}
    answered = int(read(frames[:1], 22, 2)[0])
    silent = found[161 - answered]
    assert found[answered].state is State.OPEN
    assert (silent.state, silent.reason, silent.cause) == (State.UNKNOWN, Reason.NO_RESPONSE, None)
    assert "12" in str(silent.evidence.note)


@pytest.mark.parametrize(
    ("handshake", "cause"),
    [
        (Handshake.ANSWERED, Cause.LISTENING),
        (Handshake.MUTE, Cause.LISTENING),
        (Handshake.CLOSED, Cause.TCPWRAPPED),
        (Handshake.RESET, Cause.TCPWRAPPED),
        (Handshake.FAILED, Cause.UNDETERMINED),
    ],
)
def test_the_handshake_gives_the_cause(handshake: Handshake, cause: Cause) -> None:
    play = Play(HOST4)
    play.hear(1.1, syn_ack(play.send(1.0)))
    (verdict,) = judge(play.scan, conversation=Conversation(handshake))
    assert (verdict.cause, verdict.conversation) == (cause, Conversation(handshake))


def test_resets_are_compared_with_the_hosts_own_ttl() -> None:
    play = Play(HOST4, ports=(80, 81, 82))
    frames = play.send(1.0)
    frames = frames[np.argsort(read(frames, 22, 2))]
    play.hear(1.1, syn_ack(frames[:1], ttl=60), reset(frames[1:2], ttl=60), reset(frames[2:], ttl=62))
    found = judge(play.scan)
    assert [verdict.cause for verdict in found] == [Cause.HALF_OPEN, Cause.UNDETERMINED, Cause.REJECTED]
    assert "2 hops nearer" in str(found[2].evidence.note)


def test_only_the_hosts_own_voice_makes_it_live() -> None:
    play = Play("198.18.0.1", "198.18.0.2", "198.18.0.3")
    frames = play.send(1.0)
    frames = frames[np.argsort(read(frames, 16, 4))]
    from_host = icmp(frames[1:2], 3, 3, sender=bytes([198, 18, 0, 2]))
    play.hear(1.1, icmp(frames[:1], 3, 13), from_host, icmp(frames[2:], 3, 1))
    assert [verdict.live for verdict in judge(play.scan)] == [False, True, False]


def test_no_route_from_a_host_that_lives_is_a_rule() -> None:
    play = Play(HOST4, ports=(80, 81))
    frames = play.send(1.0)
    frames = frames[np.argsort(read(frames, 22, 2))]
    play.hear(1.1, syn_ack(frames[:1]), icmp(frames[1:], 3, 1))
    play.wait_out()
    assert [verdict.cause for verdict in judge(play.scan)] == [Cause.HALF_OPEN, Cause.REJECTED]


def test_many_senders_of_errors_fill_no_memory_and_change_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_ICMP_KINDS", 10)
    play = Play(HOST4, ports=range(1, 51))
    frames = play.send(1.0)
    play.hear(1.1, *(icmp(frames[n : n + 1], 3, 13, sender=bytes([198, 18, 7, n])) for n in range(50)))
    assert len(play.scan.icmp_kinds) == 11
    found = judge(play.scan)
    assert {verdict.cause for verdict in found} == {Cause.REJECTED}
    assert sum(verdict.evidence.responder is None for verdict in found) == 40
