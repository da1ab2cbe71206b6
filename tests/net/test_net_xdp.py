"""The arithmetic of the AF_XDP wire: checksums that were never computed, and rings whose indices wrap."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from probe.net.xdp import unfinished
from probe.net.xdpring import Ring, advance
from tests.core.slow_headers import ones


def partial(packet: bytes) -> bytes:
    """As a kernel leaves it to hardware: the sum of the pseudo-header stands in the field (CHECKSUM_PARTIAL)."""
    four = packet[0] >> 4 == 4
    start, addresses = (20, packet[12:20]) if four else (40, packet[8:40])
    total = ones(addresses + struct.pack(">HH", 6, len(packet) - start))
    return packet[: start + 16] + struct.pack(">H", total) + packet[start + 18 :]


ports = st.integers(0, 65535)
heads = st.one_of(
    st.builds(lambda a, b: IP(src=str(a), dst=str(b)), st.ip_addresses(v=4), st.ip_addresses(v=4)),
    st.builds(lambda a, b: IPv6(src=str(a), dst=str(b)), st.ip_addresses(v=6), st.ip_addresses(v=6)),
)
resets = st.builds(
    lambda ip, a, b, ack, data: bytes(ip / TCP(sport=a, dport=b, ack=ack, flags="RA") / Raw(data)),
    heads,
    ports,
    ports,
    st.integers(0, 2**32 - 1),
    st.binary(max_size=12),
)


@given(st.lists(st.tuples(resets, st.booleans()), min_size=1, max_size=5))
def test_unfinished_checksums_are_told_from_finished_ones(packets: list[tuple[bytes, bool]]) -> None:
    made = [partial(packet) if unsummed else packet for packet, unsummed in packets]
    rows = np.zeros((len(made), 80), np.uint8)
    for row, packet in zip(rows, made, strict=True):
        row[: len(packet)] = np.frombuffer(packet, np.uint8)
    expected = [packet == partial(packet) for packet in made]
    assert unfinished(rows, np.array([len(packet) for packet in made])).tolist() == expected
    assert all(said for said, (_, unsummed) in zip(expected, packets, strict=True) if unsummed)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 8), max_size=12))
def test_a_ring_wraps(start: int, steps: list[int]) -> None:
    """Eight entries, indices of 32 bits; a queue of Python's says what should be in it."""
    ring = Ring(np.array([start], np.uint32), np.array([start], np.uint32), np.zeros(8, np.uint64))
    queue: list[int] = []
    number = 0
    for step in steps:
        put = min(step, 8 - len(queue))
        ring.entries[ring.places(ring.producer, put)] = np.arange(number, number + put)
        advance(ring.producer, put)
        queue += range(number, number + put)
        number += put
        assert ring.filled() == len(queue)
        taken = min(step // 2, len(queue))
        assert ring.entries[ring.places(ring.consumer, taken)].tolist() == queue[:taken]
        advance(ring.consumer, taken)
        queue = queue[taken:]
    assert ring.filled() == len(queue)
