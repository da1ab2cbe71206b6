"""The columnar parser against its slow twin, on packets built by scapy, then bent, cut, and made up."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6TimeExceeded, IPv6
from scapy.packet import Raw

from probe.core.block import split
from probe.core.extensions import MOST_STEPS
from probe.core.options import Step, walk
from probe.core.replies import Batch, parse
from tests.core.answer_cases import EACH
from tests.core.crafted import Answer, syn_from
from tests.core.slow_headers import ones
from tests.core.slow_replies import Packet, Slow, as_rows, batch_of, slow_parse

ports, words, bytes_ = st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 255)
tcp_options = st.sampled_from(
    [[], [("MSS", 1460)], [("MSS", 9), ("SAckOK", b""), ("Timestamp", (1, 2)), ("WScale", 7)]]
)
ip_options = st.sampled_from([b"", b"\x01" * 4, b"\x94\x04\0\0", b"\x01" * 40])


@st.composite
def ip_headers(draw: st.DrawFn, version: int) -> IP | IPv6:
    addresses = st.ip_addresses(v=version).filter(lambda a: not getattr(a, "ipv4_mapped", None))  # type: ignore[arg-type]
    source, destination = (str(draw(addresses)) for _ in range(2))
    ttl, tos = draw(bytes_), draw(bytes_)
    if version == 6:
        return IPv6(src=source, dst=destination, hlim=ttl, tc=tos, fl=draw(st.integers(0, 0xFFFFF)))
    packet = IP(src=source, dst=destination, ttl=ttl, tos=tos, id=draw(ports), flags=draw(st.sampled_from(["", "DF"])))
    packet.options = [Raw(draw(ip_options))]
    return packet


@st.composite
def tcp_replies(draw: st.DrawFn, version: int) -> bytes:
    tcp = TCP(
        sport=draw(ports),
        dport=draw(ports),
        seq=draw(words),
        ack=draw(words),
        flags=draw(st.one_of(st.sampled_from([0x12, 0x14, 4, 2]), bytes_)),
        window=draw(ports),
        options=draw(tcp_options),
    )
    return bytes(draw(ip_headers(version)) / tcp / Raw(draw(st.binary(max_size=9))))


pieces = st.sampled_from(
    [
        b"\x08\x0a" + b"\0\0\0\x01" + b"\0\0\0\x02",
        b"\x08\x0a" + b"\xff" * 8,
        b"\x01",
        b"\0",
        b"\x02\x04\x05\xb4",
        b"\x03\x03\x07",
    ]
)
faults = st.one_of(st.sampled_from([b"\x08\0", b"\x08\x01", b"\x08\x09", b"\x08", b"\xfe\xff"]), st.binary(max_size=4))
option_lists = st.lists(st.one_of(pieces, pieces, faults), max_size=6).map(b"".join)


@st.composite
def odd_options(draw: st.DrawFn, version: int) -> bytes:
    """Options as somebody wrote them by hand: in any order, twice, of no size, and longer than the header."""
    options = draw(option_lists)[:40]
    options += bytes(-len(options) % 4)
    tcp = TCP(sport=80, dport=4000, flags="SA", dataofs=5 + len(options) // 4)
    return bytes(draw(ip_headers(version)) / tcp / Raw(options + draw(st.sampled_from([b"", b"\x08\x0a12345678"]))))


@st.composite
def icmp_errors(draw: st.DrawFn, version: int) -> bytes:
    inner = draw(st.sampled_from([TCP, TCP, TCP, UDP]))(sport=draw(ports), dport=draw(ports))
    if isinstance(inner, TCP):
        inner.seq = draw(words)
    quoted = bytes(draw(ip_headers(draw(st.sampled_from([version, version, version, 10 - version])))) / inner)
    if version == 4:
        error = ICMP(type=draw(st.sampled_from([3, 3, 11, 0, 12])), code=draw(st.integers(0, 16)))
    else:
        kind = draw(st.sampled_from([ICMPv6DestUnreach, ICMPv6DestUnreach, ICMPv6TimeExceeded, ICMPv6EchoRequest]))
        error = kind(code=draw(st.integers(0, 8)))
    size = draw(st.one_of(st.just(len(quoted)), st.integers(0, len(quoted)), st.just(28), st.just(48)))
    return bytes(draw(ip_headers(version)) / error / Raw(quoted[:size]))


def with_right_header(data: bytes) -> bytes:
    """The IPv4 header checksum made right again, so that what was bent behind it is reached."""
    size = (data[0] & 15) * 4 if data else 0
    if not data or data[0] >> 4 != 4 or not 20 <= size <= len(data):
        return data
    blank = data[:10] + b"\0\0" + data[12:]
    return data[:10] + struct.pack(">H", 0xFFFF ^ ones(blank[:size])) + data[12:]


@st.composite
def bent(draw: st.DrawFn, original: bytes) -> Packet:
    data = bytearray(original)
    for _ in range(draw(st.integers(0, 3))):
        what = draw(st.sampled_from(["flip", "set", "cut", "append"]))
        at = draw(st.integers(0, max(0, len(data) - 1)))
        if what == "cut":
            del data[at:]
        elif what == "append":
            data += draw(st.binary(max_size=40))
        elif data:
            data[at] = data[at] ^ 1 << draw(st.integers(0, 7)) if what == "flip" else draw(bytes_)
    repaired = with_right_header(bytes(data)) if draw(st.booleans()) else bytes(data)
    return Packet(repaired, intact=draw(st.booleans()))


crafted = st.sampled_from([packet for case, version in EACH for packet in case.packets(syn_from(40000, version))])
valid = st.one_of(crafted, tcp_replies(4), tcp_replies(6), icmp_errors(4), icmp_errors(6))
starts, rest = st.sampled_from([b"\x45\0\0\x28", b"\x60\0\0\0", b"\x4f\0\0\x48"]), st.binary(max_size=100)
packets = st.one_of(
    valid.map(Packet),
    st.one_of(odd_options(4), odd_options(6)).map(Packet),
    valid.flatmap(bent),
    st.builds(Packet, st.binary(max_size=120), st.booleans()),
    st.builds(lambda first, rest, intact: Packet(with_right_header(first + rest), intact), starts, rest, st.booleans()),
)


@settings(max_examples=250, deadline=None)
@given(st.lists(packets, max_size=6), st.sampled_from([0, 1, 7, 2000]))
def test_parse_is_its_slow_twin(many: list[Packet], spare: int) -> None:
    assert as_rows(parse(batch_of(many, spare))) == slow_parse(many)


@settings(max_examples=50)
@given(st.lists(st.one_of(tcp_replies(4), tcp_replies(6)), min_size=1, max_size=8))
def test_whole_replies_all_arrive(many: list[bytes]) -> None:
    """The twin could share a mistake with the parser; scapy's own fields could not."""
    seen = as_rows(parse(batch_of([Packet(data) for data in many])))
    assert seen.malformed == 0
    expected = []
    for data in sorted(many, key=lambda data: data[0] >> 4):
        ip = IP(data) if data[0] >> 4 == 4 else IPv6(data)
        tcp, four = TCP(bytes(ip.payload)), ip.version == 4
        halves = (split(ip_address(ip.src)), split(ip_address(ip.dst)))
        addresses = tuple(high << 64 | low for high, low in halves)
        ttl, tos = (ip.ttl, ip.tos) if four else (ip.hlim, ip.tc)
        flags = int(tcp.flags) & 63
        echoes = [value[1] for name, value in tcp.options if name == "Timestamp"]
        numbers = (tcp.sport, tcp.dport, tcp.seq, tcp.ack, flags, tcp.window, ttl, tos)
        expected.append((*addresses, *numbers, echoes[0] if echoes else 0, bool(echoes)))
    assert seen.tcp == expected


