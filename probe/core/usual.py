"""The short way for what nearly every answer is: TCP behind a bare IP header, whole, in words of four bytes.

All offsets are then fixed, so a column is a field of a dtype and a checksum a sum of words: a tenth of a microsecond a
packet, where the long way of `replies` takes several. What is accepted here, the long way would accept with the same
columns; what is not, for whatever reason, is left to it.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, MAPPED, U64, Bools, Bytes, Halves, is_mapped
from probe.core.options import tcp_options

_IP: dict[int, list[tuple[str, str, int]]] = {
    4: [("first", "u1", 0), ("tos", "u1", 1), ("length", ">u2", 2), ("fragment", ">u2", 6), ("ttl", "u1", 8)],
    6: [("first", "u1", 0), ("class", ">u2", 0), ("length", ">u2", 4), ("protocol", "u1", 6), ("ttl", "u1", 7)],
}
_IP[4] += [("protocol", "u1", 9), ("source", ">u4", 12), ("destination", ">u4", 16)]
_IP[6] += [("source", "2>u8", 8), ("destination", "2>u8", 24)]
_TCP = [("sport", ">u2", 0), ("dport", ">u2", 2), ("seq", ">u4", 4), ("ack", ">u4", 8), ("offset", "u1", 12)]
_TCP += [("flags", "u1", 13), ("window", ">u2", 14)]
_HEADER = {4: 20, 6: 40}
_PLAIN = {4: (0xFF, 0x45), 6: (0xF0, 0x60)}  # the first byte: mask and value
_TCP_NUMBER = 6
# The options of a Linux SYN-ACK to our SYN: MSS, SACK permitted, timestamps, filler, window scale. Of each four bytes,
# a mask and what must be there; what is masked out is free.
_USUAL_OPTIONS = ((0xFFFF0000, 0x02040000), (0xFFFFFFFF, 0x0402080A), (0, 0), (0, 0), (0xFFFFFF00, 0x01030300))
_ECHO = 12  # bytes into these options


def usual(rows: Bytes, lengths: I64, intact: Bools, family: int) -> tuple[I64, dict[str, Any]]:
    """The rows that can be taken by the short way, ascending, and their columns as `TcpReplies` has them."""
    if rows.shape[1] % 4 or rows.shape[1] < _HEADER[family] + 20:
        rows = np.zeros((0, _HEADER[family] + 20), np.uint8)
    rows, lengths, intact = np.ascontiguousarray(rows), lengths[: len(rows)], intact[: len(rows)]
    heads = rows.view(_layout(family, rows.shape[1]))[:, 0]
    total = heads["length"].astype(np.int64) + (0 if family == 4 else _HEADER[6])
    good = _well_formed(heads, total, np.minimum(lengths, rows.shape[1]), family)
    for size in np.flatnonzero(np.bincount(total[good])).tolist():
        some = _chosen(good & (total == size))
        good[some] = _right(rows.view(np.uint32)[some, : size // 4], family, intact[some])
    stamped, echo = _timestamps(rows, heads["offset"], good, _HEADER[family] + 20)
    some = _chosen(good)
    return np.flatnonzero(good), _columns(heads[some], family) | {"tsecr": echo[some], "has_timestamp": stamped[some]}


def _chosen(lines: Bools) -> I64 | slice:
    """An index that takes a view where it can, and copies only where lines are left out."""
    return slice(None) if lines.all() else np.flatnonzero(lines)


@cache
def _layout(family: int, stride: int) -> np.dtype[np.void]:
    names, formats, offsets = zip(*_IP[family], *((n, f, at + _HEADER[family]) for n, f, at in _TCP), strict=True)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": stride})


def _well_formed(heads: npt.NDArray[np.void], total: I64, room: I64, family: int) -> Bools:
    """Everything but the checksums: no IP options, no fragment, nothing cut off, a TCP header that fits."""
    mask, value = _PLAIN[family]
    offset = heads["offset"] >> 4 << 2
    good: Bools = (heads["first"] & mask == value) & (heads["protocol"] == _TCP_NUMBER) & (total % 4 == 0)
    good &= (total <= room) & (offset >= 20) & (offset + _HEADER[family] <= total)
    if family == 4:
        good &= heads["fragment"] & 0x3FFF == 0
    else:
        good &= ~is_mapped(_halves(heads["source"]))  # see `replies`
    return good


def _right(words: npt.NDArray[np.uint32], family: int, intact: Bools) -> Bools:
    """Whether the checksums are right; `words` are whole packets of one size, in this machine's byte order, which
    changes the order of a sum's bytes and no more (RFC 1071 section 2)."""
    header = _HEADER[family] // 4
    addresses = _sum(words[:, 3 if family == 4 else 2 : header])
    right = intact.copy()
    if not intact.all():
        pseudo = (words.shape[1] * 4 - _HEADER[family] + _TCP_NUMBER).to_bytes(2, "big")
        total = _sum(words[:, header:]) + addresses + np.uint64(int.from_bytes(pseudo, sys.byteorder))
        right |= _is_whole(total)
    if family == 4:
        right &= _is_whole(_sum(words[:, :3]) + addresses)
    return right


