"""What a run would send: targets × ports, counted before anything is sent.

Large jobs are cut into blocks of addresses (see `block`), which bounds memory. All that is asked of a plan before, and
all that a connect scan asks, is answered without numpy, which takes 0.05 s to import.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from probe.core.bounds import Bounds, locating
from probe.model import Address, AddressRange, PortKey, ScanOptions, Target

if TYPE_CHECKING:
    from probe.core.block import Block
    from probe.core.columns import U64, Bools

BLOCK_SLOTS = 1 << 20
PATIENCE = 180.0  # seconds beyond the worst case at the full rate


def merge(ranges: Sequence[AddressRange]) -> list[AddressRange]:
    """Sorted, disjoint and as few as possible: each address is scanned once, however many targets name it."""
    merged: list[AddressRange] = []
    for part in sorted(ranges):
        last = merged[-1] if merged else None
        if last and last.version == part.version and part.first <= last.last + 1:
            merged[-1] = AddressRange(last.version, last.first, max(last.last, part.last))
        else:
            merged.append(AddressRange(part.version, part.first, part.last))
    return merged


class Scope:
    """The addresses that packets may go to. Asked again for every batch, whatever the plan says."""

    def __init__(self, ranges: Sequence[AddressRange]) -> None:
        self.ranges = merge(ranges)

    def allows(self, high: U64, low: U64) -> Bools:
        """One bool per row."""
        from probe.core.block import within

        return within(self.ranges, high, low)


@dataclass(frozen=True)
class Plan:
    """What a run would send. Probes are counted without retransmissions, packets with all of them.

    A `shard` (index from 0, number of shards) is the part of it that this run sends; together the shards are the whole,
    each probe once. They share out the addresses, since what one answer of a host says about the others takes the whole
    host; only where there are fewer addresses than shards, the ports.

    Addresses that are `finished` belong to the plan, and are counted in it, but nothing is sent to them any more.
    """

    ranges: tuple[AddressRange, ...]
    ports: tuple[int, ...]
    options: ScanOptions
    shard: tuple[int, int] = (0, 1)
    finished: frozenset[Address] = frozenset()

    @classmethod
    def of(cls, targets: Sequence[Target], options: ScanOptions, shard: tuple[int, int] = (0, 1)) -> Plan:
        ranges = tuple(merge([part for target in targets for part in target.ranges]))
        ports = tuple(sorted(set(options.tcp)))
        if sum(part.size for part in ranges) < shard[1]:
            ports, shard = ports[shard[0] :: shard[1]], (0, 1)
        return cls(ranges, ports, options, shard)

    @property
    def addresses(self) -> int:
        index, shards = self.shard
        return len(range(index, sum(part.size for part in self.ranges), shards))

    @property
    def probes(self) -> int:
        return self.addresses * len(self.ports)

    @property
    def packets(self) -> int:
        """At most: every probe silent through all attempts."""
        return self.probes * self.options.attempts

    @property
    def locating(self) -> Bounds:
        """What comes on top where dropped ports are to be located: at most, with every port dropped."""
        if not self.options.locate:
            return Bounds(0, 0.0)
        here = min(self.addresses, self._addresses_per_block)
        packets, seconds = locating(self.options, here * len(self.ports), here)
        return Bounds(packets * self.blocks, seconds * self.blocks)

    @property
    def blocks(self) -> int:
        return -(-self.addresses // self._addresses_per_block)

    @property
    def least_s(self) -> float:
        """Seconds when every probe is answered at once."""
        return self.probes / self.options.rate

    @property
    def most_s(self) -> float:
        """Seconds when none is: each block waits out its last attempt, and all ports are located."""
        waits = self.blocks * self.options.attempts * self.options.timeout
        return self.packets / self.options.rate + waits + self.locating.seconds

    @property
    def deadline_s(self) -> float:
        """When the packet scan is cut off, whatever happens. A path that bears less than the rate gets some minutes."""
        return self.most_s * 1.25 + PATIENCE

    @property
    def _addresses_per_block(self) -> int:
        return max(1, BLOCK_SLOTS // max(1, len(self.ports)))

    def resumed(self, decided: Iterable[PortKey]) -> Plan:
        """The plan without the hosts of which everything is decided. One that is half done is asked again from the
        beginning: what an answer means depends on the other answers of its host."""
        ports = Counter(key.address for key in decided)
        return replace(self, finished=frozenset(host for host, number in ports.items() if number >= len(self.ports)))

    def keys(self) -> Iterator[PortKey]:
        """Every probe that is still to be sent, in the order of addresses and ports."""
        for part, first in self._first_of_ours() if self.ports else ():
            for number in range(first, part.last + 1, self.shard[1]):
                address: Address = IPv4Address(number) if part.version == 4 else IPv6Address(number)
                if address not in self.finished:
                    yield from (PortKey(address, "tcp", port) for port in self.ports)

    def _first_of_ours(self) -> Iterator[tuple[AddressRange, int]]:
        """Each range, and the first number from its beginning on that this shard has; perhaps beyond its end."""
        skip, step = self.shard
        for part in self.ranges:
            yield part, part.first + skip
            skip = (skip - part.size) % step

    def cut(self) -> Iterator[Block]:
        """The blocks in order."""
        from probe.core.block import cut

        step = self.shard[1]
        numbers = ((part.version, range(first, part.last + 1, step)) for part, first in self._first_of_ours())
        blocks = cut(numbers, self.ports, self._addresses_per_block) if self.ports else ()
        return filter(None, (block.without(self.finished) for block in blocks))
