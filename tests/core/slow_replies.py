"""The slow twin of `probe.core.replies`: one packet at a time, in plain Python, straight from the RFCs."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from probe.core.columns import Halves
from probe.core.replies import Batch, Parsed
from tests.core.slow_headers import MAPPED, Upper, follow, ones, split_options, upper


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


Row = tuple[int, ...]


@dataclass(frozen=True)
class Told:
    """What one packet says: `kind` is "tcp", "icmp" or neither; without a row, `fault` names the broken rule."""

    kind: str
    row: Row | None = None
    fault: str = ""


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
    return gathered(packets, [slow_read(packet) for packet in packets])


def gathered(packets: Sequence[Packet], told: Sequence[Told]) -> Slow:
    """In the parser's order: IPv4 first."""
    result = Slow()
    for version in (4, 6):
        mine = [
            one for packet, one in zip(packets, told, strict=True) if packet.data[:1] and packet.data[0] >> 4 == version
        ]
        result.tcp += [one.row for one in mine if one.kind == "tcp" and one.row]
        result.icmp += [one.row for one in mine if one.kind == "icmp" and one.row]
        result.malformed += sum(one.kind == "tcp" and not one.row for one in mine)
    return result


def slow_read(packet: Packet) -> Told:
    carried = upper(packet.data)
    if carried is None:
        return Told("", fault="no IP")
    version = packet.data[0] >> 4
    kind = {6: "tcp", 1 if version == 4 else 58: "icmp"}.get(carried.protocol, "")
    if not kind or carried.fault:
        return Told(kind, fault=carried.fault or "other protocol")
    found = (_tcp if kind == "tcp" else _icmp)(packet, version, carried)
    return Told(kind, fault=found) if isinstance(found, str) else Told(kind, found)


def address(data: bytes) -> int:
    """128 bits, as the engine has them: IPv4 as ::ffff:a.b.c.d."""
    return 0xFFFF << 32 | int.from_bytes(data, "big") if len(data) == 4 else int.from_bytes(data, "big")


def _pseudo(data: bytes, version: int, size: int, protocol: int) -> bytes:
    addresses = data[12:20] if version == 4 else data[8:40]
    return addresses + struct.pack(">II", size, protocol)


def _tcp(packet: Packet, version: int, carried: Upper) -> Row | str:
    data = packet.data
    body = data[carried.start : carried.end]
    if len(body) < 20:
        return "TCP length"
    if not packet.intact and ones(_pseudo(data, version, len(body), 6) + body) != 0xFFFF:
        return "TCP checksum"
    if not 20 <= (body[12] >> 4) * 4 <= len(body):
        return "data offset"
    if signed(body[20 : (body[12] >> 4) * 4]):
        return "signed"
    sport, dport, seq, ack, offset, flags, window = struct.unpack(">HHIIBBH", body[:16])
    source, destination = (data[12:16], data[16:20]) if version == 4 else (data[8:24], data[24:40])
    ttl, tos = (data[8], data[1]) if version == 4 else (data[7], (data[0] << 4 | data[1] >> 4) & 0xFF)
    echo = timestamp_echo(body[20 : (offset >> 4) * 4])
    numbers = (sport, dport, seq, ack, flags & 63, window, ttl, tos)
    return address(source), address(destination), *numbers, echo or 0, echo is not None


def timestamp_echo(options: bytes) -> int | None:
    """The TSecr of the last timestamp option (RFC 7323); kind 0 or an impossible size ends the list (RFC 9293)."""
    echoes = [
        option[6:] for kind, option in split_options(options, filler=1, stop=0)[0] if (kind, len(option)) == (8, 10)
    ]
    return int.from_bytes(echoes[-1], "big") if echoes else None


def signed(options: bytes) -> bool:
    """Whether there is an MD5 option (RFC 2385), or an impossible size, where 18 bytes or more are left."""
    found, rest = split_options(options, filler=1, stop=0)
    if len(rest) >= 18:
        return True
    return any(
        kind == 19 and len(options) - sum(len(o) for _, o in found[:n]) >= 18 for n, (kind, _) in enumerate(found)
    )


def believed(flags: int, ack: int, tsecr: int | None, cookie: int, since: int, until: int) -> str:
    """What a SYN-SENT socket makes of a segment: "open", "closed", or "" for nothing (RFC 9293 section 3.10.7.3).

    `tsecr` is None where there is no timestamp. `since` … `until` are those that were sent, on a circle of 2^32.
    """
    if not flags & 0x10 or ack != (cookie + 1) % 2**32:
        return ""
    if tsecr and (tsecr - since) % 2**32 > (until - since) % 2**32:
        return ""
    return "closed" if flags & 0x04 else "open" if flags & 0x02 else ""


def _icmp(packet: Packet, version: int, carried: Upper) -> Row | str:
    data = packet.data
    body = data[carried.start : carried.end]
    covered = body if version == 4 else _pseudo(data, version, len(body), 58) + body
    if not packet.intact and ones(covered) != 0xFFFF:
        return "ICMP checksum"
    quote = body[8:]
    if body[0] not in ((3, 11) if version == 4 else (1, 3, 4)):
        return "no ICMP error"
    tcp = quoted_tcp(quote, version) if quote and quote[0] >> 4 == version else None
    if tcp is None:
        return "quote"
    source, destination = (quote[12:16], quote[16:20]) if version == 4 else (quote[8:24], quote[24:40])
    sender, ttl = (data[12:16], data[8]) if version == 4 else (data[8:24], data[7])
    sport, dport, seq = struct.unpack(">HHI", tcp)
    told = (address(source), address(destination), sport, dport, seq)
    return address(sender), *told, version, body[0], body[1], ttl


def quoted_tcp(quote: bytes, version: int) -> bytes | None:
    """Ports and sequence number of the TCP header that an ICMP error quotes."""
    if version == 4:
        start = (quote[0] & 15) * 4
        found = start >= 20 and quote[9:10] == b"\x06"
    else:
        protocol, start, _ = follow(quote, 0, len(quote))
        found = protocol == 6 and not quote[8:24].startswith(MAPPED)
    return quote[start : start + 8] if found and len(quote) >= start + 8 else None
