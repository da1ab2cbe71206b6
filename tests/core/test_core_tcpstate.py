"""The state of our side, step by step, and what changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.story import Story
from probe.core.tcpstate import TcpState, ahead
from tests.core.tracebook import ENDS, HELLO, error, remarks, segment, states, told

S = TcpState
OPENED = [S.SYN_SENT, S.ESTABLISHED, S.ESTABLISHED]

# RFC 9293 figure 5, seen from our side: what follows on the handshake.
ENDINGS: list[tuple[list[str], list[TcpState]]] = [
    (["> FA 1 1", "< A 1 2", "< FA 1 2", "> A 2 2"], [S.FIN_WAIT_1, S.FIN_WAIT_2, S.TIME_WAIT, S.TIME_WAIT]),
    (["> FA 1 1", "< FA 1 2", "> A 2 2"], [S.FIN_WAIT_1, S.TIME_WAIT, S.TIME_WAIT]),
    (["> FA 1 1", "< FA 1 1", "> A 2 2", "< A 2 2"], [S.FIN_WAIT_1, S.CLOSING, S.CLOSING, S.TIME_WAIT]),
    (["< FA 1 1", "> A 1 2", "> FA 1 2", "< A 2 2"], [S.CLOSE_WAIT, S.CLOSE_WAIT, S.LAST_ACK, S.CLOSED]),
    (["< RA 1 1"], [S.CLOSED]),
    (["> RA 1 1"], [S.CLOSED]),
    (["< PA 1 1 hello", "> A 1 6", "< FA 6 1"], [S.ESTABLISHED, S.ESTABLISHED, S.CLOSE_WAIT]),
    (["< FPA 1 1 hello", "> A 1 7"], [S.CLOSE_WAIT, S.CLOSE_WAIT]),
    (["> FA 1 1", "< A 1 2", "> RA 2 1", "< A 1 2"], [S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSED, S.CLOSED]),
    # A FIN that overtakes data counts when the hole is filled: our own acknowledgement says so.
    (["< FA 6 1", "< PA 1 1 hello", "> A 1 7"], [S.ESTABLISHED, S.ESTABLISHED, S.CLOSE_WAIT]),
    # A FIN that comes twice, and one of ours that is sent twice.
    (["< FA 1 1", "< FA 1 1", "> FA 1 2", "> FA 1 2"], [S.CLOSE_WAIT, S.CLOSE_WAIT, S.LAST_ACK, S.LAST_ACK]),
]


@pytest.mark.parametrize(("lines", "expected"), ENDINGS, ids=[" ".join(lines) for lines, _ in ENDINGS])
def test_every_way_to_end(lines: list[str], expected: list[TcpState]) -> None:
    assert states(*HELLO, *lines) == OPENED + expected


ANSWERS: list[tuple[str, TcpState, str]] = [
    ("< RA 0 1", S.CLOSED, ""),
    ("< R 0", S.SYN_SENT, "acknowledges nothing: ignored"),
    ("< RA 0 2", S.SYN_SENT, "acknowledges what was never sent: ignored"),
    ("< RA 0 0", S.SYN_SENT, "acknowledges what was never sent: ignored"),
    ("< SA 0 7", S.SYN_SENT, "acknowledges what was never sent: ignored"),
    ("< A 0 1", S.SYN_SENT, "neither SYN nor RST: ignored"),
    ("< FA 0 1", S.SYN_SENT, "neither SYN nor RST: ignored"),
    ("< SRA 0 1", S.CLOSED, ""),
    ("< S 0", S.SYN_RECEIVED, "both sides open at once"),
    ("< SFA 0 1", S.ESTABLISHED, ""),
]


@pytest.mark.parametrize(("line", "state", "remark"), ANSWERS, ids=[line for line, *_ in ANSWERS])
def test_what_may_answer_a_syn(line: str, state: TcpState, remark: str) -> None:
    step = told("> S 0", line).steps[-1]
    assert (step.state, step.remark) == (state, remark)


LATER: list[tuple[str, TcpState, str]] = [
    ("< R 2", S.ESTABLISHED, "not the number that is expected: ignored"),
    ("< SA 0 1", S.ESTABLISHED, "retransmission"),
    ("< S 9", S.ESTABLISHED, "a SYN in a connection: ignored"),
    ("< P 1 0 x", S.ESTABLISHED, "acknowledges nothing: ignored"),
    ("< FA 1 99", S.ESTABLISHED, "acknowledges what was never sent: ignored"),
    ("< PA 5 1 x", S.ESTABLISHED, "out of order"),
]


@pytest.mark.parametrize(("line", "state", "remark"), LATER, ids=[line for line, *_ in LATER])
def test_what_a_connection_ignores(line: str, state: TcpState, remark: str) -> None:
    step = told(*HELLO, line).steps[-1]
    assert (step.state, step.remark) == (state, remark)


def test_a_damaged_answer_counts_for_nothing() -> None:
    bent = bytearray(segment("< SA 0 1"))
    bent[-1] ^= 1
    step = told("> S 0", bytes(bent)).steps[-1]
    assert (step.state, step.remark, step.ignored) == (S.SYN_SENT, "wrong checksum: ignored", True)


def test_both_sides_open_at_once() -> None:
    assert states("> S 0", "< S 0", "> SA 0 1", "< A 1 1") == [
        S.SYN_SENT,
        S.SYN_RECEIVED,
        S.SYN_RECEIVED,
        S.ESTABLISHED,
    ]


def test_retransmissions_are_told_in_both_directions() -> None:
    again = ["> S 0", "> S 0", "< SA 0 1", "> A 1 1", "< PA 1 1 hi", "< PA 1 1 hi", "> A 1 3"]
    assert remarks(*again) == ["", "retransmission", "", "", "", "retransmission", ""]


def test_an_icmp_error_ends_what_is_being_made_and_nothing_else() -> None:
    assert states("> S 0", error(3, 13)) == [S.SYN_SENT, S.CLOSED]
    assert remarks("> S 0", error(3, 4), error(3, 13, seq=5)) == ["", "", "quotes no packet of ours: ignored"]
    assert remarks(error(3, 1)) == ["about a packet that never left"]
    assert states(*HELLO, error(3, 1))[-1] is S.ESTABLISHED
    assert remarks(*HELLO, "< RA 1 1", error(3, 1))[-1] == "after the end"


def test_a_syn_after_an_error_shows_that_the_kernel_only_noted_it() -> None:
    lines = ("> S 0", error(3, 13), "> S 0", "< SA 0 1")
    assert states(*lines) == [S.SYN_SENT, S.CLOSED, S.SYN_SENT, S.ESTABLISHED]
    assert remarks(*lines)[2] == "retransmission: the error was only noted"


@pytest.mark.parametrize(
    ("lines", "received"),
    [
        (["> S 0"], 0),
        ([*HELLO], 0),
        ([*HELLO, "< PA 1 1 hello"], 5),
        ([*HELLO, "< PA 1 1 hello", "< PA 1 1 hello", "< FA 6 1"], 5),
        ([*HELLO, "< FA 1 1", "> A 1 2"], 0),
        ([*HELLO, "< PA 6 1 late"], 0),
    ],
)
def test_bytes_that_were_taken_in(lines: list[str], received: int) -> None:
    assert told(*lines).received == received


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31) + 1, 2**31 - 1))
def test_sequence_numbers_go_around(number: int, distance: int) -> None:
    assert ahead((number + distance) % 2**32, number) == distance


lines = st.builds(
    lambda way, flags, seq, ack, data: f"{way} {flags} {seq} {ack} {data}".strip(),
    st.sampled_from("<>"),
    st.text(st.sampled_from("SARFPUEC"), max_size=4).map(lambda flags: flags or "-"),
    st.integers(0, 2**32 - 1) | st.integers(0, 9),
    st.integers(0, 2**32 - 1) | st.integers(0, 9),
    st.sampled_from(["", "x", "hello"]),
)


@given(st.lists(lines | st.builds(error, st.sampled_from([3, 11, 12]), st.integers(0, 20)), max_size=8), st.booleans())
def test_no_order_of_packets_breaks_it(packets: list[str | bytes], opened: bool) -> None:
    story = Story(ENDS)
    for number, packet in enumerate([*(HELLO if opened else ()), *packets]):
        step = story.add(number, segment(packet) if isinstance(packet, str) else packet)
        assert step is not None
        assert step.state in TcpState
    assert story.received >= 0
    assert story.rtt_ms is None or story.rtt_ms >= 0