@pytest.mark.parametrize("shape", [(0, 0), (0, 60), (0, 2048), (3, 0), (1, 1), (2, 159), (2, 161)])
def test_nothing_to_read(shape: tuple[int, int]) -> None:
    rows, lengths = np.zeros(shape, np.uint8), np.full(shape[0], shape[1], np.int64)
    assert as_rows(parse(Batch(rows, lengths, np.zeros(shape[0], np.bool_)))) == Slow()


HOST, US, ROUTER = (0xFFFF << 32 | 0xC6120000 | last for last in (1, 2, 9))
SYN_ACK = IP(src="198.18.0.1", dst="198.18.0.2", ttl=63) / TCP(sport=80, dport=4000, ack=8, flags="SA")
SYN_ACK6 = IPv6(src="fd18::1", dst="fd18::2", hlim=63) / TCP(sport=80, dport=4000, ack=8, flags="SA")


def altered(packet: IP | IPv6, at: int, value: int) -> bytes:
    data = bytearray(bytes(packet))
    data[at] = value
    return bytes(data)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(altered(SYN_ACK, 36, 1), id="checksum"),
        pytest.param(altered(SYN_ACK6, 56, 1), id="checksum6"),
        pytest.param(altered(SYN_ACK, 8, 9), id="header checksum"),
        pytest.param(with_right_header(altered(SYN_ACK, 6, 0x20)), id="more fragments"),
        pytest.param(with_right_header(altered(SYN_ACK, 7, 1)), id="later fragment"),
        pytest.param(bytes(IP(src="1.2.3.4", dst="1.2.3.5") / TCP(dataofs=4)), id="data offset 4"),
        pytest.param(bytes(IP(src="1.2.3.4", dst="1.2.3.5") / TCP(dataofs=6)), id="data offset beyond"),
        pytest.param(with_right_header(altered(SYN_ACK, 3, 41)), id="longer than captured"),
        pytest.param(with_right_header(altered(SYN_ACK, 3, 39)), id="shorter than TCP"),
        pytest.param(with_right_header(altered(SYN_ACK, 0, 0x44)), id="IHL 4"),
        pytest.param(bytes(SYN_ACK)[:39], id="cut"),
        pytest.param(bytes(SYN_ACK6)[:59], id="cut6"),
    ],
)
def test_broken_tcp_is_counted(packet: bytes) -> None:
    assert as_rows(parse(batch_of([Packet(packet)]))) == Slow(malformed=1)


