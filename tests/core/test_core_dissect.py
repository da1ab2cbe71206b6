"""Fields out of bytes: what scapy built comes back as it was, and what is bent breaks nothing."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, TCPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.packet import Raw

from probe.core import pcap
from probe.core.dissect import IcmpError, Segment, dissect
from probe.core.notation import icmp_fields, letters, name, segment_fields
from probe.model import Reason

A4, B4, A6, B6 = "198.18.0.1", "198.18.0.2", "fd18::1", "fd18::2"
words = st.integers(0, 2**32 - 1)
halves = st.integers(0, 65535)


def packet(version: int, layer: Any, **ip: Any) -> bytes:
    head = IP(src=A4, dst=B4, **ip) if version == 4 else IPv6(src=A6, dst=B6, **ip)
    return bytes(head / layer)


OPTIONS: list[tuple[list[tuple[Any, Any]], tuple[str, ...]]] = [
    ([], ()),
    ([("MSS", 1460), ("SAckOK", b"")], ("mss 1460", "sackOK")),
    ([("NOP", None), ("NOP", None), ("Timestamp", (7, 9))], ("nop", "nop", "TS val 7 ecr 9")),
    ([("NOP", None), ("WScale", 10), ("EOL", None)], ("nop", "wscale 10", "eol")),
    ([("SAck", (1, 5, 9, 12))], ("sack 2 {1:5}{9:12}", "eol")),
    ([(34, b"\xab\xcd")], ("opt-34 0xabcd",)),
    ([(2, b"\x01")], ("bad opt",)),
]


@given(
    version=st.sampled_from([4, 6]),
    ports=st.tuples(halves, halves),
    numbers=st.tuples(words, words),
    flags=st.integers(0, 255),
    window=halves,
    options=st.sampled_from(OPTIONS),
    data=st.binary(max_size=40),
)
def test_what_scapy_builds_comes_back(
    version: int,
    ports: tuple[int, int],
    numbers: tuple[int, int],
    flags: int,
    window: int,
    options: tuple[list[tuple[Any, Any]], tuple[str, ...]],
    data: bytes,
) -> None:
    tcp = TCP(sport=ports[0], dport=ports[1], seq=numbers[0], ack=numbers[1], flags=flags, window=window)
    tcp.options = options[0]
    seen = dissect(packet(version, tcp / Raw(data)))
    assert isinstance(seen, Segment)
    assert (seen.sport, seen.dport, seen.seq, seen.ack, seen.flags, seen.window) == (*ports, *numbers, flags, window)
    assert seen.options[: len(options[1])] == options[1]
    assert set(seen.options[len(options[1]) :]) <= {"eol"}  # padding
    assert (seen.data, seen.length, seen.damaged, seen.ttl) == (data, len(data), False, 64)
    assert (str(seen.source), str(seen.destination)) == ((A4, B4) if version == 4 else (A6, B6))


@pytest.mark.parametrize("version", [4, 6])
def test_an_icmp_error_and_what_it_quotes(version: int) -> None:
    syn = packet(version, TCP(sport=4000, dport=80, seq=77))
    error = ICMP(type=3, code=13) if version == 4 else ICMPv6DestUnreach(code=1)
    seen = dissect(packet(version, error / Raw(syn)))
    ends = (A4, B4) if version == 4 else (A6, B6)
    assert isinstance(seen, IcmpError)
    assert (str(seen.sender), str(seen.quoted_source), str(seen.quoted_destination)) == (ends[0], *ends)
    assert (seen.sport, seen.dport, seen.seq, seen.damaged) == (4000, 80, 77, False)
    assert seen.reason is Reason.ADMIN_PROHIBITED
    family, kind, ttl = ("ICMP", "type 3 code 13", "ttl") if version == 4 else ("ICMPv6", "type 1 code 1", "hlim")
    said = f"{family} admin-prohibited ({kind}) from {ends[0]}"
    assert icmp_fields(seen, 70) == [said, "quotes seq 77 (7)", f"{ttl} 64"]


def test_eight_quoted_bytes_are_enough_and_seven_are_not() -> None:
    inner = bytes(IPerror(src=A4, dst=B4) / TCPerror(sport=1, dport=2, seq=3))
    assert isinstance(dissect(packet(4, ICMP(type=11) / Raw(inner[:28]))), IcmpError)
    assert dissect(packet(4, ICMP(type=11) / Raw(inner[:27]))) is None


@pytest.mark.parametrize("version", [4, 6])
def test_a_wrong_checksum_is_told_unless_somebody_vouches(version: int) -> None:
    data = bytearray(packet(version, TCP(seq=5)))
    data[-5] ^= 1
    for intact in (False, True):
        seen = dissect(bytes(data), intact=intact)
        assert isinstance(seen, Segment)
        assert seen.damaged is not intact


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x45",
        packet(4, UDP()),
        packet(4, TCP(dataofs=4)),
        packet(4, TCP(dataofs=15)),
        packet(4, TCP(), frag=1),
        packet(4, ICMP(type=8)),
        packet(6, TCP())[:50],
        packet(4, ICMP(type=3) / Raw(packet(6, TCP()))),
        packet(4, ICMP(type=3) / Raw(packet(4, UDP()))),
    ],
)
def test_what_is_none_of_ours(data: bytes) -> None:
    assert dissect(data) is None


SAMPLES = [
    packet(4, TCP(options=[("MSS", 1460), ("Timestamp", (1, 2)), ("SAck", (1, 2))]) / Raw(b"hello")),
    packet(6, TCP(options=[("WScale", 7)])),
    packet(4, ICMP(type=3, code=3) / Raw(packet(4, TCP()))),
    packet(6, ICMPv6DestUnreach(code=4) / Raw(packet(6, TCP()))),
]


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(halves, st.integers(0, 255)), max_size=9), st.integers(0, 120))
@example(SAMPLES[0], [(33, 2)], 120)
def test_bent_packets_break_nothing(sample: bytes, bends: list[tuple[int, int]], length: int) -> None:
    data = bytearray(sample)
    for at, value in bends:
        data[at % len(data)] = value
    seen = dissect(bytes(data[:length]))
    if isinstance(seen, Segment):
        assert ", ".join(segment_fields(seen, 3, None)).isprintable()
        assert name(seen)
    elif seen is not None:
        assert ", ".join(icmp_fields(seen, None)).isprintable()


@given(st.binary(max_size=200))
def test_noise_breaks_nothing(data: bytes) -> None:
    dissect(data)


@pytest.mark.parametrize(
    ("flags", "written", "called"),
    [
        ("S", "S", "SYN"),
        ("SA", "S.", "SYN-ACK"),
        ("A", ".", "ACK"),
        ("R", "R", "RST"),
        ("RA", "R.", "RST"),
        ("SR", "SR", "SYN-RST"),
        ("FA", "F.", "FIN"),
        ("", "none", "no flags"),
        ("SEC", "SEW", "SYN"),
        ("FPU", "FPU", "FIN"),
    ],
)
def test_flags_by_name_and_letter(flags: str, written: str, called: str) -> None:
    seen = dissect(packet(4, TCP(flags=flags)))
    assert isinstance(seen, Segment)
    assert (letters(seen.flags), name(seen)) == (written, called)


def test_a_line_in_tcpdumps_notation() -> None:
    tcp = TCP(seq=2**32 - 5, ack=1010, flags="PA", window=9, options=[("NOP", None)])
    seen = dissect(packet(4, tcp / Raw(b"0123456789"), ttl=62))
    assert isinstance(seen, Segment)
    fields = ["Flags [P.]", "seq 4294967291:5 (1:11)", "ack 1010 (10)", "win 9", "options [nop,eol]", "ttl 62"]
    assert segment_fields(seen, 2**32 - 6, 1000) == [*fields, "length 10"]
    assert segment_fields(seen, None, None)[1:3] == ["seq 4294967291:5", "ack 1010"]
    assert name(seen) == "data"


def test_a_capture_file_is_one_for_scapy(tmp_path: Any) -> None:
    from scapy.utils import RawPcapReader

    path = tmp_path / "x.pcap"
    path.write_bytes(pcap.header() + b"".join(pcap.record(1_700_000_000_123_456_789 + n, SAMPLES[n]) for n in range(2)))
    with RawPcapReader(str(path)) as reader:
        assert (reader.linktype, reader.nano) == (101, True)
        found = [(data, meta.sec, meta.usec, meta.wirelen) for data, meta in reader]
    assert found == [(SAMPLES[n], 1_700_000_000, 123_456_789 + n, len(SAMPLES[n])) for n in range(2)]


def test_addresses_are_those_of_the_packet() -> None:
    seen = dissect(packet(6, TCP()))
    assert isinstance(seen, Segment)
    assert seen.source == ipaddress.ip_address(A6)
