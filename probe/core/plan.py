"""Targets × ports as numbers. A probe is a slot: `address index * number of ports + port index`; nothing else names it.

Addresses of both families are two columns of 64 bits, IPv4 in its mapped form (::ffff:a.b.c.d, RFC 4291 section
2.5.5.2), so that the engine has one way for both. Large jobs are cut into blocks of addresses, which bounds memory.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from probe.core.bounds import Bounds, locating
from probe.core.columns import I64, MAPPED, U64, Bools, is_mapped
from probe.model import Address, AddressRange, PortKey, ScanOptions, Target

BLOCK_SLOTS = 1 << 20
PATIENCE = 180.0  # seconds beyond the worst case at the full rate
_LOW = (1 << 64) - 1


def split(address: Address) -> tuple[int, int]:
    """The two halves of an address in the engine's form."""
    number = int(address)
    return (0, MAPPED | number) if address.version == 4 else (number >> 64, number & _LOW)


def join(high: int, low: int) -> Address:
    """The address of two halves."""
    if high == 0 and low >> 32 == 0xFFFF:
        return ipaddress.IPv4Address(low & 0xFFFFFFFF)
    return ipaddress.IPv6Address(high << 64 | low)


def is_ipv4(high: U64, low: U64) -> Bools:
    """One bool per row."""
    return is_mapped((high, low))


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
        allowed = np.zeros(len(high), np.bool_)
        for part in self.ranges:
            kind = ipaddress.IPv4Address if part.version == 4 else ipaddress.IPv6Address
            (h1, l1), (h2, l2) = split(kind(part.first)), split(kind(part.last))
            after = (high > h1) | ((high == h1) & (low >= l1))
            before = (high < h2) | ((high == h2) & (low <= l2))
            # ::/0 holds the numbers of all mapped addresses, but whoever allowed it allowed no IPv4.
            allowed |= after & before & (is_ipv4(high, low) == (part.version == 4))
        return allowed


class Block:
    """Some addresses × all ports, small enough to keep a row for every probe.

    `high`, `low`: (addresses,) uint64; `ports`: (ports,) uint16, ascending. `slots` is the number of probes.
    """

    def __init__(self, high: U64, low: U64, ports: npt.NDArray[np.uint16]) -> None:
        self.high, self.low, self.ports = high, low, ports
        self.slots = len(high) * len(ports)
        self._port_index = np.full(65536, -1, np.int64)
        self._port_index[ports] = np.arange(len(ports))
        self._index_addresses()

    def _index_addresses(self) -> None:
        # 128-bit keys do not fit searchsorted; fold them to 64 bits with the first multiplier that keeps them distinct.
        for attempt in range(1, 1000):
            self._fold = np.uint64((0x9E3779B97F4A7C15 * attempt & _LOW) | 1)
            keys = self.low ^ (self.high * self._fold)
            self._by_key = np.argsort(keys)
            self._keys = keys[self._by_key]
            if len(self._keys) < 2 or bool((self._keys[1:] != self._keys[:-1]).all()):
                return
        raise AssertionError("an address stands twice in the plan")

    def address_rows(self, slots: I64) -> I64:
        return slots // len(self.ports)

    def port_numbers(self, slots: I64) -> npt.NDArray[np.uint16]:
        return self.ports[slots % len(self.ports)]

    def find(self, high: U64, low: U64, port: npt.NDArray[np.uint16]) -> I64:
        """The slot of each (address, port), -1 where it is not one of ours."""
        keys = low ^ (high * self._fold)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        row = self._by_key[place]
        column = self._port_index[port]
        ours = (self.high[row] == high) & (self.low[row] == low) & (column >= 0)
        return np.where(ours, row * len(self.ports) + column, -1)

    def address(self, row: int) -> Address:
        return join(int(self.high[row]), int(self.low[row]))

    def key(self, slot: int) -> PortKey:
        return PortKey(self.address(slot // len(self.ports)), "tcp", int(self.ports[slot % len(self.ports)]))


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
        return (block.key(slot) for block in self.cut() for slot in range(block.slots))

    def cut(self) -> Iterator[Block]:
        """The blocks in order."""
        return filter(None, map(self._unfinished, self._cut()))

    def _unfinished(self, block: Block) -> Block | None:
        if not self.finished:
            return block
        rows = [row for row in range(len(block.high)) if block.address(row) not in self.finished]
        return Block(block.high[rows], block.low[rows], block.ports) if rows else None

    def _cut(self) -> Iterator[Block]:
        ports = np.array(self.ports, np.uint16)
        high: list[U64] = []
        low: list[U64] = []
        room = self._addresses_per_block
        next_one, step = self.shard  # the first address of ours from here on, and how far it is to the next
        for part in self.ranges if self.ports else ():
            start = part.first + next_one
            while start <= part.last:
                count = min(room, (part.last - start) // step + 1)
                columns = _columns(part.version, start, count, step)
                high.append(columns[0])
                low.append(columns[1])
                start, room = start + count * step, room - count
                if room == 0:
                    yield Block(np.concatenate(high), np.concatenate(low), ports)
                    high, low, room = [], [], self._addresses_per_block
            next_one = start - part.last - 1
        if high:
            yield Block(np.concatenate(high), np.concatenate(low), ports)


def _columns(version: int, first: int, count: int, step: int) -> tuple[U64, U64]:
    offsets = np.arange(count, dtype=np.uint64) * np.uint64(step)
    if version == 4:
        return np.zeros(count, np.uint64), offsets + np.uint64(MAPPED | first)
    low = np.uint64(first & _LOW) + offsets
    carried = low < np.uint64(first & _LOW)
    return np.uint64(first >> 64) + carried.astype(np.uint64), low
