"""Every stamped SYN is, byte for byte, what scapy builds; and its shape is what this machine's kernel sends."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from probe.core.block import split
from probe.core.frames import SYN4, SYN6, Stamp, Templates, syn4, syn6
from probe.model import Address
from probe.net import oracle
from probe.net.craft import HOPS, WINDOW, syn_templates

ports = st.integers(0, 65535)
words = st.integers(0, 2**32 - 1)
Row = tuple[Address, Address, int, int]  # source, destination, destination port, sequence number


def rows_of(version: int) -> st.SearchStrategy[list[Row]]:
    address = st.ip_addresses(v=4) if version == 4 else st.ip_addresses(v=6)
    return st.lists(st.tuples(address, address, ports, words), min_size=1, max_size=4)


def stamp(rows: list[Row], sport: int, tsval: int) -> Stamp:
    source, destination = [split(row[0]) for row in rows], [split(row[1]) for row in rows]
    return Stamp(
        source=(np.array([h for h, _ in source], np.uint64), np.array([w for _, w in source], np.uint64)),
        destination=(
            np.array([h for h, _ in destination], np.uint64),
            np.array([w for _, w in destination], np.uint64),
        ),
        sport=sport,
        dport=np.array([row[2] for row in rows], np.uint16),
        seq=np.array([row[3] for row in rows], np.uint32),
        tsval=tsval,
    )


def scapys(row: Row, sport: int, tsval: int, tos: int) -> bytes:
    """The same SYN, lengths and checksums left to scapy."""
    source, destination, dport, seq = row
    return oracle.syn(source, destination, sport, dport, seq, tsval=tsval, tos=tos)


@settings(max_examples=60)
@given(rows_of(4), ports, words, st.integers(0, 255))
def test_ipv4_syns_are_scapys(rows: list[Row], sport: int, tsval: int, tos: int) -> None:
    made = syn4(syn_templates(tos).ipv4, stamp(rows, sport, tsval))
    assert made.dtype == SYN4
    assert [row.tobytes() for row in made] == [scapys(row, sport, tsval, tos) for row in rows]


@settings(max_examples=60)
@given(rows_of(6), ports, words, st.integers(0, 255))
def test_ipv6_syns_are_scapys(rows: list[Row], sport: int, tsval: int, tos: int) -> None:
    made = syn6(syn_templates(tos).ipv6, stamp(rows, sport, tsval))
    assert made.dtype == SYN6
    assert [row.tobytes() for row in made] == [scapys(row, sport, tsval, tos) for row in rows]


@pytest.mark.parametrize("version", [4, 6])
def test_each_row_may_have_a_ttl_of_its_own(version: int) -> None:
    host = ipaddress.ip_address("198.18.0.1" if version == 4 else "fd18::1")
    rows: list[Row] = [(host, host, 80, 7), (host, host, 80, 7)]
    stamped = replace(stamp(rows, 4000, 9), ttl=np.array([1, 30], np.uint8))
    made = syn4(syn_templates().ipv4, stamped) if version == 4 else syn6(syn_templates().ipv6, stamped)
    for row, ttl in zip(made, (1, 30), strict=True):
        packet = (IP if version == 4 else IPv6)(scapys(rows[0], 4000, 9, 0))
        if version == 4:
            packet.ttl, packet.chksum = ttl, None
        else:
            packet.hlim = ttl
        assert row.tobytes() == bytes(packet)


def test_the_checksum_that_sums_to_zero() -> None:
    """TCP, unlike UDP, sends a checksum of zero as it is (RFC 9293 section 3.1)."""
    one, two = ipaddress.ip_address("198.18.0.1"), ipaddress.ip_address("198.18.0.2")
    rows: list[Row] = [(one, two, 80, seq) for seq in range(65536)]
    made = syn4(syn_templates().ipv4, stamp(rows, 4000, 0))
    (zero,) = np.flatnonzero(made["checksum"] == 0)
    assert made[zero].tobytes() == scapys(rows[zero], 4000, 0, 0)


def test_no_rows() -> None:
    empty = stamp([], 1, 1)
    assert syn4(syn_templates().ipv4, empty).size == 0
    assert syn6(syn_templates().ipv6, empty).size == 0


def test_a_template_of_the_wrong_size_is_refused() -> None:
    good = syn_templates()
    with pytest.raises(AssertionError):
        Templates(good.ipv4 + b"\0", good.ipv6)
    with pytest.raises(AssertionError):
        Templates(good.ipv4, good.ipv6[:-4])


def kernel_syn(address: Address) -> bytes:
    """The SYN that this machine's kernel sends on loopback, from the IP header on."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        watch = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    except PermissionError:
        pytest.skip("a packet socket needs root or CAP_NET_RAW")
    with (
        watch,
        socket.socket(family, socket.SOCK_STREAM) as server,
        socket.socket(family, socket.SOCK_STREAM) as client,
    ):
        watch.bind(("lo", 0))
        watch.settimeout(5)
        try:
            server.bind((str(address), 0))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                pytest.skip(f"this machine has no {address}")
            raise
        server.listen(1)
        client.connect(server.getsockname())
        wanted = struct.pack(">HH", client.getsockname()[1], server.getsockname()[1])
        start = 20 if address.version == 4 else 40
        while True:
            packet = watch.recv(2048)
            if packet[start : start + 4] == wanted and packet[start + 13] & 0x12 == 2:
                return packet


def options_of(tcp: bytes) -> list[tuple[int, int]]:
    """(kind, length) of each option, in order: the layout that fingerprints look at."""
    found, at = [], 20
    while at < (tcp[12] >> 4) * 4:
        length = 1 if tcp[at] <= 1 else tcp[at + 1]
        found.append((tcp[at], length))
        at += length
    return found


@pytest.mark.parametrize("address", [IPv4Address("127.0.0.1"), IPv6Address("::1")], ids=str)
def test_the_template_has_the_kernels_shape(address: Address) -> None:
    theirs = kernel_syn(address)
    ours = syn_templates().ipv4 if address.version == 4 else syn_templates().ipv6
    start = 20 if address.version == 4 else 40
    layout = options_of(ours[start:])
    assert layout == options_of(theirs[start:])
    assert layout == [(2, 4), (4, 2), (8, 10), (1, 1), (3, 3)]
    assert len(ours) == len(theirs)
    if address.version == 4:
        assert ours[:1] == theirs[:1]  # no IP options
        assert ours[6:9] == theirs[6:9]  # DF, no fragment, TTL
    else:
        assert ours[6:8] == theirs[6:8]  # no extension header, hop limit
    assert ours[start + 12 : start + 14] == theirs[start + 12 : start + 14]  # header length, flags


def test_the_numbers_of_a_kernel_on_ethernet() -> None:
    """Loopback has another MTU, so MSS and window cannot be compared there: these are the kernel's for 1500 bytes."""
    tcp4, tcp6 = TCP(syn_templates().ipv4[20:]), TCP(syn_templates().ipv6[40:])
    assert (WINDOW, HOPS) == (64240, 64)
    assert [dict(tcp.options[:1])["MSS"] for tcp in (tcp4, tcp6)] == [1460, 1440]
    assert [tcp.window for tcp in (tcp4, tcp6)] == [64240, 64240]  # 44 x 1460: the kernel's buffer in whole segments