def test_the_kernels_word_replaces_the_checksum_and_nothing_else() -> None:
    bad_tcp, bad_header = altered(SYN_ACK, 36, 1), altered(SYN_ACK, 8, 9)
    vouched = as_rows(parse(batch_of([Packet(bad_tcp, intact=True), Packet(bad_header, intact=True)])))
    assert (len(vouched.tcp), vouched.malformed) == (1, 1)


STAMP = b"\x08\x0a\0\0\0\x07\0\0\0\x09"


@pytest.mark.parametrize(
    "options, echo",
    [
        pytest.param(b"\x01\x01" + STAMP, 9, id="aligned"),
        pytest.param(b"\x02\x04\x05\xb4\x04\x02" + STAMP + b"\x01\x03\x03\x07", 9, id="as Linux"),
        pytest.param(STAMP + STAMP[:9] + b"\x0a", 10, id="the last of two"),
        pytest.param(b"\0" + STAMP, None, id="after the end"),
        pytest.param(b"\xfe\0" + STAMP, None, id="after an option of size 0"),
        pytest.param(b"\xfe\x01" + STAMP, None, id="after an option of size 1"),
        pytest.param(b"\xfe\x29" + STAMP, None, id="after one that overruns the header"),
        pytest.param(STAMP + b"\xfe\0", 9, id="before a silly one"),
        pytest.param(b"\x08\x0b" + STAMP[2:] + b"\x01", None, id="size 11"),
        pytest.param(b"\x01\x01\x01" + STAMP[:9], None, id="cut by the data offset"),
        pytest.param(b"\x01" * 11 + b"\x08", None, id="a kind without a size"),
        pytest.param(b"", None, id="none"),
    ],
)
def test_the_timestamp_echo(options: bytes, echo: int | None) -> None:
    """The sizes of tcp_parse_options: what stands before a silly option counts, what follows it does not."""
    options += bytes(-len(options) % 4)
    around = IP(src="198.18.0.1", dst="198.18.0.2") / TCP(dataofs=5 + len(options) // 4) / Raw(options + STAMP)
    replies = parse(batch_of([Packet(bytes(around))])).tcp
    assert replies.has_timestamp.tolist() == [echo is not None]
    assert replies.tsecr.tolist() == [echo or 0]


def test_ethernet_padding_is_no_part_of_the_packet() -> None:
    padded = as_rows(parse(batch_of([Packet(bytes(SYN_ACK) + b"\x13\x37" * 3), Packet(bytes(SYN_ACK6) + b"xx")])))
    assert (len(padded.tcp), padded.malformed) == (2, 0)


@pytest.mark.parametrize("version", [0, 5, 7, 15])
def test_another_ip_version_is_not_broken_tcp(version: int) -> None:
    assert as_rows(parse(batch_of([Packet(altered(SYN_ACK, 0, version << 4 | 5))]))) == Slow()


def test_an_icmp_error_must_quote_eight_bytes_of_tcp() -> None:
    quoted = bytes(IP(src="198.18.0.2", dst="198.18.0.1") / TCP(sport=4000, dport=80, seq=7))
    around = IP(src="198.18.0.9", dst="198.18.0.2", ttl=62) / ICMP(type=3, code=13)
    errors = [Packet(bytes(around / Raw(quoted[:size]))) for size in (19, 20, 27, 28, 40)]
    seen = as_rows(parse(batch_of(errors)))
    assert seen.icmp == [(ROUTER, US, HOST, 4000, 80, 7, 4, 3, 13, 62)] * 2


@pytest.mark.parametrize("first", [0x44, 0x65, 0x55])
def test_a_quote_that_is_no_ipv4_header(first: int) -> None:
    """Too short a header, or another family's: what follows would be read at the wrong place."""
    quoted = bytearray(bytes(IP(src="198.18.0.2", dst="198.18.0.1") / TCP(sport=4000, dport=80, seq=7)))
    quoted[0] = first
    error = IP(src="198.18.0.9", dst="198.18.0.2") / ICMP(type=3, code=13) / Raw(bytes(quoted))
    assert as_rows(parse(batch_of([Packet(bytes(error))]))) == Slow()


def test_a_quote_that_is_no_ipv6_header() -> None:
    quoted = bytearray(bytes(IPv6(src="fd18::2", dst="fd18::1") / TCP(sport=4000, dport=80, seq=7)))
    quoted[0] = 0x45
    error = IPv6(src="fd18::9", dst="fd18::2") / ICMPv6DestUnreach(code=1) / Raw(bytes(quoted))
    assert as_rows(parse(batch_of([Packet(bytes(error))]))) == Slow()


def test_a_long_list_of_padding_is_not_walked_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """One packet that takes two thousand steps would be enough to stop a scan for a while, if sent often."""
    steps = []

    def counted(*arguments: Any, **options: Any) -> Iterator[Step]:
        for step in walk(*arguments, **options):
            steps.append(step)
            yield step

    monkeypatch.setattr("probe.core.extensions.walk", counted)
    packet = Answer(extensions=[(60, bytes([249]) + bytes(1998))]).to(syn_from(40000, 6))
    assert as_rows(parse(batch_of([Packet(packet)]))) == Slow(malformed=1)
    assert len(steps) == MOST_STEPS + 1
