"""One packet, bytes to fields: what `probe trace` shows. Whatever a remote host sends, this does not raise.

Only what has all its headers counts; everything else is None. Lengths are checked before a field is read.
"""

from __future__ import annotations

import ipaddress
import struct

from msgspec import Struct

from probe.core.replies import ACK, FIN, ICMP, ICMPV6, QUOTING, RST, SYN, TCP
from probe.core.verdict import ICMP_REASONS
from probe.model import Address, Reason

__all__ = ["ACK", "FIN", "RST", "SYN", "IcmpError", "Segment", "dissect"]

_FIXED = {2: 4, 3: 3, 4: 2, 8: 10}  # option kind -> its length (RFC 9293 section 3.1, RFC 7323, RFC 2018)


class Segment(Struct, frozen=True):
    """A TCP segment. `options` are in tcpdump's words; `timestamps` is (TSval, TSecr); `damaged`: a wrong checksum."""

    source: Address
    destination: Address
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    options: tuple[str, ...]
    timestamps: tuple[int, int] | None
    ttl: int
    data: bytes
    damaged: bool = False

    @property
    def length(self) -> int:
        return len(self.data)


class IcmpError(Struct, frozen=True):
    """An ICMP or ICMPv6 error and the TCP packet that it quotes. `reason` is None where it says nothing of a port."""

    sender: Address
    destination: Address
    type: int
    code: int
    ttl: int
    quoted_source: Address
    quoted_destination: Address
    sport: int
    dport: int
    seq: int
    damaged: bool = False

    @property
    def reason(self) -> Reason | None:
        return ICMP_REASONS.get((self.sender.version, self.type, self.code))


class _Ip(Struct, frozen=True):
    source: Address
    destination: Address
    ttl: int
    protocol: int
    body: bytes
    whole: bool


def dissect(packet: bytes, *, intact: bool = False) -> Segment | IcmpError | None:
    """`packet` begins with its IP header. `intact`: somebody vouches for the checksum, or it is not computed yet."""
    ip = _ip(packet)
    if ip is None:
        return None
    if ip.protocol == TCP:
        return _segment(ip, intact)
    return _icmp(ip, intact) if ip.protocol in (ICMP, ICMPV6) else None


def _ip(packet: bytes) -> _Ip | None:
    """The IP layer; `body` is cut to the length that the header tells, `whole` if as much is there."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        size, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4])
        fragment = int.from_bytes(packet[6:8]) & 0x3FFF
        if size < 20 or total < size or fragment:
            return None
        source, destination = ipaddress.IPv4Address(packet[12:16]), ipaddress.IPv4Address(packet[16:20])
        return _Ip(source, destination, packet[8], packet[9], packet[size:total], len(packet) >= total)
    if version == 6 and len(packet) >= 40:
        total = 40 + int.from_bytes(packet[4:6])
        ends = ipaddress.IPv6Address(packet[8:24]), ipaddress.IPv6Address(packet[24:40])
        return _Ip(*ends, packet[7], packet[6], packet[40:total], len(packet) >= total)
    return None


def _segment(ip: _Ip, intact: bool) -> Segment | None:
    if len(ip.body) < 20:
        return None
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from(">HHIIBBH", ip.body)
    header = (offset >> 4) * 4
    if not 20 <= header <= len(ip.body):
        return None
    words, timestamps = _options(ip.body[20:header])
    damaged = not intact and ip.whole and _checksum(ip, pseudo=True) != 0xFFFF
    ends = ip.source, ip.destination, sport, dport
    return Segment(*ends, seq, ack, flags, window, words, timestamps, ip.ttl, ip.body[header:], damaged)


def _options(area: bytes) -> tuple[tuple[str, ...], tuple[int, int] | None]:
    """The options in tcpdump's words, up to the first that is broken, which ends them as `bad opt` does there."""
    words: list[str] = []
    timestamps = None
    while area:
        kind = area[0]
        if kind < 2:
            words.append(("eol", "nop")[kind])
            area = area[1:] if kind else b""
            continue
        size = area[1] if len(area) > 1 else 0
        if not 2 <= size <= len(area) or size != _FIXED.get(kind, size):
            words.append("bad opt")
            break
        value, area = area[2:size], area[size:]
        words.append(_option(kind, value))
        if kind == 8:
            timestamps = int.from_bytes(value[:4]), int.from_bytes(value[4:])
    return tuple(words), timestamps


def _option(kind: int, value: bytes) -> str:
    match kind:
        case 2:
            return f"mss {int.from_bytes(value)}"
        case 3:
            return f"wscale {value[0]}"
        case 4:
            return "sackOK"
        case 5 if value and len(value) % 8 == 0:
            edges = [int.from_bytes(value[at : at + 4]) for at in range(0, len(value), 4)]
            blocks = "".join(f"{{{left}:{right}}}" for left, right in zip(edges[::2], edges[1::2], strict=True))
            return f"sack {len(edges) // 2} {blocks}"
        case 8:
            return f"TS val {int.from_bytes(value[:4])} ecr {int.from_bytes(value[4:])}"
    return f"opt-{kind}" + (f" 0x{value.hex()}" if value else "")


def _icmp(ip: _Ip, intact: bool) -> IcmpError | None:
    version = ip.source.version
    if ip.protocol != (ICMP if version == 4 else ICMPV6) or len(ip.body) < 8 or ip.body[0] not in QUOTING[version]:
        return None
    quoted = _ip(ip.body[8:])
    # RFC 792 promises eight bytes of TCP: ports and sequence number.
    if quoted is None or quoted.source.version != version or quoted.protocol != TCP or len(quoted.body) < 8:
        return None
    sport, dport, seq = struct.unpack_from(">HHI", quoted.body)
    damaged = not intact and ip.whole and _checksum(ip, pseudo=version == 6) != 0xFFFF
    outer = ip.source, ip.destination, ip.body[0], ip.body[1], ip.ttl
    return IcmpError(*outer, quoted.source, quoted.destination, sport, dport, seq, damaged)


def _checksum(ip: _Ip, *, pseudo: bool) -> int:
    """The ones' complement sum (RFC 1071), with the pseudo-header where the protocol has one; 0xFFFF is right."""
    data = ip.body + b"\0" * (len(ip.body) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    if pseudo:
        ends = ip.source.packed + ip.destination.packed
        total += sum(struct.unpack(f">{len(ends) // 2}H", ends)) + ip.protocol + len(ip.body)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
