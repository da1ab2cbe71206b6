"""One datagram in pieces: what joins them, and what throws them away.

The rules are the Linux kernel's (net/ipv4/ip_fragment.c, net/ipv6/reassembly.c, net/ipv4/inet_fragment.c), because its
own sockets see what they make up: a byte that comes twice is a duplicate or an attack, never a choice (RFC 5722).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from probe.core.columns import fold, sum_words
from probe.core.extensions import DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING

TCP, TCP_HEADER = 6, 20
MORE_FRAGMENTS, OFFSET = 0x2000, 0x1FFF


class Fragment(Struct, frozen=True):
    """`head` is what stands before the cut part: an IPv4 header, or an IPv6 one up to and with its fragment header.

    `key` names the datagram among those of all senders; `start` counts bytes of the cut part.
    """

    version: int
    sender: bytes
    key: bytes
    head: bytes
    ecn: int
    start: int
    body: bytes
    last: bool

    @property
    def end(self) -> int:
        return self.start + len(self.body)


def read_fragment(packet: bytes) -> Fragment | None:
    """None where the packet is no fragment, or one that the kernel would not queue."""
    return _read_ipv4(packet) if packet[0] >> 4 == 4 else _read_ipv6(packet)


def _read_ipv4(packet: bytes) -> Fragment | None:
    size, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    if not 20 <= size <= total <= len(packet) or _checksum(packet[:size]) != b"\0\0":
        return None
    place = int.from_bytes(packet[6:8], "big")
    more, body = place & MORE_FRAGMENTS, packet[size:total]
    return Fragment(
        version=4,
        sender=packet[12:16],
        key=packet[4:6] + packet[9:10] + packet[12:20],
        head=packet[:size],
        ecn=packet[1] & 3,
        start=(place & OFFSET) * 8,
        body=body[: len(body) // 8 * 8] if more else body,
        last=not more,
    )


def _read_ipv6(packet: bytes) -> Fragment | None:
    kind, at = _skip(packet, packet[6], 40)
    end = 40 + int.from_bytes(packet[4:6], "big")
    if kind != FRAGMENT or not at + 8 <= end <= len(packet):
        return None
    place = int.from_bytes(packet[at + 2 : at + 4], "big")
    more, body = place & 1, packet[at + 8 : end]
    if place & 0xFFF9 == 0 or (more and len(body) % 8):  # an atomic one is a whole packet (RFC 6946)
        return None
    if place >> 3 == 0 and not _holds_tcp_header(packet[:end], at):
        return None
    return Fragment(
        version=6,
        sender=packet[8:24],
        key=packet[at + 4 : at + 8] + packet[8:40],
        head=packet[: at + 8],
        ecn=packet[1] >> 4 & 3,
        start=place & 0xFFF8,
        body=body,
        last=not more,
    )


def _skip(packet: bytes, kind: int, at: int) -> tuple[int, int]:
    """The first header from `at` on that is none of those that may stand on either side of a fragment header."""
    while kind in (HOP_BY_HOP, ROUTING, DESTINATION) and at + 8 <= len(packet):
        kind, at = packet[at], at + packet[at + 1] * 8 + 8
    return kind, at


def _holds_tcp_header(packet: bytes, at: int) -> bool:
    """RFC 7112: the first fragment has all headers. (The kernel says so too, ipv6frag_thdr_truncated.)"""
    kind, start = _skip(packet, packet[at], at + 8)
    return kind == TCP and start + TCP_HEADER <= len(packet)


def _checksum(header: bytes) -> bytes:
    """That of an IPv4 header, as it must be written there; two zero bytes where it already is, and right."""
    return int(fold(sum_words(np.frombuffer(header, np.uint8)[None]))[0]).to_bytes(2, "big")


@dataclass(slots=True)
class Datagram:
    """What has come of one, to be forgotten at `until`. `runs` are sorted; what continues the last run is in it."""

    until: float
    head: bytes = b""
    runs: list[tuple[int, bytes]] = field(default_factory=list)
    size: int = 0
    ended: bool = False
    ecn: set[int] = field(default_factory=set)

    def add(self, piece: Fragment) -> int:
        """Take one more piece: how many bytes it brought, -1 where the kernel would throw the whole datagram away."""
        if not self._agrees(piece) or not piece.body:
            return -1
        for start, body in self.runs:
            if piece.start < start + len(body) and start < piece.end:  # a duplicate lies within, an overlap does not
                return 0 if start <= piece.start and piece.end <= start + len(body) else -1
        self._insert(piece)
        self.ecn.add(piece.ecn)
        if piece.start == 0:
            self.head = piece.head
        return len(piece.body)

    def _agrees(self, piece: Fragment) -> bool:
        """There is one end, and nothing is behind it."""
        if piece.last:
            if piece.end < self.size or (self.ended and piece.end != self.size):
                return False
            self.ended = True
        elif piece.end > self.size and self.ended:
            return False
        self.size = max(self.size, piece.end)
        return True

    def _insert(self, piece: Fragment) -> None:
        start, body = self.runs[-1] if self.runs else (-1, b"")
        if start + len(body) == piece.start:
            self.runs[-1] = (start, body + piece.body)
        else:
            self.runs = sorted([*self.runs, (piece.start, piece.body)])

    @property
    def complete(self) -> bool:
        return self.ended and sum(len(body) for _, body in self.runs) == self.size

    @property
    def one_ecn(self) -> bool:
        """RFC 3168 section 5.3: pieces that may be marked and pieces that may not are not of one datagram."""
        return 0 not in self.ecn or self.ecn == {0}

    def packet(self, version: int) -> bytes:
        """The datagram as if it had never been cut, but for an IPv6 fragment header that says so."""
        head, body = self.head, b"".join(body for _, body in self.runs)
        if version == 6:
            total = (len(head) - 40 + len(body)).to_bytes(2, "big")
            return head[:4] + total + head[6:-6] + b"\0\0" + head[-4:] + body
        total = (len(head) + len(body)).to_bytes(2, "big")
        head = head[:2] + total + head[4:6] + b"\0\0" + head[8:10] + b"\0\0" + head[12:]
        return head[:10] + _checksum(head) + head[12:] + body
