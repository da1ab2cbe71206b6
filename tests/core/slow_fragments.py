"""The slow twin of `probe.core.fragments`: RFC 791, RFC 8200 section 4.5 and RFC 5722, one fragment at a time.

Holds every byte of a datagram by its place, and remembers which runs of bytes came in order: Linux takes a fragment for
a duplicate only where one such run has all of it. Its limits are those of the engine, told once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.core.slow_headers import EXTENSIONS, ones

Key = tuple[bytes, bytes]


@dataclass
class Pile:
    """What has come of one datagram."""

    born: float
    patience: float
    places: dict[int, int] = field(default_factory=dict)
    runs: list[range] = field(default_factory=list)
    head: bytes = b""
    longest: int = 0
    end: int | None = None
    marks: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Piece:
    key: Key
    head: bytes
    at: int
    body: bytes
    last: bool
    mark: int


def read(data: bytes) -> Piece | None:
    """A fragment of TCP that can be queued; None for everything else."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        return _read_ipv4(data)
    return _read_ipv6(data) if len(data) >= 48 and data[0] >> 4 == 6 else None


def _read_ipv4(data: bytes) -> Piece | None:
    size, total, place = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big"), int.from_bytes(data[6:8], "big")
    if data[9] != 6 or not place & 0x3FFF or not 20 <= size <= total <= len(data) or ones(data[:size]) != 0xFFFF:
        return None
    more, body = bool(place & 0x2000), data[size:total]
    if more and len(body) % 8:
        body = body[: -(len(body) % 8)]
    return Piece((data[12:16], data[4:6] + data[16:20]), data[:size], (place & 0x1FFF) * 8, body, not more, data[1] & 3)


def _chain(data: bytes, kind: int, at: int) -> tuple[int, int]:
    while EXTENSIONS.get(kind) in ("hop-by-hop", "routing", "destination") and at + 8 <= len(data):
        kind, at = data[at], at + 8 * (1 + data[at + 1])
    return kind, at


def _read_ipv6(data: bytes) -> Piece | None:
    kind, at = _chain(data, data[6], 40)
    total = 40 + int.from_bytes(data[4:6], "big")
    if kind != 44 or total > len(data) or at + 8 > total:
        return None
    place = int.from_bytes(data[at + 2 : at + 4], "big")
    offset, more, body = place // 8 * 8, bool(place & 1), data[at + 8 : total]
    if (offset == 0 and not more) or (more and len(body) % 8):
        return None
    inner, start = _chain(data[:total], data[at], at + 8)
    if offset == 0 and (inner != 6 or start + 20 > total):
        return None
    mark = data[1] >> 4 & 3
    return Piece((data[8:24], data[at + 4 : at + 8] + data[24:40]), data[: at + 8], offset, body, not more, mark)


class SlowFragments:
    """`take` gives the packet that a fragment finishes, b"" where others are missing, None where it is refused."""

    def __init__(self) -> None:
        self.piles: dict[Key, Pile] = {}

    def take(self, piece: Piece, now: float) -> bytes | None:
        pile = self.piles.get(piece.key)
        if pile is None or now >= pile.born + pile.patience:
            pile = self._new(piece, now)
        told = self._join(pile, piece)
        if told != b"":
            del self.piles[piece.key]
        return told

    def _new(self, piece: Piece, now: float) -> Pile:
        self.piles.pop(piece.key, None)
        own = [key for key in self.piles if key[0] == piece.key[0]]
        if len(own) >= 8:
            del self.piles[own[0]]
        elif len(self.piles) >= 512:
            senders = [key[0] for key in self.piles]
            greedy = max(dict.fromkeys(senders), key=senders.count)
            del self.piles[next(key for key in self.piles if key[0] == greedy)]
        self.piles[piece.key] = Pile(now, 30.0 if len(piece.key[0]) == 4 else 60.0)
        return self.piles[piece.key]

    def _join(self, pile: Pile, piece: Piece) -> bytes | None:
        span = range(piece.at, piece.at + len(piece.body))
        if not span or span.stop > 2048:
            return None
        if piece.last and (span.stop < pile.longest or pile.end not in (None, span.stop)):
            return None
        if not piece.last and pile.end is not None and span.stop > pile.end:
            return None
        pile.longest = max(pile.longest, span.stop)
        pile.end = span.stop if piece.last else pile.end
        if any(place in pile.places for place in span):
            return b"" if any(run.start <= span.start and span.stop <= run.stop for run in pile.runs) else None
        pile.places |= dict(zip(span, piece.body, strict=True))
        pile.runs.sort(key=lambda run: run.start)
        if pile.runs and pile.runs[-1].stop == span.start:
            span = range(pile.runs.pop().start, span.stop)
        pile.runs.append(span)
        pile.marks.add(piece.mark)
        pile.head = piece.head if piece.at == 0 else pile.head
        return self._whole(pile)

    def _whole(self, pile: Pile) -> bytes | None:
        if pile.end is None or len(pile.places) < pile.end:
            return b""
        if 0 in pile.marks and len(pile.marks) > 1:
            return None
        body, head = bytes(pile.places[place] for place in range(pile.end)), bytearray(pile.head)
        if head[0] >> 4 == 6:
            head[4:6] = (len(head) - 40 + len(body)).to_bytes(2, "big")
            head[-6:-4] = b"\0\0"
        else:
            head[2:4], head[6:8], head[10:12] = (len(head) + len(body)).to_bytes(2, "big"), b"\0\0", b"\0\0"
            head[10:12] = (0xFFFF ^ ones(bytes(head))).to_bytes(2, "big")
        return bytes(head) + body
