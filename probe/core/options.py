"""Walking option lists, one step for all packets at once: TCP's, IPv4's, and those of IPv6's extension headers.

All three are lists of (kind, size, data) with one kind that stands alone as a filler. An end that no option may cross
is given for each row, so a lying size ends the walk of its row and reads nothing beyond.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, Bools, Bytes, View

TCP_TIMESTAMP, TCP_TIMESTAMP_BYTES = 8, 10  # RFC 7323 section 3.2
END, NOP = 0, 1  # of TCP (RFC 9293 section 3.1) and of IPv4 (RFC 791)


def walk(rows: Bytes, start: I64, end: I64) -> Iterator[tuple[I64, I64, Bytes, I64]]:
    """(lines, at, kind, size) of the next option of every row that still has one; fillers are stepped over.

    As tcp_parse_options (net/ipv4/tcp_input.c) goes: an option that is shorter than its own header or overruns `end`
    ends its row's walk, and what was read before it stands. At most `end - start` steps.
    """
    lines = np.flatnonzero(start < end)
    at, end = start[lines], end[lines]
    last = rows.shape[1] - 1
    while lines.size:
        kind = rows[lines, at]
        size = rows[lines, np.minimum(at + 1, last)].astype(np.int64)
        filler = kind == NOP
        whole = ~filler & (kind != END) & (at + 2 <= end) & (size >= 2) & (at + size <= end)
        if whole.any():
            yield lines[whole], at[whole], kind[whole], size[whole]
        at = at + np.where(filler, 1, size)
        going = (filler | whole) & (at < end)
        lines, at, end = lines[going], at[going], end[going]


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """`tsecr` (n,) uint32 is what `has_timestamp` (n,) bool says was there; the last of several counts."""

    tsecr: npt.NDArray[np.uint32]
    has_timestamp: Bools


def tcp_options(rows: Bytes, start: I64, end: I64) -> TcpOptions:
    """What a SYN-SENT socket takes from the options in bytes start … end-1 of each row."""
    tsecr, seen = np.zeros(len(rows), np.uint32), np.zeros(len(rows), np.bool_)
    for lines, at, kind, size in walk(rows, start, end):
        stamped = (kind == TCP_TIMESTAMP) & (size == TCP_TIMESTAMP_BYTES)
        if stamped.any():
            lines, at = lines[stamped], at[stamped]
            seen[lines] = True
            tsecr[lines] = View(rows, lines).u32(at + 6)
    return TcpOptions(tsecr, seen)
