"""What comes back: packets to columns, and the test that each must pass before it may decide anything.

A TCP reply must have an intact checksum and a plausible header; an ICMP error must quote the first eight bytes of TCP.
Whether ports and numbers are ours is asked later, by the scan: this file knows formats, not the plan. What an attacker
can bend here is only which rows are left out; no field is read beyond the length that was checked before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from probe.core import extensions
from probe.core.columns import I64, Bools, Bytes, Halves, View, fold, is_mapped, sum_between, sum_halves
from probe.core.options import ipv4_options_pass, tcp_options
from probe.core.usual import usual

TCP, ICMP, ICMPV6 = 6, 1, 58
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ERRORS = {4: (3, 11), 6: (1, 3, 4)}  # unreachable, time exceeded, and from IPv6 hosts "I know no TCP" (RFC 4443)
QUOTING = {4: (3, 11, 12), 6: (1, 2, 3, 4)}  # RFC 792, RFC 4443: all that quote the packet that they are about
QUOTED_TCP = 8  # bytes of the quoted transport header that RFC 792 promises: ports and sequence number


class Batch(Struct, frozen=True):
    """Packets as they were received, from the IP header on.

    `rows` (n, stride) uint8, zero beyond each packet's end; `lengths` (n,) bytes captured; `intact` (n,) bool: the
    kernel vouches for the transport checksum (offloaded, or not computed yet on a virtual link: PACKET_AUXDATA).
    """

    rows: Bytes
    lengths: I64
    intact: Bools

    def __len__(self) -> int:
        return len(self.lengths)


class TcpReplies(Struct, frozen=True):
    """Columns of well-formed TCP segments: `source`/`destination` are halves, `ttl` is the received one.

    `tsecr` is the timestamp echo (RFC 7323) where `has_timestamp`, else 0.
    """

    source: Halves
    destination: Halves
    sport: npt.NDArray[np.uint16]
    dport: npt.NDArray[np.uint16]
    seq: npt.NDArray[np.uint32]
    ack: npt.NDArray[np.uint32]
    flags: Bytes
    window: npt.NDArray[np.uint16]
    ttl: Bytes
    tos: Bytes
    tsecr: npt.NDArray[np.uint32]
    has_timestamp: Bools


class IcmpErrors(Struct, frozen=True):
    """Columns of well-formed ICMP errors and of what they quote; `version` is 4 or 6."""

    sender: Halves
    source: Halves
    destination: Halves
    sport: npt.NDArray[np.uint16]
    dport: npt.NDArray[np.uint16]
    seq: npt.NDArray[np.uint32]
    version: Bytes
    type: Bytes
    code: Bytes
    ttl: Bytes


class Parsed(Struct, frozen=True):
    """`malformed` counts the TCP packets that no kernel would take. Foreign or broken ICMP is simply left out."""

    tcp: TcpReplies
    icmp: IcmpErrors
    malformed: int


_Numbered = tuple[I64, TcpReplies]  # and their lines in the batch


def parse(batch: Batch) -> Parsed:
    """Columns of everything in `batch` that is well formed, IPv4 first; broken TCP counted."""
    short = {family: usual(batch.rows, batch.lengths, batch.intact, family) for family in (4, 6)}
    left = np.ones(len(batch), np.bool_)
    for lines, _ in short.values():
        left[lines] = False
    replies = {family: (lines, TcpReplies(**columns)) for family, (lines, columns) in short.items()}
    if left.any():
        return _parse_rest(batch, np.flatnonzero(left), replies)
    tcp: TcpReplies = _joined([columns for _, columns in replies.values()])
    return Parsed(tcp, _no_errors(), 0)


def _parse_rest(batch: Batch, rest: I64, replies: dict[int, _Numbered]) -> Parsed:
    """The lines `rest` by the long way, joined with the `replies` of each family that went the short one."""
    rows = _padded(batch.rows[rest])
    version = rows[:, 0] >> 4
    tcp, icmp, claims_tcp = [], [], 0
    for family, read in ((4, _ipv4), (6, _ipv6)):
        lines = np.flatnonzero(version == family)
        packets = read(rest[lines], rows[lines], batch.lengths[rest[lines]], batch.intact[rest[lines]])
        tcp.append(_in_order(replies[family], _tcp(packets)))
        icmp.append(_icmp(packets))
        claims_tcp += int((packets.protocol == TCP).sum()) + len(replies[family][0])
    both: TcpReplies = _joined(tcp)
    errors: IcmpErrors = _joined(icmp)
    return Parsed(both, errors, claims_tcp - len(both.ack))


def _in_order(short: _Numbered, long: _Numbered) -> TcpReplies:
    """Both ways' replies by the order in which they came: which of two answers was first must not get lost."""
    if not long[0].size:
        return short[1]
    order = np.argsort(np.concatenate([short[0], long[0]]))
    both: TcpReplies = _joined([short[1], long[1]])
    return _mapped(both, lambda column: column[order])


