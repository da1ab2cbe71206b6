"""Some addresses × all ports as numbers. A probe is a slot: `address row * number of ports + port column`; nothing else
names it.

Addresses of both families are two columns of 64 bits, IPv4 in its mapped form (::ffff:a.b.c.d, RFC 4291 section
2.5.5.2), so that the engine has one way for both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, MAPPED, U64, Bools, is_mapped
from probe.model import Address, AddressRange, PortKey

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


def within(ranges: Sequence[AddressRange], high: U64, low: U64) -> Bools:
    """One bool per row: whether one of the ranges has the address."""
    allowed = np.zeros(len(high), np.bool_)
    for part in ranges:
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

    def without(self, addresses: Container[Address]) -> Block | None:
        """The block without those; None where nothing is left."""
        rows = [row for row in range(len(self.high)) if self.address(row) not in addresses] if addresses else None
        if rows is None or len(rows) == len(self.high):
            return self
        return Block(self.high[rows], self.low[rows], self.ports) if rows else None


def cut(parts: Iterable[tuple[int, range]], ports: Sequence[int], most: int) -> Iterator[Block]:
    """Blocks of at most `most` addresses. `parts` are (family, addresses as numbers)."""
    numbers = np.array(ports, np.uint16)
    halves: list[tuple[U64, U64]] = []
    room = most
    for version, part in parts:
        while part:
            some, part = part[:room], part[room:]
            halves.append(_columns(version, some))
            room -= len(some)
            if room == 0:
                yield _joined(halves, numbers)
                halves, room = [], most
    if halves:
        yield _joined(halves, numbers)


def _joined(halves: list[tuple[U64, U64]], ports: npt.NDArray[np.uint16]) -> Block:
    return Block(np.concatenate([high for high, _ in halves]), np.concatenate([low for _, low in halves]), ports)


def _columns(version: int, numbers: range) -> tuple[U64, U64]:
    first = numbers.start
    offsets = np.arange(len(numbers), dtype=np.uint64) * np.uint64(numbers.step)
    if version == 4:
        return np.zeros(len(numbers), np.uint64), offsets + np.uint64(MAPPED | first)
    low = np.uint64(first & _LOW) + offsets
    carried = low < np.uint64(first & _LOW)
    return np.uint64(first >> 64) + carried.astype(np.uint64), low
