"""The slow twin of `probe.core.replies`: one packet at a time, in plain Python, straight from the RFCs."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from probe.core.columns import Halves
from probe.core.replies import Batch, Parsed

MAPPED = 0xFFFF << 32  # the engine's one form for both families: IPv4 as ::ffff:a.b.c.d


@dataclass(frozen=True)
class Packet:
    data: bytes
    intact: bool = False


@dataclass
class Slow:
    """TCP rows: (source, destination, sport, dport, seq, ack, flags, window, ttl, tos, tsecr, has_timestamp). ICMP
    rows: (sender, quoted source, quoted destination, quoted sport, quoted dport, quoted seq, version, type, code, ttl).
    Addresses are 128-bit."""

    tcp: list[tuple[int, ...]] = field(default_factory=list)
    icmp: list[tuple[int, ...]] = field(default_factory=list)
    malformed: int = 0


def batch_of(packets: Sequence[Packet], spare: int = 0) -> Batch:
    """Packets as a wire gives them: zero beyond each end, and `spare` columns that nobody needs."""
    rows = np.zeros((len(packets), max((len(p.data) for p in packets), default=0) + spare), np.uint8)
    for row, packet in enumerate(packets):
        rows[row, : len(packet.data)] = np.frombuffer(packet.data, np.uint8)
    lengths = np.array([len(p.data) for p in packets], np.int64)
    return Batch(rows, lengths, np.array([p.intact for p in packets], np.bool_))


def as_rows(parsed: Parsed) -> Slow:
    """The columns turned into what the twin gives."""

    def numbers(halves: Halves) -> list[int]:
        return [high << 64 | low for high, low in zip(halves[0].tolist(), halves[1].tolist(), strict=True)]

    t, i = parsed.tcp, parsed.icmp
    tcp = zip(
        numbers(t.source),
        numbers(t.destination),
        *(column.tolist() for column in (t.sport, t.dport, t.seq, t.ack, t.flags, t.window, t.ttl, t.tos)),
        *(column.tolist() for column in (t.tsecr, t.has_timestamp)),
        strict=True,
    )
    icmp = zip(
        numbers(i.sender),
        numbers(i.source),
        numbers(i.destination),
        *(column.tolist() for column in (i.sport, i.dport, i.seq, i.version, i.type, i.code, i.ttl)),
        strict=True,
    )
    return Slow(list(tcp), list(icmp), parsed.malformed)


def slow_parse(packets: Sequence[Packet]) -> Slow:
    result = Slow()
    for version in (4, 6):
        for packet in packets:
            if packet.data[:1] and packet.data[0] >> 4 == version:
                _enter(packet, version, result)
    return result


def ones(data: bytes) -> int:
    """The ones' complement sum of 16-bit words, an odd byte padded with zero (RFC 1071)."""
    total: int = sum(word for (word,) in struct.iter_unpack(">H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def address(data: bytes) -> int:
    return MAPPED | int.from_bytes(data, "big") if len(data) == 4 else int.from_bytes(data, "big")


def _enter(packet: Packet, version: int, result: Slow) -> None:
    data = packet.data
    claimed = data[9:10] if version == 4 else data[6:7]
    if claimed == b"\x06":
        row = _tcp(packet, version)
        result.tcp.extend([row] if row else [])
        result.malformed += row is None
    elif claimed == (b"\x01" if version == 4 else b"\x3a"):
        row = _icmp(packet, version)
        result.icmp.extend([row] if row else [])


def _body(data: bytes, version: int) -> bytes | None:
    """What follows the IP header; None where the header is wrong or the packet cut short."""
    if version == 6:
        if len(data) < 40:
            return None
        end = 40 + int.from_bytes(data[4:6], "big")
        return data[40:end] if end <= len(data) else None
    if len(data) < 20:
        return None
    start, end = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big")
    more_or_later_fragment = int.from_bytes(data[6:8], "big") & 0x3FFF
    if start < 20 or more_or_later_fragment or end > len(data) or end < start + 8 or ones(data[:start]) != 0xFFFF:
        return None
    return data[start:end]


def _pseudo(data: bytes, version: int, size: int) -> bytes:
    addresses = data[12:20] if version == 4 else data[8:40]
    return addresses + struct.pack(">II", size, data[9] if version == 4 else data[6])


def _tcp(packet: Packet, version: int) -> tuple[int, ...] | None:
    data = packet.data
    body = _body(data, version)
    if body is None or len(body) < 20:
        return None
    if not packet.intact and ones(_pseudo(data, version, len(body)) + body) != 0xFFFF:
        return None
    if not 20 <= (body[12] >> 4) * 4 <= len(body):
        return None
    sport, dport, seq, ack, offset, flags, window = struct.unpack(">HHIIBBH", body[:16])
    source, destination = (data[12:16], data[16:20]) if version == 4 else (data[8:24], data[24:40])
    ttl, tos = (data[8], data[1]) if version == 4 else (data[7], (data[0] << 4 | data[1] >> 4) & 0xFF)
    echo = timestamp_echo(body[20 : (offset >> 4) * 4])
    numbers = (sport, dport, seq, ack, flags & 63, window, ttl, tos)
    return address(source), address(destination), *numbers, echo or 0, echo is not None


def timestamp_echo(options: bytes) -> int | None:
    """The TSecr of the last timestamp option (RFC 7323); kind 0 or an impossible size ends the list (RFC 9293)."""
    echo = None
    while options and options[0] != 0:
        if options[0] == 1:
            options = options[1:]
            continue
        size = options[1] if len(options) > 1 else 0
        if not 2 <= size <= len(options):
            break
        if options[0] == 8 and size == 10:
            echo = int.from_bytes(options[6:10], "big")
        options = options[size:]
    return echo


def believed(flags: int, ack: int, tsecr: int | None, cookie: int, since: int, until: int) -> str:
    """What a SYN-SENT socket makes of a segment: "open", "closed", or "" for nothing (RFC 9293 section 3.10.7.3).

    `tsecr` is None where there is no timestamp. `since` … `until` are those that were sent, on a circle of 2^32.
    """
    if not flags & 0x10 or ack != (cookie + 1) % 2**32:
        return ""
    if tsecr and (tsecr - since) % 2**32 > (until - since) % 2**32:
        return ""
    return "closed" if flags & 0x04 else "open" if flags & 0x02 else ""


def _icmp(packet: Packet, version: int) -> tuple[int, ...] | None:
    data = packet.data
    body = _body(data, version)
    if body is None or len(body) < 8:
        return None
    covered = body if version == 4 else _pseudo(data, version, len(body)) + body
    if not packet.intact and ones(covered) != 0xFFFF:
        return None
    quote = body[8:]
    if body[0] not in ((3, 11) if version == 4 else (1, 3)) or not quote or quote[0] >> 4 != version:
        return None
    start = (quote[0] & 15) * 4 if version == 4 else 40
    if start < 20 or len(quote) < start + 8 or quote[9 if version == 4 else 6] != 6:
        return None
    source, destination = (quote[12:16], quote[16:20]) if version == 4 else (quote[8:24], quote[24:40])
    sender, ttl = (data[12:16], data[8]) if version == 4 else (data[8:24], data[7])
    sport, dport, seq = struct.unpack(">HHI", quote[start : start + 8])
    quoted = (address(source), address(destination), sport, dport, seq)
    return address(sender), *quoted, version, body[0], body[1], ttl
