"""From the IPv6 header to what it carries: extension headers, as the Linux kernel takes or refuses them.

A host that answers a SYN sends none, but a packet on its way can get some, and an atomic fragment (RFC 6946) is a whole
packet. The socket filter (`net.bpf`) cannot loop, so MOST of them are followed, enough for each kind that RFC 8200
section 4.1 lists; a chain that goes on beyond is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from probe.core.columns import I64, Bools, Bytes, View
from probe.core.options import walk

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60
KINDS = (HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION)
MOST = 5
PAD1, PADN, ROUTER_ALERT, NO_KIND = 0, 1, 5, 256
MOST_PADDING, MOST_OPTIONS = 7, 8  # net/ipv6/exthdrs.c, ip6_parse_tlv; IP6_DEFAULT_MAX_HBH_OPTS_CNT
MOST_STEPS = MOST_OPTIONS + (MOST_OPTIONS + 1) * MOST_PADDING  # a longer list has too much of either
SOURCE_ROUTED = (3, 4)  # RPL and segment routing, which a host refuses unless told (net/ipv6/exthdrs.c, ipv6_rthdr_rcv)


class Chain(Struct, frozen=True):
    """Of each row: what follows the last extension header, where that begins, and whether the kernel gets there.

    `protocol` stays an extension header's number where the chain is cut, too long, or hidden behind a later fragment.
    """

    protocol: Bytes
    header: I64
    good: Bools


class _Link(NamedTuple):
    """One extension header of the rows `lines`."""

    depth: int
    lines: I64
    kind: Bytes
    at: I64
    size: I64


def received(rows: Bytes, end: I64) -> Chain:
    """The chains of packets that came here, from byte 0 of each row on; `end` is within the rows."""
    chain = Chain(rows[:, 6].copy(), np.full(len(rows), 40), np.ones(len(rows), np.bool_))
    fragments = np.zeros(len(rows), np.int64)
    for link in _links(rows, chain, end):
        fragments[link.lines] += link.kind == FRAGMENT
        chain.good[link.lines] &= _passes(rows, link)
    good = chain.good & (fragments < 2)  # net/ipv6/reassembly.c, IP6SKB_FRAGMENTED
    return Chain(chain.protocol, chain.header, good)


def quoted(rows: Bytes, start: I64, end: I64) -> Chain:
    """The chains of quoted packets, of which only their transport header is wanted (ipv6_skip_exthdr): all are good."""
    chain = Chain(View(rows).u8(start + 6).astype(np.uint8), start + 40, np.ones(len(rows), np.bool_))
    for _ in _links(rows, chain, end):
        pass
    return chain


def _links(rows: Bytes, chain: Chain, end: I64) -> Iterator[_Link]:
    """One step for all rows that have another whole extension header; moves `protocol` and `header` on behind it."""
    lines = np.arange(len(rows))
    for depth in range(MOST):
        kind, at = chain.protocol[lines], chain.header[lines]
        more = np.isin(kind, KINDS) & (at + 8 <= end[lines])
        lines, kind, at = lines[more], kind[more], at[more]
        length = rows[lines, at + 1].astype(np.int64)
        # RFC 4302 section 2.2 counts words of four bytes; a fragment header says no length, it has eight (RFC 8200).
        size = np.select([kind == FRAGMENT, kind == AUTHENTICATION], [np.int64(8), length * 4 + 8], length * 8 + 8)
        later = (kind == FRAGMENT) & (View(rows, lines).u16(at + 2) >> np.uint64(3) != 0)
        whole = (at + size <= end[lines]) & ~later
        lines, kind, at, size = lines[whole], kind[whole], at[whole], size[whole]
        if not lines.size:
            return
        yield _Link(depth, lines, kind, at, size)
        chain.protocol[lines], chain.header[lines] = rows[lines, at], at + size


def _passes(rows: Bytes, link: _Link) -> Bools:
    view = View(rows, link.lines)
    listed = _options_pass(rows, link)
    arrived = (view.u8(link.at + 3) == 0) & ~np.isin(view.u8(link.at + 2), SOURCE_ROUTED)
    result: Bools = np.select(
        [link.kind == HOP_BY_HOP, link.kind == DESTINATION, link.kind == ROUTING, link.kind == FRAGMENT],
        [
            listed[link.lines] & (link.depth == 0),  # RFC 8200 section 4.1
            listed[link.lines],
            arrived,
            view.u16(link.at + 2) & np.uint64(1) == 0,  # whole, by the M flag
        ],
        np.False_,  # signed with a key that nobody here has
    )
    return result


def _options_pass(rows: Bytes, link: _Link) -> Bools:
    """One bool per row, true where the link is no list of options: the list is whole, and asks for nothing unknown."""
    start, end, hop_by_hop = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    listed = np.isin(link.kind, (HOP_BY_HOP, DESTINATION))
    start[link.lines], end[link.lines] = link.at + 2, np.where(listed, link.at + link.size, 0)
    hop_by_hop[link.lines] = link.kind == HOP_BY_HOP
    good, padding, options = np.ones(len(rows), np.bool_), np.zeros_like(start), np.zeros_like(start)
    for count, step in enumerate(walk(rows, start, end, filler=PAD1, stop=NO_KIND, uncounted=2)):
        if count == MOST_STEPS:  # 2000 bytes of padding are 2000 steps, for one packet
            good[step.lines] = False
            break
        pad = (step.kind == PAD1) | (step.kind == PADN)
        padding[step.lines] = np.where(pad, padding[step.lines] + step.size, 0)
        options[step.lines] += ~pad
        # The two highest bits say what to do with an unknown option: 0 is to skip it (RFC 8200 section 4.2).
        unknown = ~pad & (step.kind >> 6 != 0)
        alert = hop_by_hop[step.lines] & (step.kind == ROUTER_ALERT) & (step.size != 4)
        good[step.lines] &= step.whole & ~unknown & ~alert & ~(pad & _dirty(rows, step.lines, step.at, step.size))
        good[step.lines] &= (padding[step.lines] <= MOST_PADDING) & (options[step.lines] <= MOST_OPTIONS)
    return good


def _dirty(rows: Bytes, lines: I64, at: I64, size: I64) -> Bools:
    """Whether padding carries anything (RFC 4942 section 2.1.9.5); more than MOST_PADDING of it is refused anyway."""
    last = rows.shape[1] - 1
    found = np.zeros(len(lines), np.bool_)
    for n in range(2, MOST_PADDING):
        found |= (n < size) & (rows[lines, np.minimum(at + n, last)] != 0)
    return found
