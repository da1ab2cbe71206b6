"""What a traced handshake means: a verdict, an exit code and sentences for each way that it can go."""

from __future__ import annotations

import errno

import pytest

from probe.core.conclusion import Conclusion, Word, blind, conclude
from probe.core.located import Located
from probe.core.story import Story
from probe.model import Cause, Handshake, Reason, State
from tests.core.tracebook import DPORT, ENDS, HELLO, ROUTER, THEM, US, error, segment, told

OPEN = Word(0, 0.001)
SILENT, REFUSED, NO_HOST = Word(errno.ETIMEDOUT, 4.0), Word(errno.ECONNREFUSED, 0.1), Word(errno.EHOSTUNREACH, 3.0)
CLOSE = ("> FA 1 1", "< A 1 2", "< FA 1 2", "> A 2 2")


def core(conclusion: Conclusion) -> tuple[State, Reason, Cause | None, Handshake | None, int]:
    return (conclusion.state, conclusion.reason, conclusion.cause, conclusion.handshake, conclusion.exit_code)


def opened(*lines: str, word: Word = OPEN) -> tuple[Handshake | None, Cause | None, str]:
    conclusion = conclude(told(*HELLO, *lines), word)
    assert (conclusion.state, conclusion.reason, conclusion.exit_code) == (State.OPEN, Reason.SYN_ACK, 0)
    return conclusion.handshake, conclusion.cause, conclusion.sentences[0]


@pytest.mark.parametrize(
    ("lines", "handshake", "cause", "then"),
    [
        (CLOSE, Handshake.MUTE, Cause.LISTENING, "and then the server said nothing"),
        (("< PA 1 1 hi",), Handshake.ANSWERED, Cause.LISTENING, "and the server spoke first (2 bytes)"),
        (
            ("> FA 1 1", "< PA 1 2 x"),
            Handshake.ANSWERED,
            Cause.LISTENING,
            "and the server spoke once we had closed our half (1 byte)",
        ),
        (("< FA 1 1",), Handshake.CLOSED, Cause.TCPWRAPPED, "then closed by the peer 2.000 ms later, before any byte"),
        (("< RA 1 1",), Handshake.RESET, Cause.TCPWRAPPED, "then reset by the peer 2.000 ms later, before any byte"),
        (("> FA 1 1", "< RA 1 2"), Handshake.MUTE, Cause.LISTENING, "and then the server said nothing"),
        (("< RA 9 1",), Handshake.MUTE, Cause.LISTENING, "and then the server said nothing"),
    ],
)
def test_open_and_what_came_after(lines: tuple[str, ...], handshake: Handshake, cause: Cause, then: str) -> None:
    said = f"Open: the handshake was completed in 1.000 ms, {then}."
    assert opened(*lines) == (handshake, cause, said)


def test_a_reset_that_overtakes_the_kernels_word_was_a_connection_all_the_same() -> None:
    assert opened("< RA 1 1", word=Word(errno.ECONNRESET, 0.1))[0] is Handshake.RESET


def test_a_window_of_nought_is_a_syn_proxys() -> None:
    story = told("> S 0", segment("< SA 0 1", window=0), "> A 1 1")
    assert "a window of 0, as a SYN proxy does" in " ".join(conclude(story, OPEN).sentences)


@pytest.mark.parametrize(("ttl", "far"), [(62, "from beyond 2 routers"), (127, "from beyond 1 router")])
def test_refused(ttl: int, far: str) -> None:
    conclusion = conclude(told("> S 0", segment("< RA 0 1", ttl=ttl)), REFUSED)
    assert core(conclusion) == (State.CLOSED, Reason.RESET, Cause.UNDETERMINED, None, 1)
    said = f"Not open: {THEM} answered with a reset, {far}, if its TTL of {ttl} began"
    assert conclusion.sentences[0].startswith(said)


def test_a_forged_reset_refuses_nothing() -> None:
    assert core(conclude(told("> S 0", "< RA 0 9"), SILENT))[:3] == (State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED)


@pytest.mark.parametrize(
    ("sender", "who", "where"),
    [
        (ROUTER, f"{ROUTER}, which is not the target", f"the firewall at {ROUTER}"),
        (THEM, "the host itself", "that host's own firewall"),
    ],
)
def test_rejected_by_whom(sender: str, who: str, where: str) -> None:
    conclusion = conclude(told("> S 0", error(3, 13, sender)), NO_HOST)
    assert core(conclusion) == (State.FILTERED, Reason.ADMIN_PROHIBITED, Cause.REJECTED, None, 1)
    assert conclusion.sentences[0] == f"Not open: rejected by {who}, with ICMP admin-prohibited."
    assert f"look at {where} for what concerns port {DPORT}" in conclusion.sentences[1]


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [(3, 1, Reason.HOST_UNREACH), (3, 0, Reason.NET_UNREACH), (11, 0, Reason.TIME_EXCEEDED)],
)
def test_unreachable_says_nothing_of_the_port(kind: int, code: int, reason: Reason) -> None:
    conclusion = conclude(told("> S 0", error(kind, code)), NO_HOST)
    assert core(conclusion) == (State.FILTERED, reason, Cause.UNREACHABLE, None, 3)
    assert conclusion.sentences[0].startswith(f"Undecided: {ROUTER}, which is not the target, says {reason}")


