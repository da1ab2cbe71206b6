"""IP packets byte by byte, in plain Python: whatever is asked for is built, right or wrong, checksums last.

Frames begin at the IP header. Addresses are packed, 4 or 16 bytes. Nothing here knows the engine or numpy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TCP, ICMP, ICMPV6, FRAGMENT, DESTINATION_OPTIONS = 6, 1, 58, 44, 60
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "W": 128}
_IPV4_HEADER, _DONT_FRAGMENT, _MORE_FRAGMENTS = 20, 0x4000, 0x2000


@dataclass(frozen=True, slots=True)
class Syn:
    """What a host reads of a SYN. `timestamp` is None without the option."""

    version: int
    source: bytes
    destination: bytes
    sport: int
    dport: int
    seq: int
    tos: int
    timestamp: int | None
    packet: bytes


def read_syn(packet: bytes) -> Syn | None:
    """The SYN in a packet; None for anything else, and for what is cut short."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 40 and packet[9] == TCP:
        start, source, destination, tos = (packet[0] & 15) * 4, packet[12:16], packet[16:20], packet[1]
    elif version == 6 and len(packet) >= 60 and packet[6] == TCP:
        start, source, destination = 40, packet[8:24], packet[24:40]
        tos = struct.unpack_from("!H", packet)[0] >> 4 & 0xFF
    else:
        return None
    if len(packet) < start + 20 or packet[start + 13] & 0x17 != FLAGS["S"]:
        return None
    sport, dport, seq = struct.unpack_from("!HHI", packet, start)
    options = packet[start + 20 : start + (packet[start + 12] >> 4) * 4]
    return Syn(version, source, destination, sport, dport, seq, tos, _timestamp(options), packet)


def _timestamp(options: bytes) -> int | None:
    while options and options[0] != 0:
        size = 1 if options[0] == 1 else options[1] if len(options) > 1 else 0
        if options[0] == 8 and size == 10 and len(options) >= 10:
            return int(struct.unpack_from("!I", options, 2)[0])
        if size < 1:
            break
        options = options[size:]
    return None


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP header and what follows it. `words` is the data offset where it shall not fit, `spoil` is added to the
    checksum."""

    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes = b""
    payload: bytes = b""
    words: int | None = None
    spoil: int = 0

    def bytes(self, source: bytes, destination: bytes) -> bytes:
        options = self.options + bytes(-len(self.options) % 4)
        words = 5 + len(options) // 4 if self.words is None else self.words
        head = struct.pack("!HHIIBBH", self.sport, self.dport, self.seq, self.ack, words << 4, self.flags, self.window)
        data = head + bytes(4) + options + self.payload
        total = (checksum(pseudo_header(source, destination, TCP, len(data)) + data) + self.spoil) & 0xFFFF
        return data[:16] + struct.pack("!H", total) + data[18:]


def icmp_error(
    source: bytes, destination: bytes, kind: int, code: int, body: bytes, *, rest: int = 0, spoil: int = 0
) -> bytes:
    """An ICMP or ICMPv6 message: type, code, checksum, 32 bits of `rest`, and what it quotes."""
    data = struct.pack("!BBHI", kind, code, 0, rest) + body
    # ICMPv6 has a pseudo-header in its checksum, ICMP has none (RFC 4443 section 2.3, RFC 792).
    pseudo = pseudo_header(source, destination, ICMPV6, len(data)) if len(source) == 16 else b""
    return data[:2] + struct.pack("!H", (checksum(pseudo + data) + spoil) & 0xFFFF) + data[4:]


@dataclass(frozen=True, slots=True)
class Envelope:
    """The IP header. `options` are IPv4's, `extension` is an IPv6 destination options header (its next header left
    out); `cuts` are the byte ranges of the payload that each fragment carries, in the order of sending."""

    source: bytes
    destination: bytes
    ttl: int
    tos: int = 0
    options: bytes = b""
    extension: bytes = b""
    cuts: Sequence[tuple[int, int]] = ()
    identity: int = 0
    trailer: bytes = b""

    def packets(self, protocol: int, payload: bytes) -> Iterator[bytes]:
        """The whole datagram, or its fragments."""
        if len(self.source) == 16 and self.extension:
            protocol, payload = DESTINATION_OPTIONS, bytes([protocol]) + self.extension + payload
        build = self._ipv4 if len(self.source) == 4 else self._ipv6
        for start, end in self.cuts or [(0, len(payload))]:
            yield build(protocol, payload[start:end], start, end < len(payload)) + self.trailer

    def _ipv4(self, protocol: int, payload: bytes, start: int, more: bool) -> bytes:
        fragment = start >> 3 | (_MORE_FRAGMENTS if more else 0) if self.cuts else _DONT_FRAGMENT
        options = self.options + bytes(-len(self.options) % 4)
        size, words = _IPV4_HEADER + len(options), 5 + len(options) // 4
        head = struct.pack("!BBHH", 0x40 | words, self.tos, size + len(payload), self.identity)
        head += struct.pack("!HBBH", fragment, self.ttl, protocol, 0) + self.source + self.destination + options
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload

    def _ipv6(self, protocol: int, payload: bytes, start: int, more: bool) -> bytes:
        if self.cuts:  # the offset counts 8 bytes too, but stands three bits higher (RFC 8200 section 4.5)
            protocol, payload = FRAGMENT, struct.pack("!BBHI", protocol, 0, start | more, self.identity) + payload
        head = struct.pack("!IHBB", 6 << 28 | self.tos << 20, len(payload), protocol, self.ttl)
        return head + self.source + self.destination + payload


def pseudo_header(source: bytes, destination: bytes, protocol: int, size: int) -> bytes:
    """What TCP's checksum covers of the IP header (RFC 9293 section 3.1, RFC 8200 section 8.1)."""
    tail = struct.pack("!BBH", 0, protocol, size) if len(source) == 4 else struct.pack("!II", size, protocol)
    return source + destination + tail


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return 0xFFFF - total % 0xFFFF if total else 0xFFFF