def _sum(words: npt.NDArray[np.uint32]) -> U64:
    """The sum of each row: column by column, which numpy does four times as fast as row by row."""
    total = np.zeros(len(words), np.uint64)
    for column in range(words.shape[1]):
        total += words[:, column]
    return total


def _is_whole(total: U64) -> Bools:
    """Whether a sum folds to sixteen ones, as that over a right checksum does."""
    for _ in range(4):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    whole: Bools = total == 0xFFFF
    return whole


def _timestamps(rows: Bytes, offset: Bytes, good: Bools, start: int) -> tuple[Bools, npt.NDArray[np.uint32]]:
    """Which rows have a timestamp, and its echo; a row whose options are refused is `good` no more."""
    stamped, echo = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.uint32)
    with_options = np.flatnonzero(good & (offset >> 4 > 5))
    known = with_options[_usual_options(rows, offset, with_options, start)]
    if known.size:
        stamped[known], echo[known] = True, rows.view(">u4")[known, (start + _ECHO) // 4]
    others = with_options[~stamped[with_options]]
    if others.size:
        ends = start - 20 + (offset[others] >> 4 << 2).astype(np.int64)
        found = tcp_options(rows[others], np.full(len(others), start), ends)
        stamped[others], echo[others] = found.has_timestamp, found.tsecr
        good[others[found.refused]] = False
    return stamped, echo


def _usual_options(rows: Bytes, offset: Bytes, lines: I64, start: int) -> Bools:
    found: Bools = offset[lines] >> 4 == 10
    if rows.shape[1] < start + 20:
        return np.zeros(len(lines), np.bool_)
    for place, (mask, value) in enumerate(_USUAL_OPTIONS):
        if mask:
            found &= rows.view(">u4")[lines, start // 4 + place] & mask == value
    return found


def _columns(heads: npt.NDArray[np.void], family: int) -> dict[str, Any]:
    tos = heads["tos"] if family == 4 else heads["class"] >> 4 & 0xFF
    return {
        "source": _halves(heads["source"]),
        "destination": _halves(heads["destination"]),
        "sport": heads["sport"].astype(np.uint16),
        "dport": heads["dport"].astype(np.uint16),
        "seq": heads["seq"].astype(np.uint32),
        "ack": heads["ack"].astype(np.uint32),
        "flags": heads["flags"] & 0x3F,
        "window": heads["window"].astype(np.uint16),
        "ttl": heads["ttl"],
        "tos": tos.astype(np.uint8),
    }


def _halves(addresses: npt.NDArray[np.generic]) -> Halves:
    if addresses.ndim == 1:
        return np.zeros(len(addresses), np.uint64), addresses.astype(np.uint64) | np.uint64(MAPPED)
    return addresses[:, 0].astype(np.uint64), addresses[:, 1].astype(np.uint64)
