"""Sets of addresses as sorted, disjoint ranges. Everything costs what the ranges cost: a /16 of IPv6 is one range."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from probe.model import AddressRange


def merge(parts: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    """The union: sorted, disjoint, neighbours joined. What a name resolved to (single addresses) keeps it, apart."""
    known = sorted(parts)
    named: list[AddressRange] = []
    for part in known:
        if part.host is not None and not (named and _meets(named[-1], part)):
            named.append(part)
    literal = subtract(_join(part for part in known if part.host is None), named)
    return tuple(sorted([*named, *literal]))


def subtract(parts: Iterable[AddressRange], gone: Sequence[AddressRange]) -> tuple[AddressRange, ...]:
    """`parts` without the addresses of `gone`, which must be sorted and disjoint, as `merge` makes it."""
    return tuple(left for part in parts for left in _cut(part, gone))


def total(parts: Iterable[AddressRange]) -> int:
    """How many addresses disjoint ranges hold."""
    return sum(part.size for part in parts)


def describe(part: AddressRange) -> str:
    """`198.18.1.0-198.18.1.255`, or the one address."""
    edges = (next(iter(replace(part, first=edge, last=edge))) for edge in dict.fromkeys((part.first, part.last)))
    return "-".join(map(str, edges))


def _meets(one: AddressRange, other: AddressRange) -> bool:
    return one.version == other.version and one.last >= other.first


def _join(known: Iterable[AddressRange]) -> list[AddressRange]:
    joined: list[AddressRange] = []
    for part in known:
        if joined and joined[-1].version == part.version and joined[-1].last + 1 >= part.first:
            joined[-1] = replace(joined[-1], last=max(joined[-1].last, part.last))
        else:
            joined.append(part)
    return joined


def _cut(part: AddressRange, gone: Sequence[AddressRange]) -> Iterator[AddressRange]:
    """What is left of one range, hole by hole."""
    left: AddressRange | None = part
    at = bisect_left(gone, (part.version, part.first), key=lambda hole: (hole.version, hole.last))
    while left is not None and at < len(gone) and (gone[at].version, gone[at].first) <= (left.version, left.last):
        hole = gone[at]
        if hole.first > left.first:
            yield replace(left, last=hole.first - 1)
        left = replace(left, first=hole.last + 1) if hole.last < left.last else None
        at += 1
    if left is not None:
        yield left
