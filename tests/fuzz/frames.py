"""Frames for the fuzz run: every answer of `answer_cases` to many SYNs, whole or bent in one of a dozen ways.

All by columns, because ten million are wanted. Frames of one answer stay together, so that fragments meet. After most
mutations the checksums are made right again, or nothing behind them would ever be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.core.answer_cases import EACH
from tests.core.crafted import Asked

WIDTH = 320
Bytes = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
PLAIN = ("SYN-ACK", "reset", "echo of our timestamp", "ICMP: prohibited", "two fragments", "no options")
TELLING = np.array(
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 16, 17, 18, 19, 20, 29, 40, 43, 44, 51, 58, 60, 68, 127, 128, 255]
)


@dataclass
class Frames:
    """`rows` (n, WIDTH) uint8, zero beyond `lengths`; `start` is where the transport header began before any mutation,
    `kind` the index of the mutation in KINDS."""

    rows: Bytes
    lengths: I64
    start: I64
    kind: I64

    def where(self, chosen: npt.NDArray[np.bool_] | I64) -> Frames:
        return Frames(self.rows[chosen], self.lengths[chosen], self.start[chosen], self.kind[chosen])


class Pool:
    """The answers to some SYNs, in groups: one group is what one case sends."""

    def __init__(self, syns: Sequence[Asked]) -> None:
        packets, sizes, plain = list[bytes](), list[int](), list[int]()
        for syn in syns:
            for case, version in EACH:
                if version == syn.version:
                    sent = case.packets(syn)
                    plain += [len(sizes)] * (case.name in PLAIN)
                    sizes.append(len(sent))
                    packets += sent
        self.rows = np.zeros((len(packets), WIDTH), np.uint8)
        for row, packet in enumerate(packets):
            self.rows[row, : len(packet)] = np.frombuffer(packet, np.uint8)
        self.lengths = np.array([len(packet) for packet in packets])
        self._sizes, self._plain = np.array(sizes), np.array(plain)
        self._first = np.cumsum(self._sizes) - self._sizes

    def draw(self, random: np.random.Generator, count: int) -> Frames:
        """About `count` frames; every other group is a plain answer."""
        groups = random.integers(0, len(self._sizes), count)
        groups = np.where(random.random(count) < 0.5, self._plain[random.integers(0, len(self._plain), count)], groups)
        groups = groups[: max(1, int(np.searchsorted(np.cumsum(self._sizes[groups]), count)))]
        sizes = self._sizes[groups]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        chosen = np.repeat(self._first[groups], sizes) + within
        rows = self.rows[chosen]
        start = np.where(rows[:, 0] >> 4 == 4, (rows[:, 0] & 15).astype(np.int64) * 4, 40)
        return Frames(rows, self.lengths[chosen].copy(), start, np.zeros(len(rows), np.int64))


def at(frames: Frames, place: I64, values: npt.ArrayLike) -> None:
    """Write one byte of each row, where the row has it."""
    lines = np.flatnonzero((place >= 0) & (place < frames.lengths))
    frames.rows[lines, place[lines]] = np.broadcast_to(np.asarray(values, np.uint8), len(place))[lines]


def anywhere(frames: Frames, random: np.random.Generator) -> I64:
    return (random.random(len(frames.lengths)) * frames.lengths).astype(np.int64)


# --- mutations: each bends all rows that it is given -----------------------------------------------------------------


def as_it_is(frames: Frames, random: np.random.Generator) -> None:
    pass


def bit(frames: Frames, random: np.random.Generator) -> None:
    place = anywhere(frames, random)
    lines = np.arange(len(place))
    at(frames, place, frames.rows[lines, place] ^ (1 << random.integers(0, 8, len(place))).astype(np.uint8))


def byte(frames: Frames, random: np.random.Generator) -> None:
    at(frames, anywhere(frames, random), random.integers(0, 256, len(frames.lengths)))


def ip_header(frames: Frames, random: np.random.Generator) -> None:
    at(frames, random.integers(0, 10, len(frames.lengths)), random.choice(TELLING, len(frames.lengths)))


def lengths(frames: Frames, random: np.random.Generator) -> None:
    """The IP length, a little or far off."""
    four = frames.rows[:, 0] >> 4 == 4
    off = random.choice(np.array([-40, -20, -8, -4, -1, 1, 4, 8, 300]), len(four))
    low = np.where(four, 3, 5)
    at(frames, low, frames.rows[np.arange(len(four)), low] + off)


def tcp_field(frames: Frames, random: np.random.Generator) -> None:
    at(frames, frames.start + random.integers(0, 20, len(frames.start)), random.choice(TELLING, len(frames.start)))


def flags(frames: Frames, random: np.random.Generator) -> None:
    at(frames, frames.start + 13, random.integers(0, 256, len(frames.start)))


def numbers(frames: Frames, random: np.random.Generator) -> None:
    """The last byte of sequence number or acknowledgement, one off."""
    place = frames.start + random.choice(np.array([7, 11]), len(frames.start))
    values = frames.rows[np.arange(len(place)), np.minimum(place, WIDTH - 1)]
    at(frames, place, values + random.choice(np.array([-1, 1]), len(place)))


def options(frames: Frames, random: np.random.Generator) -> None:
    """Some bytes behind the fixed headers, IP or TCP."""
    for _ in range(3):
        place = np.where(random.random(len(frames.start)) < 0.5, 20, frames.start + 20)
        place = place + random.integers(0, 40, len(place))
        at(frames, place, random.choice(TELLING, len(place)))


def cut(frames: Frames, random: np.random.Generator) -> None:
    frames.lengths = anywhere(frames, random)
    frames.rows[np.arange(WIDTH) >= frames.lengths[:, None]] = 0


def longer(frames: Frames, random: np.random.Generator) -> None:
    """Padding behind the packet, as on Ethernet, or noise."""
    more = np.minimum(frames.lengths + random.integers(1, 50, len(frames.start)), WIDTH)
    fresh = (np.arange(WIDTH) >= frames.lengths[:, None]) & (np.arange(WIDTH) < more[:, None])
    frames.rows[fresh] = random.integers(0, 256, int(fresh.sum()))
    frames.lengths = more


def shifted(frames: Frames, random: np.random.Generator) -> None:
    """A few bytes doubled or lost somewhere; the rest moves."""
    place, by = anywhere(frames, random), random.choice(np.array([-8, -4, -1, 1, 4, 8]), len(frames.start))
    columns = np.arange(WIDTH)
    source = np.clip(np.where(columns >= place[:, None], columns + by[:, None], columns), 0, WIDTH - 1)
    frames.rows = np.take_along_axis(frames.rows, source, axis=1)
    frames.lengths = np.clip(frames.lengths - by, 1, WIDTH)
    frames.rows[columns >= frames.lengths[:, None]] = 0


def spliced(frames: Frames, random: np.random.Generator) -> None:
    """The beginning of one packet, the rest of another."""
    place, other = anywhere(frames, random), random.permutation(len(frames.start))
    beyond = np.arange(WIDTH) >= place[:, None]
    frames.rows = np.where(beyond, frames.rows[other], frames.rows)
    frames.lengths = np.maximum(frames.lengths[other], place)


def fragment_bits(frames: Frames, random: np.random.Generator) -> None:
    four = frames.rows[:, 0] >> 4 == 4
    at(frames, np.where(four, 6, 42), random.choice(np.array([0, 0x20, 0x40, 0x80, 1]), len(four)))
    at(frames, np.where(four, 7, 43), random.choice(np.array([0, 1, 2, 3, 4, 5, 8, 24, 25, 32, 33, 40]), len(four)))


def noise_behind_ip(frames: Frames, random: np.random.Generator) -> None:
    columns = np.arange(WIDTH)
    fresh = (columns >= frames.start[:, None]) & (columns < frames.lengths[:, None])
    frames.rows[fresh] = random.integers(0, 256, int(fresh.sum()))


def noise(frames: Frames, random: np.random.Generator) -> None:
    frames.lengths = random.integers(1, 120, len(frames.start))
    frames.rows[:] = random.integers(0, 256, frames.rows.shape)
    frames.rows[:, 0] = random.choice(np.array([0x45, 0x46, 0x4F, 0x60, 0x60, 0x61, 0x00]), len(frames.start))
    frames.rows[np.arange(WIDTH) >= frames.lengths[:, None]] = 0


Mutation = Callable[[Frames, np.random.Generator], None]
KINDS: tuple[Mutation, ...] = (
    as_it_is,
    bit,
    byte,
    ip_header,
    lengths,
    tcp_field,
    flags,
    numbers,
    options,
    cut,
    longer,
    shifted,
    spliced,
    fragment_bits,
    noise_behind_ip,
    noise,
)
WEIGHTS = np.array([6, *[1] * (len(KINDS) - 1)])
SEALED = 0.8  # of the bent frames get right checksums again


def bent(frames: Frames, random: np.random.Generator) -> Frames:
    """Each frame mutated in some way, and most of them sealed again; in the order in which they were."""
    frames.kind = random.choice(len(KINDS), len(frames.kind), p=WEIGHTS / WEIGHTS.sum())
    for number, mutate in enumerate(KINDS):
        chosen = np.flatnonzero(frames.kind == number)
        if chosen.size and mutate is not as_it_is:
            part = frames.where(chosen)
            mutate(part, random)
            seal(part, random.random(len(chosen)) < SEALED)
            frames.rows[chosen], frames.lengths[chosen] = part.rows, part.lengths
    return frames


def seal(frames: Frames, chosen: npt.NDArray[np.bool_]) -> None:
    """Right checksums for the IPv4 header and for what began at `start`; fragments and chains are left as they are."""
    rows, four = frames.rows, frames.rows[:, 0] >> 4 == 4
    head = np.where(four, (rows[:, 0] & 15).astype(np.int64) * 4, 0)
    lines = np.flatnonzero(chosen & four & (head >= 20) & (head <= frames.lengths))
    rows[lines, 10] = rows[lines, 11] = 0
    _write(rows, lines, np.full(len(lines), 10), _sum(rows[lines], np.zeros(len(lines), np.int64), head[lines]))
    protocol = np.where(four, rows[:, 9], rows[:, 6])
    total = np.where(four, 0, 40) + np.where(four, _u16(rows, 2), _u16(rows, 4))
    start, end = frames.start, np.minimum(total, frames.lengths)
    place = np.select([protocol == 6, np.isin(protocol, (1, 58))], [start + 16, start + 2], WIDTH)
    lines = np.flatnonzero(chosen & (place + 2 <= end))
    pseudo = np.where(
        four[lines],
        _sum(rows[lines], np.full(len(lines), 12), np.full(len(lines), 20)),
        _sum(rows[lines], np.full(len(lines), 8), np.full(len(lines), 40)),
    )
    pseudo = np.where(protocol[lines] == 1, 0, pseudo + end[lines] - start[lines] + protocol[lines])
    rows[lines, place[lines]] = rows[lines, place[lines] + 1] = 0
    _write(rows, lines, place[lines], _sum(rows[lines], start[lines], end[lines]) + pseudo)


def _u16(rows: Bytes, place: int) -> I64:
    value: I64 = (rows[:, place].astype(np.int64) << 8) + rows[:, place + 1]
    return value


def _sum(rows: Bytes, start: I64, end: I64) -> I64:
    columns = np.arange(WIDTH)
    data = np.where((columns >= start[:, None]) & (columns < end[:, None]), rows, 0)
    total: I64 = (data[:, ::2].sum(axis=1, dtype=np.int64) << 8) + data[:, 1::2].sum(axis=1, dtype=np.int64)
    return total


def _write(rows: Bytes, lines: I64, place: I64, total: I64) -> None:
    total = np.where(total > 0, (total - 1) % 0xFFFF + 1, 0)  # ones' complement: 0xffff is the sum of nothing but zeros
    rows[lines, place], rows[lines, place + 1] = (total ^ 0xFFFF) >> 8, (total ^ 0xFFFF) & 0xFF