def _padded(rows: Bytes) -> Bytes:
    """At least 160 columns (the largest headers that are read: 60 + 8 + 60 + 8), and an even number of them."""
    stride = max(160, rows.shape[1] + rows.shape[1] % 2)
    if stride == rows.shape[1]:
        return rows
    padded = np.zeros((len(rows), stride), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded


class _Packets(Struct, frozen=True):
    """Packets of one family. `lines` count in the batch. `header` and `total` are lengths in bytes, right where `sound`
    says that the kernel would take the packet as far as its transport header; `protocol` is what the packet claims,
    sound or not."""

    family: int
    lines: I64
    rows: Bytes
    header: I64
    total: I64
    protocol: Bytes
    ttl: Bytes
    tos: Bytes
    intact: Bools
    sound: Bools

    def where(self, chosen: Bools) -> _Packets:
        columns = (getattr(self, name) for name in self.__struct_fields__[1:])
        return _Packets(self.family, *(column[chosen] for column in columns))


def _ipv4(lines: I64, rows: Bytes, lengths: I64, intact: Bools) -> _Packets:
    view = View(rows)
    header, total = ((rows[:, 0] & 15) * 4).astype(np.int64), view.u16(2).astype(np.int64)
    # A fragment's checksum cannot be checked alone (`core.fragments` joins them); the bits are MF and the offset.
    unbroken = view.u16(6) & np.uint64(0x3FFF) == 0
    sound = (header >= 20) & unbroken & (fold(sum_between(rows, np.zeros_like(header), header)) == 0)
    sound &= (total <= lengths) & (total >= header + 8)
    sound[sound] = ipv4_options_pass(rows[sound], np.full(int(sound.sum()), 20), header[sound])
    return _Packets(4, lines, rows, header, total, rows[:, 9], rows[:, 8], rows[:, 1], intact, sound)


def _ipv6(lines: I64, rows: Bytes, lengths: I64, intact: Bools) -> _Packets:
    view = View(rows)
    total = view.u16(4).astype(np.int64) + 40
    traffic_class = (view.u16(0) >> np.uint64(4) & np.uint64(0xFF)).astype(np.uint8)
    chain = extensions.received(rows, np.minimum(total, lengths))
    sound = chain.good & (total <= lengths) & (total >= chain.header + 8)
    # On the wire a mapped address is somebody who wants to be taken for IPv4 (net/ipv6/ip6_input.c, ip6_rcv_core).
    sound &= ~is_mapped(view.addresses(6, 0)[0])
    return _Packets(6, lines, rows, chain.header, total, chain.protocol, rows[:, 7], traffic_class, intact, sound)


def _undamaged(packets: _Packets, pseudo_header: bool) -> Bools:
    """Whether the transport checksum is right, or the kernel vouches for it."""
    total = sum_between(packets.rows, packets.header, packets.total)
    if pseudo_header:  # addresses, length and protocol are summed too (RFC 9293 section 3.1, RFC 8200 section 8.1)
        for half in (half for address in View(packets.rows).addresses(packets.family, 0) for half in address):
            total = total + sum_halves(half & np.uint64(0xFFFFFFFF) if packets.family == 4 else half)
        total = total + (packets.total - packets.header).astype(np.uint64) + packets.protocol.astype(np.uint64)
    right: Bools = (fold(total) == 0) | packets.intact
    return right


def _tcp(packets: _Packets) -> _Numbered:
    packets = packets.where(packets.sound & (packets.protocol == TCP) & (packets.total - packets.header >= 20))
    packets = packets.where(_undamaged(packets, pseudo_header=True))
    offset = (View(packets.rows).u8(packets.header + 12) >> np.uint64(4)).astype(np.int64) * 4
    # A data offset below 5 or beyond the packet: tcp_v4_rcv drops it (net/ipv4/tcp_ipv4.c, "bad_packet").
    fits = (offset >= 20) & (packets.header + offset <= packets.total)
    packets, offset = packets.where(fits), offset[fits]
    view, header = View(packets.rows), packets.header
    options = tcp_options(packets.rows, header + 20, header + offset)
    if options.refused.any():
        return _tcp(packets.where(~options.refused))
    source, destination = view.addresses(packets.family, 0)
    return packets.lines, TcpReplies(
        source=source,
        destination=destination,
        sport=view.u16(header).astype(np.uint16),
        dport=view.u16(header + 2).astype(np.uint16),
        seq=view.u32(header + 4).astype(np.uint32),
        ack=view.u32(header + 8).astype(np.uint32),
        flags=(view.u8(header + 13) & np.uint64(0x3F)).astype(np.uint8),
        window=view.u16(header + 14).astype(np.uint16),
        ttl=packets.ttl,
        tos=packets.tos,
        tsecr=options.tsecr,
        has_timestamp=options.has_timestamp,
    )


def _icmp(packets: _Packets) -> IcmpErrors:
    packets = packets.where(packets.sound & (packets.protocol == (ICMP if packets.family == 4 else ICMPV6)))
    # ICMPv6 has a pseudo-header in its checksum, ICMP has none (RFC 4443 section 2.3, RFC 792).
    packets = packets.where(_undamaged(packets, pseudo_header=packets.family == 6))
    packets = packets.where(packets.header + 8 + (20 if packets.family == 4 else 40) <= packets.total)
    view, quote = View(packets.rows), packets.header + 8
    if packets.family == 4:
        tcp = quote + ((view.u8(quote) & np.uint64(15)) * np.uint64(4)).astype(np.int64)
        sound = (tcp >= quote + 20) & (view.u8(quote + 9) == TCP)
    else:
        chain = extensions.quoted(packets.rows, quote, packets.total)
        tcp = chain.header
        sound = (chain.protocol == TCP) & ~is_mapped(view.addresses(6, quote)[0])
    sound &= np.isin(view.u8(packets.header), ERRORS[packets.family])
    good = sound & (view.u8(quote) >> np.uint64(4) == packets.family) & (tcp + QUOTED_TCP <= packets.total)
    return _quoted(packets.where(good), tcp[good])


def _quoted(packets: _Packets, tcp: I64) -> IcmpErrors:
    view, header = View(packets.rows), packets.header
    source, destination = view.addresses(packets.family, header + 8)
    return IcmpErrors(
        sender=view.addresses(packets.family, 0)[0],
        source=source,
        destination=destination,
        sport=view.u16(tcp).astype(np.uint16),
        dport=view.u16(tcp + 2).astype(np.uint16),
        seq=view.u32(tcp + 4).astype(np.uint32),
        version=np.full(len(header), packets.family, np.uint8),
        type=view.u8(header).astype(np.uint8),
        code=view.u8(header + 1).astype(np.uint8),
        ttl=packets.ttl,
    )


_Columns = TypeVar("_Columns", TcpReplies, IcmpErrors)


@cache
def _no_errors() -> IcmpErrors:
    nothing = np.zeros(0, np.int64)
    return _icmp(_ipv4(nothing, np.zeros((0, 160), np.uint8), nothing, np.zeros(0, np.bool_)))


def _mapped(columns: _Columns, change: Callable[[Any], Any]) -> _Columns:
    """The same columns, each changed; of an address, both halves."""
    changed: dict[str, Any] = {}
    for name in columns.__struct_fields__:
        value = getattr(columns, name)
        changed[name] = tuple(map(change, value)) if isinstance(value, tuple) else change(value)
    return type(columns)(**changed)


def _joined(parts: list[_Columns]) -> _Columns:
    """The columns of both families under one another."""
    joined: dict[str, Any] = {}
    for name in parts[0].__struct_fields__:
        values = [getattr(part, name) for part in parts]
        pairs = isinstance(values[0], tuple)
        joined[name] = tuple(map(np.concatenate, zip(*values, strict=True))) if pairs else np.concatenate(values)
    return type(parts[0])(**joined)
