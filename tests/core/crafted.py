"""Answers to a SYN, one at a time, in plain bytes: each field as a responder would fill it, or as a test bends it.

Knows neither the engine nor scapy. Numbers that belong to the SYN are given relative to it, so that one `Answer`
answers any SYN: the engine's, and that of the kernel's own `connect`.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.core.slow_headers import ones

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
TCP, ICMP, ICMPV6 = 6, 1, 58
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60

MSS, NOP = b"\x02\x04\x05\xb4", b"\x01"
PADN = b"\x01\x04\0\0\0\0"
Extension = tuple[int, bytes]  # its number, and all of it but the first byte, which names the next header


@dataclass(frozen=True)
class Asked:
    """A SYN as its receiver reads it."""

    packet: bytes
    version: int
    source: bytes
    destination: bytes
    sport: int
    dport: int
    seq: int
    tsval: int


def asked(packet: bytes) -> Asked:
    """Reads a SYN without IP options, whose timestamp option stands where Linux puts it."""
    version, start = (4, 20) if packet[0] >> 4 == 4 else (6, 40)
    source, destination = (packet[12:16], packet[16:20]) if version == 4 else (packet[8:24], packet[24:40])
    sport, dport, seq = struct.unpack(">HHI", packet[start : start + 8])
    (tsval,) = struct.unpack(">I", packet[start + 28 : start + 32])
    return Asked(packet, version, source, destination, sport, dport, seq, tsval)


def syn_from(port: int, version: int) -> Asked:
    """A SYN from this port of 198.18.0.2 or fd18::2 to port 80 of 198.18.0.1 or fd18::1, without its checksum."""
    options = MSS + b"\x04\x02\x08\x0a" + struct.pack(">II", 5000, 0) + NOP + b"\x03\x03\x07"
    tcp = struct.pack(">HHIIBBHHH", port, 80, 0xFEDCBA98, 0, 0xA0, SYN, 64240, 0, 0) + options
    net = bytes([198, 18, 0]) if version == 4 else b"\xfd\x18" + bytes(13)
    return asked((ipv4 if version == 4 else ipv6)(net + b"\2", net + b"\1", TCP, tcp))


def checksum(data: bytes) -> bytes:
    return struct.pack(">H", 0xFFFF ^ ones(data))


@dataclass(frozen=True)
class Answer:
    """A TCP segment. `ack` counts from the SYN's sequence number; `echo` from its timestamp, -1 << 32 for an echo of
    zero, None for no timestamp option. `offset` is the data offset in words where it lies. `xor` bends the checksum."""

    flags: int = SYN | ACK
    ack: int = 1
    seq: int = 0x0BADCAFE
    options: bytes = MSS
    echo: int | None = None
    offset: int | None = None
    reserved: int = 0
    window: int = 65160
    urgent: int = 0
    payload: bytes = b""
    xor: int = 0
    from_port: int = 0
    to_port: int = 0
    source: bytes = b""
    ttl: int = 63
    tos: int = 0
    ip_options: bytes = b""
    extensions: Sequence[Extension] = ()

    def to(self, syn: Asked) -> bytes:
        """The whole packet, from the IP header on."""
        source = self.source or syn.destination
        body = self._segment(syn)
        total = body[:16] + b"\0\0" + body[18:]
        pseudo = source + syn.source + struct.pack(">II", len(total), TCP)
        (right,) = struct.unpack(">H", checksum(pseudo + total))
        body = body[:16] + struct.pack(">H", right ^ self.xor) + body[18:]
        return self._packet(syn.version, source, syn.source, TCP, body)

    def but(self, **fields: object) -> Answer:
        return replace(self, **fields)  # type: ignore[arg-type]

    def _segment(self, syn: Asked) -> bytes:
        options = self.options + (timestamp(syn, self.echo) if self.echo is not None else b"")
        options += b"\0" * (-len(options) % 4)
        words = 5 + len(options) // 4 if self.offset is None else self.offset
        header = struct.pack(
            ">HHIIBBHHH",
            (syn.dport + self.from_port) % 65536,
            (syn.sport + self.to_port) % 65536,
            self.seq,
            (syn.seq + self.ack) % 2**32,
            words << 4 | self.reserved,
            self.flags,
            self.window,
            0,
            self.urgent,
        )
        return header + options + self.payload

    def _packet(self, version: int, source: bytes, destination: bytes, protocol: int, body: bytes) -> bytes:
        if version == 4:
            return ipv4(source, destination, protocol, body, self.ip_options, self.ttl, self.tos)
        return ipv6(source, destination, protocol, body, self.extensions, self.ttl, self.tos)


@dataclass(frozen=True)
class Error:
    """An ICMP error about the SYN. `quote` bends what it quotes; `size` cuts the quote; `more` follows the quote."""

    kind: int
    code: int
    rest: bytes = bytes(4)
    size: int | None = None
    more: bytes = b""
    sender: bytes = b""
    seq: int = 0
    sport: int = 0
    dport: int = 0
    quoted_ip_options: bytes = b""
    quoted_extensions: Sequence[Extension] = ()
    xor: int = 0
    stray: int = 0  # which address of the quote is another one: 1 the source, 2 the destination
    rewritten: bool = False  # TTL, DSCP and checksums of the quote are those of a packet on its way

    def to(self, syn: Asked) -> bytes:
        return self.about(syn, self._quote(syn)[: self.size] + self.more)

    def about(self, syn: Asked, quote: bytes) -> bytes:
        """An error that quotes anything at all, to the sender of this SYN."""
        sender = self.sender or syn.destination
        protocol = ICMP if syn.version == 4 else ICMPV6
        body = bytes([self.kind, self.code, 0, 0]) + self.rest + quote
        pseudo = b"" if syn.version == 4 else sender + syn.source + struct.pack(">II", len(body), protocol)
        (right,) = struct.unpack(">H", checksum(pseudo + body))
        body = body[:2] + struct.pack(">H", right ^ self.xor) + body[4:]
        return Answer()._packet(syn.version, sender, syn.source, protocol, body)

    def _quote(self, syn: Asked) -> bytes:
        start = 20 if syn.version == 4 else 40
        ports = struct.pack(">HH", (syn.sport + self.sport) % 65536, (syn.dport + self.dport) % 65536)
        tcp = ports + struct.pack(">I", (syn.seq + self.seq) % 2**32) + syn.packet[start + 8 :]
        ttl, tos = (1, 0xB8) if self.rewritten else (64, 0)
        if self.rewritten:
            tcp = tcp[:16] + b"\x12\x34" + tcp[18:]
        about = replace(
            Answer(), ttl=ttl, tos=tos, ip_options=self.quoted_ip_options, extensions=self.quoted_extensions
        )
        ends = syn.source, syn.destination
        source, destination = (bytes([end[0] ^ (self.stray == n)]) + end[1:] for n, end in enumerate(ends, 1))
        quote = about._packet(syn.version, source, destination, TCP, tcp)
        return quote[:10] + b"\xff\xff" + quote[12:] if self.rewritten and syn.version == 4 else quote


def ipv4(
    source: bytes, destination: bytes, protocol: int, body: bytes, options: bytes = b"", ttl: int = 63, tos: int = 0
) -> bytes:
    options += b"\0" * (-len(options) % 4)
    size = 20 + len(options)
    head = struct.pack(">BBHHHBBH", 0x40 | size // 4, tos, size + len(body), 0x4242, 0, ttl, protocol, 0)
    return sealed(head + source + destination + options + body)


def sealed(packet: bytes) -> bytes:
    """The checksum of an IPv4 header made right; packets that have none as they are."""
    size = (packet[0] & 15) * 4 if packet else 0
    if not packet or packet[0] >> 4 != 4 or not 20 <= size <= len(packet):
        return packet
    blank = packet[:10] + b"\0\0" + packet[12:size]
    return packet[:10] + checksum(blank) + packet[12:]


def ipv6(
    source: bytes,
    destination: bytes,
    protocol: int,
    body: bytes,
    extensions: Sequence[Extension] = (),
    hops: int = 63,
    traffic_class: int = 0,
) -> bytes:
    following = protocol
    for kind, rest in reversed(extensions):
        body, following = bytes([following]) + rest + body, kind
    return struct.pack(">IHBB", 6 << 28 | traffic_class << 20, len(body), following, hops) + source + destination + body


def timestamp(syn: Asked, echo: int) -> bytes:
    tsecr = 0 if echo == -1 << 32 else (syn.tsval + echo) % 2**32
    return b"\x08\x0a" + struct.pack(">II", 77, tsecr)


def listed(kind: int, options: bytes) -> Extension:
    """A header of options: hop-by-hop or destination options, filled up with Pad1."""
    options += b"\0" * (-(len(options) + 2) % 8)
    return kind, bytes([len(options) // 8]) + options


def routing(kind: int, segments_left: int) -> Extension:
    return ROUTING, bytes([0, kind, segments_left]) + bytes(4)


ATOMIC: Extension = (FRAGMENT, bytes([0, 0, 0]) + b"\0\0\0\x07")


@dataclass(frozen=True)
class Piece:
    """A fragment to cut: bytes `start` … `end` of the IP payload; `last` says so in the header."""

    start: int
    end: int
    last: bool


def fragment(packet: bytes, piece: Piece, shift: int = 0) -> bytes:
    """One fragment of a packet. Its identification is a hash of the packet's ports and numbers, plus `shift`: two SYNs
    never get fragments of one datagram."""
    tcp = packet.find(b"\x0b\xad\xca\xfe") - 4
    identity = (zlib.crc32(packet[tcp : tcp + 12]) + shift) % 65536
    if packet[0] >> 4 == 4:
        size = (packet[0] & 15) * 4
        body = packet[size:][piece.start : piece.end]
        place = piece.start // 8 | (0 if piece.last else 0x2000)
        head = packet[:2] + struct.pack(">HHH", size + len(body), identity, place) + packet[8:size]
        return sealed(head + body)
    body = packet[40:][piece.start : piece.end]
    header = struct.pack(">BBHI", packet[6], 0, piece.start // 8 << 3 | (not piece.last), identity)
    return packet[:4] + struct.pack(">HB", 8 + len(body), FRAGMENT) + packet[7:40] + header + body


def fragments(packet: bytes, *cuts: int) -> list[bytes]:
    """A packet cut at these places of its IP payload, multiples of 8."""
    size = len(packet) - ((packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40)
    edges = [0, *cuts, size]
    return [fragment(packet, Piece(start, end, end == size)) for start, end in itertools.pairwise(edges)]
