"""The ring: what the kernel puts into it comes out once, whole, in order, with nothing of earlier packets in it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scapy.layers.inet import ICMP, IP, TCP
from scapy.packet import Raw

from probe.core.replies import Batch
from probe.net.ring import FRAME, MOST_PACKETS, Ring, blanked, by_length
from probe.net.routes import ReservedPort

HOST = "127.0.0.1"


@pytest.fixture
def port() -> Iterator[int]:
    reserved = ReservedPort()
    yield reserved.number
    reserved.close()


@pytest.fixture
def ring(port: int) -> Iterator[Ring]:
    try:
        ring = Ring(port, frames=128)
    except PermissionError:
        pytest.skip("packet sockets are not allowed here")
    yield ring
    ring.close()


def send(*packets: bytes) -> None:
    """To ourselves, over the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for packet in packets:
            sock.sendto(packet, (HOST, 0))


def answer(port: int, size: int = 0, number: int = 0) -> bytes:
    return bytes(IP(src=HOST, dst=HOST) / TCP(dport=port, flags="RA", ack=number) / Raw(bytes([number % 251]) * size))


def taken(ring: Ring) -> list[bytes]:
    batches: list[Batch] = []
    while some := ring.take():
        batches += some
    for batch in batches:
        beyond = np.arange(batch.rows.shape[1]) >= batch.lengths[:, None]
        assert not batch.rows[beyond].any()
    return [row[:length].tobytes() for b in batches for row, length in zip(b.rows, b.lengths.tolist(), strict=True)]


def test_packets_come_once_and_in_order(ring: Ring, port: int) -> None:
    for turn in range(5):  # twice round the ring and more
        packets = [answer(port, number=turn * 100 + n) for n in range(60)]
        send(*packets)
        assert taken(ring) == packets
    assert taken(ring) == []
    assert ring.drops() == 0


def test_nothing_of_an_earlier_packet_is_left(ring: Ring, port: int) -> None:
    for size in (300, 4, 0, 39):
        packets = [answer(port, size, n + 1) for n in range(128)]
        send(*packets)
        assert taken(ring) == packets


@pytest.mark.parametrize("size", [20, 40, 391, 392, 393, 1400, 1960])
def test_a_packet_of_any_length_comes_whole(ring: Ring, port: int, size: int) -> None:
    """Beyond 432 bytes no frame holds it."""
    packets = [answer(port, n, n + 1) for n in (0, size, 0, size + 8)]
    send(*packets)
    assert sorted(taken(ring)) == sorted(packets)


def test_longer_than_anything_is_cut(ring: Ring, port: int) -> None:
    packet = answer(port, 4000)
    send(packet)
    assert taken(ring) == [packet[:2048]]


def test_what_finds_no_room_is_counted(ring: Ring, port: int) -> None:
    send(*[answer(port, number=n) for n in range(200)])
    assert ring.crowded()
    assert len(taken(ring)) == 128
    assert not ring.crowded()
    assert ring.drops() == 72
    assert ring.drops() == 72
    send(answer(port, number=9))
    assert taken(ring) == [answer(port, number=9)]


def test_others_do_not_come(ring: Ring, port: int) -> None:
    other = ReservedPort()
    send(answer(other.number), bytes(IP(src=HOST, dst=HOST) / ICMP(type=0)))
    other.close()
    assert taken(ring) == []


def test_a_ring_is_read_in_pieces(port: int) -> None:
    try:
        ring = Ring(port, frames=MOST_PACKETS * 2)
    except PermissionError:
        pytest.skip("packet sockets are not allowed here")
    packets = [answer(port, number=n) for n in range(MOST_PACKETS + 10)]
    send(*packets)
    sizes = [sum(map(len, ring.take())) for _ in range(3)]
    ring.close()
    assert sizes == [MOST_PACKETS, 10, 0]


matrices = st.integers(0, 12).flatmap(lambda n: arrays.arrays(np.uint8, (n, 40), elements=st.integers(1, 255)))


@given(matrices, st.data())
def test_blanking_is_its_slow_twin(rows: np.ndarray[tuple[int, int], np.dtype[np.uint8]], data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(0, 40), min_size=len(rows), max_size=len(rows)))
    expected = [bytes(row[:length]).ljust(40, b"\0") for row, length in zip(rows, lengths, strict=True)]
    found = blanked(rows.copy(), np.array(lengths, np.int64))
    assert [row.tobytes() for row in found] == expected


@given(st.lists(st.integers(0, FRAME)))
def test_every_length_has_its_place(lengths: list[int]) -> None:
    parts = by_length(np.array(lengths, np.int64))
    assert sorted(line for lines, _ in parts for line in lines.tolist()) == list(range(len(lengths)))
    for lines, width in parts:
        assert all(min(lengths[line], 432) <= width for line in lines.tolist())
