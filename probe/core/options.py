"""Walking option lists, one step for all packets at once: TCP's, IPv4's, and those of IPv6's extension headers.

All three are lists of (kind, size, data) with one kind that stands alone as a filler. An end that no option may cross
is given for each row, so a lying size ends the walk of its row and reads nothing beyond. What is believed and what is
refused follows the Linux kernel; the files named below are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from probe.core.columns import I64, Bools, Bytes, View

END, NOP = 0, 1  # of TCP (RFC 9293 section 3.1) and of IPv4 (RFC 791)
TCP_TIMESTAMP, TCP_TIMESTAMP_BYTES = 8, 10  # RFC 7323 section 3.2
TCP_MD5, TCP_MD5_BYTES = 19, 18  # RFC 2385
RECORD_ROUTE, TIMESTAMP, CIPSO, LOOSE_ROUTE, STRICT_ROUTE, ROUTER_ALERT = 7, 68, 134, 131, 137, 148


class Step(NamedTuple):
    """The next option of the rows `lines`. `room` is what is left of the list; a filler is `whole`, with size 1.

    Where `whole` is false, the option has no size, or one that cannot be; it is the last of its row.
    """

    lines: I64
    at: I64
    kind: Bytes
    size: I64
    room: I64
    whole: Bools


def walk(
    rows: Bytes, start: I64, end: I64, *, filler: int = NOP, stop: int = END, uncounted: int = 0
) -> Iterator[Step]:
    """One step for every row whose list, bytes start … end-1, goes on.

    `stop` is the kind that ends it. `uncounted` bytes of an option are not in the size that it says.
    """
    lines = np.flatnonzero(start < end)
    at, end = start[lines], end[lines]
    last = rows.shape[1] - 1
    while lines.size:
        kind = rows[lines, at]
        going = kind != stop
        lines, at, end, kind = lines[going], at[going], end[going], kind[going]
        alone = kind == filler
        size = np.where(alone, 1, rows[lines, np.minimum(at + 1, last)].astype(np.int64) + uncounted)
        whole = alone | ((at + 2 <= end) & (size >= 2) & (at + size <= end))
        yield Step(lines, at, kind, size, end - at, whole)
        at = at + size
        going = whole & (at < end)
        lines, at, end = lines[going], at[going], end[going]


class TcpOptions(Struct, frozen=True):
    """`tsecr` (n,) uint32 is what `has_timestamp` (n,) bool says was there; the last of several counts.

    `refused` (n,) bool: the segment claims a signature, for which nobody here has a key, or hides one.
    """

    tsecr: npt.NDArray[np.uint32]
    has_timestamp: Bools
    refused: Bools


def tcp_options(rows: Bytes, start: I64, end: I64) -> TcpOptions:
    """What a SYN-SENT socket takes from the options in bytes start … end-1 of each row.

    tcp_parse_options (net/ipv4/tcp_input.c) stops at an impossible size, and what was read before stands. Before that
    tcp_do_parse_auth_options looks for signatures as long as there is room for one, and drops the segment that has one,
    or an impossible size. (So does Linux 6.7 without TCP-AO. Older kernels pass the latter, and no kernel sends it.)
    """
    tsecr, seen, refused = np.zeros(len(rows), np.uint32), np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    for step in walk(rows, start, end):
        suspect = (step.room >= TCP_MD5_BYTES) & (~step.whole | (step.kind == TCP_MD5))
        refused[step.lines[suspect]] = True
        stamped = (step.kind == TCP_TIMESTAMP) & (step.size == TCP_TIMESTAMP_BYTES) & step.whole
        if stamped.any():
            lines = step.lines[stamped]
            seen[lines] = True
            tsecr[lines] = View(rows, lines).u32(step.at[stamped] + 6)
    return TcpOptions(tsecr, seen, refused)


def ipv4_options_pass(rows: Bytes, start: I64, end: I64) -> Bools:
    """Whether the kernel takes the IPv4 options in bytes start … end-1: ip_options_compile (net/ipv4/ip_options.c)."""
    good = np.ones(len(rows), np.bool_)
    routes, times = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    last = rows.shape[1] - 1
    for step in walk(rows, start, end):
        kind, size = step.kind, step.size
        # A full list of addresses or times passes; a partly full one must have room for one more where it points.
        pointer, flags = (rows[step.lines, np.minimum(step.at + n, last)].astype(np.int64) for n in (2, 3))
        entry = np.where((kind == TIMESTAMP) & np.isin(flags & 15, (1, 3)), 8, 4)
        room = (pointer > size) | (pointer - 1 + entry <= size)
        overflown = (pointer > size) & (flags & 15 != 3) & (flags >> 4 == 15)
        routes[step.lines] += kind == RECORD_ROUTE
        times[step.lines] += kind == TIMESTAMP
        refused = np.select(
            [kind == RECORD_ROUTE, kind == TIMESTAMP, kind == ROUTER_ALERT],
            [(size < 3) | (pointer < 4) | ~room, (size < 4) | (pointer < 5) | ~room | overflown, size < 4],
            # A host takes no source-routed packets (accept_source_route), and knows no security labels.
            np.isin(kind, (LOOSE_ROUTE, STRICT_ROUTE, CIPSO)),
        )
        good[step.lines[refused | ~step.whole]] = False
    result: Bools = good & (routes < 2) & (times < 2)
    return result
