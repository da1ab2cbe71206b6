"""The filter against a plain predicate: in an interpreter of our own for packet types, and in this machine's kernel.

A filter on a Unix datagram socket sees the payload as the packet, so the kernel can be asked without any right.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6TimeExceeded, IPv6
from scapy.packet import Raw

from probe.net.bpf import answers_to, attach, between
from tests.core.answer_cases import EACH
from tests.core.crafted import syn_from

PORT = 40000
HOST_PACKET, OUTGOING = 0, 4  # linux/if_packet.h
Program = list[tuple[int, int, int, int]]


def is_answer(packet: bytes, port: int) -> bool:
    """What the filter is for, in words: TCP to our port, a later fragment of TCP, or an ICMP error."""
    try:
        if packet[0] >> 4 == 4:
            start = (packet[0] & 15) * 4
            if packet[9] == 1:
                return packet[start] in (3, 11)
            later = int.from_bytes(packet[6:8], "big") & 0x1FFF
            if packet[9] == 6 and later:
                return later * 8 < 2048
            return packet[9] == 6 and struct.unpack_from(">H", packet, start + 2) == (port,)
        return packet[0] >> 4 == 6 and is_answer6(packet, port)
    except (IndexError, struct.error):
        return False


def is_answer6(packet: bytes, port: int) -> bool:
    """The same behind up to five extension headers."""
    kind, at = packet[6], 40
    for _ in range(5):
        if kind == 44:
            (place,) = struct.unpack_from(">H", packet, at + 2)
            if place >> 3:
                return place >> 3 << 3 < 2048 and packet[at] in (6, 43, 60)
            kind, at = packet[at], at + 8
        elif kind in (0, 43, 60):
            kind, at = packet[at], at + 8 * (packet[at + 1] + 1)
    if kind == 58:
        return packet[at] in (1, 3, 4)
    return kind == 6 and struct.unpack_from(">H", packet, at + 2) == (port,)


def run(program: Program, packet: bytes, packet_type: int) -> int:
    """Classic BPF as far as our programs use it (Documentation/networking/filter.rst); bytes taken of the packet."""
    accumulator = index = memory = at = 0
    while True:
        code, yes, no, k = program[at]
        at += 1
        match code:
            case 0x30 | 0x28 | 0x48 | 0x50:
                start, size = k + (index if code in (0x48, 0x50) else 0), 1 if code in (0x30, 0x50) else 2
                if start == 0xFFFFF004:
                    accumulator = packet_type
                elif start + size > len(packet):
                    return 0
                else:
                    accumulator = int.from_bytes(packet[start : start + size], "big")
            case 0xB1:
                if k >= len(packet):
                    return 0
                index = (packet[k] & 15) * 4
            case 0x00:
                accumulator = k
            case 0x01:
                index = k
            case 0x02:
                memory = accumulator
            case 0x60:
                accumulator = memory
            case 0x07:
                index = accumulator
            case 0x04 | 0x0C:
                accumulator = (accumulator + (k if code == 0x04 else index)) % 2**32
            case 0x64:
                accumulator = (accumulator << k) % 2**32
            case 0x54:
                accumulator &= k
            case 0x15:
                at += yes if accumulator == k else no
            case 0x45:
                at += yes if accumulator & k else no
            case 0x25:
                at += yes if accumulator > k else no
            case _:
                assert code == 0x06
                return k


ports = st.one_of(st.just(PORT), st.just(PORT), st.integers(0, 65535))
v4 = st.builds(
    lambda frag, flags, options: IP(src="198.18.0.1", dst="198.18.0.2", frag=frag, flags=flags, options=[Raw(options)]),
    st.sampled_from([0, 0, 0, 1, 0x1FFF]),
    st.sampled_from(["", "DF", "MF"]),
    st.sampled_from([b"", b"\x01" * 4, b"\x01" * 40]),
)
v6 = st.just(IPv6(src="fd18::1", dst="fd18::2"))
tcp = st.builds(lambda to: TCP(sport=80, dport=to), ports)
udp = st.builds(lambda to: UDP(sport=80, dport=to), ports)
icmp4 = st.builds(lambda kind: ICMP(type=kind), st.integers(0, 15))
icmp6 = st.sampled_from([ICMPv6DestUnreach(), ICMPv6TimeExceeded(), ICMPv6EchoRequest()])
whole = st.one_of(
    st.builds(lambda ip, body: bytes(ip / body), v4, st.one_of(tcp, tcp, udp, icmp4)),
    st.builds(lambda ip, body: bytes(ip / body), v6, st.one_of(tcp, tcp, udp, icmp6)),
)
crafted = st.sampled_from([packet for case, version in EACH for packet in case.packets(syn_from(PORT, version))])
cut = st.builds(lambda packet, size: packet[: 1 + size % len(packet)], whole | crafted, st.integers(0, 200))
packets = st.one_of(whole, crafted, cut, st.binary(min_size=1, max_size=90))


@settings(max_examples=300)
@given(packets, st.sampled_from([HOST_PACKET, HOST_PACKET, 1, 2, 3, OUTGOING]), ports)
@example(bytes(IP() / TCP(dport=PORT)), HOST_PACKET, PORT)
@example(bytes(IP(flags="MF") / TCP(dport=PORT)), HOST_PACKET, PORT)
@example(bytes(IP(frag=255) / TCP(dport=PORT)), HOST_PACKET, PORT)
@example(bytes(IP(frag=256) / TCP(dport=PORT)), HOST_PACKET, PORT)
@example(bytes(IPv6() / TCP(dport=PORT)), OUTGOING, PORT)
@example(bytes(IPv6() / TCP(dport=PORT)), HOST_PACKET, PORT)
def test_the_program_is_the_predicate(packet: bytes, packet_type: int, port: int) -> None:
    taken = run(answers_to(port), packet, packet_type)
    assert taken == (0xFFFF if packet_type == HOST_PACKET and is_answer(packet, port) else 0)


def test_it_keeps_nothing_from_the_engine() -> None:
    """Whatever decides a probe has to pass; of what decides nothing, what is not for our port must not."""
    program = answers_to(PORT)
    for case, version in EACH:
        taken = [run(program, packet, HOST_PACKET) != 0 for packet in case.packets(syn_from(PORT, version))]
        assert all(taken) or not case.verdict, case.name
        assert not any(taken) or case.name != "other destination port"


def is_between(packet: bytes, ours: int, theirs: int) -> bool:
    """TCP between two ports, either way and not a later fragment, or an ICMP error of any type."""
    try:
        four = packet[0] >> 4 == 4
        protocol, start = (packet[9], (packet[0] & 15) * 4) if four else (packet[6], 40)
        if packet[0] >> 4 not in (4, 6) or (four and protocol == 6 and int.from_bytes(packet[6:8], "big") & 0x1FFF):
            return False
        if protocol == (1 if four else 58):
            return packet[start] in ((3, 11, 12) if four else (1, 2, 3, 4))
        pair = struct.unpack_from(">HH", packet, start)
        return protocol == 6 and pair in ((ours, theirs), (theirs, ours))
    except (IndexError, struct.error):
        return False


@settings(max_examples=300)
@given(packets, st.sampled_from([HOST_PACKET, OUTGOING, 1, 2, 3]), st.sampled_from([80, 81, PORT]), ports)
@example(bytes(IP() / TCP(sport=80, dport=PORT)), HOST_PACKET, 80, PORT)
@example(bytes(IP(options=[Raw(b"\x01" * 4)]) / TCP(sport=PORT, dport=80)), OUTGOING, 80, PORT)
@example(bytes(IPv6() / TCP(sport=80, dport=PORT)), OUTGOING, PORT, 80)
@example(bytes(IPv6() / TCP(sport=80, dport=81)), HOST_PACKET, 80, PORT)
@example(bytes(IPv6() / ICMPv6DestUnreach()), HOST_PACKET, 1, 2)
def test_what_is_between_two_ports(packet: bytes, packet_type: int, one: int, other: int) -> None:
    taken = run(between(one, other), packet, packet_type)
    assert taken == (0xFFFF if packet_type in (HOST_PACKET, OUTGOING) and is_between(packet, one, other) else 0)


@pytest.fixture(scope="module")
def filtered() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    with ours, theirs:
        attach(theirs, answers_to(PORT))
        yield ours, theirs


@settings(max_examples=300)
@given(packet=packets)
@example(packet=bytes(IP() / TCP(dport=PORT)))
@example(packet=bytes(IPv6() / TCP(dport=PORT)))
@example(packet=bytes(IPv6() / TCP(dport=PORT + 1)))
def test_the_kernel_runs_it_so(filtered: tuple[socket.socket, socket.socket], packet: bytes) -> None:
    ours, theirs = filtered
    ours.send(packet)
    try:
        assert theirs.recv(2048) == packet
        taken = True
    except BlockingIOError:
        taken = False
    assert taken is is_answer(packet, PORT)


def test_a_program_that_the_kernel_refuses() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="Invalid argument"):
        attach(sock, [(0x06, 0, 0, 0), (0x15, 9, 9, 0)])  # a jump beyond the end
