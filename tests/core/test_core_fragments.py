"""Fragments against their slow twin, and against whoever wants to fill our memory with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.columns import Bools, Halves
from probe.core.fragments import MOST_BYTES, MOST_DATAGRAMS, SHARE, Fragments
from probe.core.replies import parse
from tests.core.crafted import ACK, ATOMIC, DESTINATION, NOP, SYN, Answer, Piece, fragment, fragments, listed, syn_from
from tests.core.slow_fragments import SlowFragments, read
from tests.core.slow_replies import Packet, as_rows, batch_of

ASKED = {version: syn_from(40000, version) for version in (4, 6)}
LONG = Answer(options=NOP * 40)


def anybody(address: Halves) -> Bools:
    return np.ones(len(address[0]), np.bool_)


def joined(held: Fragments, packets: list[bytes], now: float = 0.0) -> list[bytes]:
    batch = held.join(batch_of([Packet(packet) for packet in packets]), now)
    return [row[:size].tobytes() for row, size in zip(batch.rows, batch.lengths, strict=True)]


def twin(held: SlowFragments, packets: list[bytes], now: float = 0.0) -> list[bytes]:
    told = []
    for packet in packets:
        piece = read(packet)
        whole = None if piece is None else held.take(piece, now)
        told.append(packet if whole is None else whole)
    return [packet for packet in told if packet]


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Pieces of a few datagrams, cut at a few places: they meet, overlap, come twice and in any order."""
    found = []
    extensions = draw(st.sampled_from([(), (listed(DESTINATION, b""),), (ATOMIC,)]))
    for _ in range(draw(st.integers(1, 12))):
        version, size = draw(st.sampled_from([4, 6])), draw(st.sampled_from([0, 0, 0, 36, 2000]))
        answer = LONG.but(payload=bytes(size), extensions=extensions, tos=draw(st.sampled_from([0, 0, 0, 1, 3])))
        packet = answer.to(ASKED[version])
        start = draw(st.sampled_from([0, 0, 24, 32, 40, 48]))
        end = draw(st.sampled_from([24, 32, 37, 40, 48, 60, 60, 96, 2048, 2060]))
        body = fragment(packet, Piece(start, max(start, end), draw(st.booleans())), draw(st.integers(0, 1)))
        found.append(draw(st.sampled_from([body, body, body, packet, body[: draw(st.integers(1, len(body)))]])))
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(streams(), st.sampled_from([0.0, 1.0, 29.5, 30.0, 60.0])), max_size=3))
def test_it_is_its_slow_twin(batches: list[tuple[list[bytes], float]]) -> None:
    fast, slow, now = Fragments(anybody), SlowFragments(), 0.0
    for packets, later in batches:
        now += later
        assert joined(fast, packets, now) == twin(slow, packets, now)
        assert len(fast) == len(slow.piles)


@pytest.mark.parametrize("version", [4, 6])
def test_a_reply_in_pieces_is_the_reply(version: int) -> None:
    whole = LONG.to(ASKED[version])
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        pieces = fragments(whole, 24, 40)
        batch = Fragments(anybody).join(batch_of([Packet(pieces[at], intact=True) for at in order]), 0.0)
        assert as_rows(parse(batch)) == as_rows(parse(batch_of([Packet(whole)])))
        assert batch.intact.tolist() == [False]  # the kernel's word was about a piece


def test_a_batch_without_fragments_is_left_alone() -> None:
    batch = batch_of([Packet(LONG.to(ASKED[4])), Packet(LONG.but(extensions=(ATOMIC,)).to(ASKED[6])), Packet(b"")])
    assert Fragments(anybody).join(batch, 0.0) is batch


def test_the_finished_packet_takes_the_place_of_the_last_piece() -> None:
    """Which of two answers came first is told by their order."""
    first, second = fragments(LONG.to(ASKED[4]), 24)
    reset = Answer(flags=ACK | 4).to(ASKED[4])
    seen = as_rows(parse(Fragments(anybody).join(batch_of([Packet(p) for p in (first, reset, second, reset)]), 0.0)))
    assert [row[6] for row in seen.tcp] == [ACK | 4, SYN | ACK, ACK | 4]


def test_nobody_else_is_listened_to() -> None:
    def nobody(address: Halves) -> Bools:
        return ~anybody(address)

    held = Fragments(nobody)
    assert joined(held, [*fragments(LONG.to(ASKED[4]), 24), *fragments(LONG.to(ASKED[6]), 24)]) == []
    assert len(held) == 0


@pytest.mark.parametrize("version", [4, 6])
def test_a_flood_displaces_its_own(version: int) -> None:
    """One sender floods; another one's datagram, begun before, is still finished after it."""
    first, second = fragments(LONG.to(ASKED[version]), 24)
    other = LONG.but(source=bytes([*ASKED[version].destination[:-1], 99])).to(ASKED[version])
    held = Fragments(anybody)
    assert joined(held, [first]) == []
    for shift in range(0, 3 * MOST_DATAGRAMS, 50):
        assert joined(held, [fragment(other, Piece(0, 24, False), shift + n) for n in range(50)]) == []
    assert len(held) == SHARE + 1
    assert len(joined(held, [second])) == 1


def test_a_flood_from_everywhere_is_bounded() -> None:
    held = Fragments(anybody)
    for sender in range(2 * MOST_DATAGRAMS):
        source = bytes([198, 18, *sender.to_bytes(2, "big")])
        packet = LONG.but(source=source, payload=bytes(MOST_BYTES)).to(ASKED[4])
        assert joined(held, [fragment(packet, Piece(0, 1992, False)), fragment(packet, Piece(2000, 2048, False))]) == []
    assert len(held) == MOST_DATAGRAMS
    kept = sum(len(body) for own in held._held.values() for pile in own.values() for _, body in pile.runs)
    assert kept <= MOST_DATAGRAMS * MOST_BYTES


def test_the_greediest_makes_room() -> None:
    held = Fragments(anybody)
    polite = fragments(LONG.to(ASKED[4]), 24)
    greedy = LONG.but(source=bytes([198, 18, 9, 9])).to(ASKED[4])
    joined(held, [polite[0], *(fragment(greedy, Piece(0, 24, False), n) for n in range(SHARE))])
    for sender in range(MOST_DATAGRAMS - SHARE - 1 + SHARE - 1):
        source = bytes([198, 19, *sender.to_bytes(2, "big")])
        joined(held, [fragment(LONG.but(source=source).to(ASKED[4]), Piece(0, 24, False))])
    assert len(held) == MOST_DATAGRAMS
    assert len(joined(held, [polite[1]])) == 1


def test_what_waits_too_long_is_forgotten() -> None:
    for version, patience in ((4, 30.0), (6, 60.0)):
        first, second = fragments(LONG.to(ASKED[version]), 24)
        for later, count in ((patience - 0.1, 1), (patience, 0)):
            held = Fragments(anybody)
            joined(held, [first], 5.0)
            assert len(joined(held, [second], 5.0 + later)) == count