def test_an_error_that_quotes_something_else_says_nothing() -> None:
    assert conclude(told("> S 0", error(3, 13, seq=9)), SILENT).reason is Reason.NO_RESPONSE


def test_silence_and_where_it_begins() -> None:
    story = told("> S 0", "> S 0", "> S 0")
    alone = conclude(story, SILENT)
    assert core(alone) == (State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED, None, 1)
    assert alone.sentences[0] == "Not open: no answer to 3 SYNs in 4.0 s."
    assert f"`probe scan {THEM} -p {DPORT} --locate`" in alone.sentences[1]
    located = conclude(story, SILENT, Located(hop=2, address=ROUTER))
    assert f"SYNs of rising TTL tell: dropped at or after hop 2 ({ROUTER})." in located.sentences[1]
    assert core(located) == core(alone)


def test_a_port_that_answers_after_all() -> None:
    conclusion = conclude(told("> S 0"), SILENT, Located(answered=True))
    assert core(conclusion) == (State.UNKNOWN, Reason.NO_RESPONSE, None, None, 3)
    assert conclusion.sentences[0] == "Undecided: no answer to 1 SYN in 4.0 s, but later ones were answered."


def test_a_syn_ack_that_our_own_machine_drops() -> None:
    conclusion = conclude(told("> S 0", "< SA 0 1", "> S 0", "< SA 0 1"), SILENT)
    assert core(conclusion) == (State.UNKNOWN, Reason.SYN_ACK, None, None, 3)
    assert "Look at the firewall here" in conclusion.sentences[1]


def test_nothing_left() -> None:
    conclusion = conclude(Story(ENDS), Word(errno.EPERM, 0.0))
    assert core(conclusion) == (State.UNKNOWN, Reason.NOT_SENT, None, None, 3)
    assert conclusion.sentences[0] == f"Undecided: no packet to {THEM} left this machine (EPERM)."


def test_a_neighbour_that_tells_no_link_address() -> None:
    conclusion = conclude(told(error(3, 1, US)), NO_HOST)
    assert core(conclusion) == (State.FILTERED, Reason.HOST_UNREACH, Cause.UNREACHABLE, None, 3)
    assert "ARP" in conclusion.sentences[0]


@pytest.mark.parametrize(
    ("meaning", "code", "begin"),
    [
        ((State.OPEN, Reason.SYN_ACK, None), 0, "Open: the kernel made the connection in 1.000 ms, and nothing came."),
        ((State.CLOSED, Reason.RESET, Cause.UNDETERMINED), 1, "Not open: the kernel says "),
        ((State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED), 1, "Not open: the kernel says "),
        ((State.FILTERED, Reason.HOST_UNREACH, Cause.UNDETERMINED), 3, "Undecided: the kernel says "),
        ((State.UNKNOWN, Reason.NOT_SENT, None), 3, "Undecided: the kernel says "),
    ],
)
def test_without_a_packet_socket(meaning: tuple[State, Reason, Cause | None], code: int, begin: str) -> None:
    conclusion = blind(ENDS, OPEN, 0, meaning)
    assert conclusion.exit_code == code
    assert conclusion.sentences[0].startswith(begin)
    assert len(conclusion.sentences) == 2


# --- the round trip --------------------------------------------------------------------------------------------------


def test_the_round_trip_is_that_of_the_syn_which_was_answered() -> None:
    syns = [segment("> S 0", stamps=(tick, 0)) for tick in (100, 200, 300)]
    assert told(*syns, segment("< SA 0 1", stamps=(7, 200))).rtt_ms == 2.0
    assert told(syns[0], segment("< SA 0 1")).rtt_ms == 1.0


def test_a_round_trip_that_nobody_can_tell_is_none() -> None:
    """Karn's algorithm (RFC 6298 section 3)."""
    assert told("> S 0", "> S 0", "< SA 0 1").rtt_ms is None
    assert told("> S 0").rtt_ms is None
    assert opened()[2].startswith("Open: the handshake was completed in 1.000 ms")
    again = told("> S 0", "> S 0", "< SA 0 1", "> A 1 1")
    assert conclude(again, OPEN).sentences[0].startswith("Open: the handshake was completed, and")


def test_packets_of_other_connections_are_no_part_of_the_story() -> None:
    story = told("> S 0")
    foreign = bytearray(segment("< SA 0 1"))
    foreign[15] ^= 1  # another host
    foreign[10:12] = b"\0\0"
    assert story.add(9, bytes(foreign)) is None
    assert story.add(9, b"noise") is None
    assert len(story.steps) == 1
