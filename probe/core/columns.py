"""Arithmetic on whole columns: reading and summing headers, which frames and replies share, and finding equal rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Halves = tuple[U64, U64]  # a 128-bit address as (high, low); IPv4 in its mapped form

MAPPED = 0xFFFF << 32  # the low half of ::ffff:0.0.0.0 (RFC 4291 section 2.5.5.2)


def fold(total: U64) -> npt.NDArray[np.uint16]:
    """The ones' complement of a sum of 16-bit words (RFC 1071)."""
    for _ in range(3):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return (~total).astype(np.uint16)


def sum_halves(x: U64) -> U64:
    """The sum of the four 16-bit words of each 64-bit number."""
    mask = np.uint64(0xFFFF)
    total: U64 = (x & mask) + (x >> np.uint64(16) & mask) + (x >> np.uint64(32) & mask) + (x >> np.uint64(48))
    return total


def sum_words(rows: Bytes) -> U64:
    """The sum of the big-endian 16-bit words of each row; the rows have an even width."""
    total: U64 = np.ascontiguousarray(rows).view(">u2").sum(axis=1, dtype=np.uint64)
    return total


def sum_between(rows: Bytes, start: I64, end: I64) -> U64:
    """The sum of the 16-bit words in bytes start … end-1 of each row. Words are aligned to the row: `start` is even."""
    width = (int(end.max(initial=0)) + 1) // 2 * 2
    running = np.zeros((len(rows), width // 2 + 1), np.uint64)
    np.cumsum(np.ascontiguousarray(rows[:, :width]).view(">u2"), axis=1, out=running[:, 1:])
    lines, odd = np.arange(len(rows)), np.flatnonzero(end % 2)
    total: U64 = running[lines, end // 2] - running[lines, start // 2]
    total[odd] += rows[odd, end[odd] - 1].astype(np.uint64) << np.uint64(8)
    return total


def is_mapped(address: Halves) -> Bools:
    """One bool per row: an IPv4 address in its mapped form."""
    mapped: Bools = (address[0] == 0) & (address[1] >> np.uint64(32) == 0xFFFF)
    return mapped


def distinct(values: I64) -> I64:
    """Each value once, ascending: `np.unique` without the 8 ms that its look for masked arrays takes the first time."""
    ordered = np.sort(values)
    return ordered[np.insert(ordered[1:] != ordered[:-1], 0, True)] if ordered.size else ordered


def belongs(values: I64, some: I64) -> Bools:
    """Which of the values are among some: `np.isin` likewise (see `distinct`)."""
    ordered = np.sort(some)
    if not ordered.size:
        return np.zeros(values.size, np.bool_)
    found: Bools = ordered[np.minimum(np.searchsorted(ordered, values), ordered.size - 1)] == values
    return found


class View:
    """Big-endian reads at each row's own offset, of all rows or of `lines`; the caller has checked the lengths."""

    def __init__(self, rows: Bytes, lines: I64 | None = None) -> None:
        self.rows = rows
        self._lines = np.arange(len(rows)) if lines is None else lines
        self._all = lines is None

    def u8(self, offset: I64 | int) -> U64:
        return self._read(offset, 1)

    def u16(self, offset: I64 | int) -> U64:
        return self._read(offset, 2)

    def u32(self, offset: I64 | int) -> U64:
        return self._read(offset, 4)

    def u64(self, offset: I64 | int) -> U64:
        return self._read(offset, 8)

    def _read(self, offset: I64 | int, size: int) -> U64:
        if isinstance(offset, int):  # one place for all rows is a slice, and ten times as fast
            cells = self.rows[slice(None) if self._all else self._lines, offset : offset + size]
        else:
            cells = self.rows[self._lines[:, None], offset[:, None] + np.arange(size)]
        value: U64 = np.ascontiguousarray(cells).view(f">u{size}")[:, 0].astype(np.uint64)
        return value

    def addresses(self, version: int, offset: I64 | int) -> tuple[Halves, Halves]:
        """Source and destination as halves; `offset` is where the IP header begins."""
        if version == 6:
            return (
                (self.u64(offset + 8), self.u64(offset + 16)),
                (self.u64(offset + 24), self.u64(offset + 32)),
            )
        zero, mapped = np.zeros(len(self._lines), np.uint64), np.uint64(MAPPED)
        return (zero, self.u32(offset + 12) | mapped), (zero, self.u32(offset + 16) | mapped)


def grouped(numbers: npt.NDArray[np.generic]) -> tuple[I64, I64]:
    """The first row of each value, by value, and which of them each row is: `np.unique` likewise (see `distinct`)."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    fresh = np.insert(ordered[1:] != ordered[:-1], 0, True)[: ordered.size]
    which = np.empty_like(order)
    which[order] = np.cumsum(fresh) - 1
    return order[fresh], which


def alike(first: U64 | I64, second: U64 | I64) -> tuple[I64, I64]:
    """Rows with the same pair of numbers: one of each, in the order in which they come, and which of them each row is.

    There is at least one row. Fast where neighbours are mostly equal.
    """
    heads = np.flatnonzero(np.insert((first[1:] != first[:-1]) | (second[1:] != second[:-1]), 0, True))
    samples, which = grouped(grouped(first[heads])[1] * heads.size + grouped(second[heads])[1])
    order = np.argsort(samples)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return heads[samples[order]], np.repeat(place[which], np.diff(np.append(heads, first.size)))
