"""The next hop of every packet of a batch, in one look-up: what must stand in front of its IP header, if we may say so.

The kernel's tables are not played through here. Their bounds (where a prefix begins or ends, and each known neighbour)
cut the address space into intervals in which every address goes the same way; for an interval that is in use, the
kernel is asked once about one address of it. Whatever is not simple stays the kernel's: tunnels, several ways to choose
from, links that have no Ethernet header, the loopback.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, Bytes
from probe.model import Address
from probe.net.netlink import (
    ARPHRD_ETHER,
    NUD_FAILED,
    Link,
    Neighbour,
    Prefix,
    Route,
    links,
    neighbours,
    prefixes,
    routes_to,
)

KERNEL, UNRESOLVED = -1, -2  # leave it to the kernel; its link address is being looked for
_UNKNOWN = -3  # nobody asked yet
HEADER = 14  # bytes of an Ethernet header
_TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}

Keys = npt.NDArray[np.uint32] | npt.NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class Hop:
    """The same for every packet that goes this way: the interface's index, and the frame's first HEADER bytes."""

    interface: int
    header: bytes


@dataclass(frozen=True, slots=True)
class Tables:
    """One picture of the kernel's tables. `dead` are next hops that were asked for their link address in vain: they
    are left to the kernel for as long as they stay silent, which asks again now and then."""

    prefixes: tuple[Prefix, ...]
    links: dict[int, Link]
    neighbours: dict[tuple[int, Address], Neighbour]
    dead: frozenset[tuple[int, Address]] = frozenset()

    @classmethod
    def now(cls, before: Tables | None = None) -> Tables:
        """Raises OSError."""
        return cls(tuple(prefixes()), links(), {})._met(before.dead if before else frozenset())

    def later(self) -> Tables:
        """The same routes and links, the neighbours of now. Raises OSError."""
        return self._met(self.dead)

    def _met(self, dead: frozenset[tuple[int, Address]]) -> Tables:
        table = neighbours()
        failed = {key for key, entry in table.items() if entry.state & NUD_FAILED}
        alive = {key for key, entry in table.items() if entry.usable}
        return Tables(self.prefixes, self.links, table, (dead | failed) - alive)


def keys_of(rows: npt.NDArray[np.void]) -> Keys:
    """The destination of each packet as a number or, for IPv6, as its sixteen bytes; both sort as addresses do."""
    destination = rows["destination"]
    if destination.ndim == 1:
        return destination.astype(np.uint32)
    sixteen: npt.NDArray[np.bytes_] = np.ascontiguousarray(destination).view("S16").ravel()
    return sixteen


class Hops:
    """Next hops of one address family by one picture of the tables. `closed`: interfaces that only the kernel may use.

    `hops` and `headers`, (hops, HEADER) uint8, are indexed by what `find` gives; both grow with it. `waiting` holds the
    (interface, address) of next hops in use whose link address is not known.
    """

    def __init__(self, version: int, tables: Tables, closed: Container[int] = ()) -> None:
        self._version, self._tables, self._closed = version, tables, closed
        self.hops: list[Hop] = []
        self.headers: Bytes = np.zeros((0, HEADER), np.uint8)
        self.waiting: set[tuple[int, Address]] = set()
        self._many_ways = [part for part in tables.prefixes if part.multipath and part.version == version]
        self._bounds = _bounds(version, tables)
        self._lanes = np.full(len(self._bounds) + 1, _UNKNOWN, np.int64)
        self._shared = np.zeros(len(self._lanes), np.bool_)

    def find(self, keys: Keys) -> I64:
        """The hop of each destination, or KERNEL or UNRESOLVED. Raises OSError."""
        places = self._places(keys)
        lanes = self._lanes[places]
        if (lanes == _UNKNOWN).any():
            self._ask(keys, places)
            lanes = self._lanes[places]
        return lanes

    def heads(self, keys: Keys) -> I64:
        """The rows that are the first for their next hop, for destinations that have been looked for."""
        places = self._places(keys)
        shared = self._shared[places]
        by_gateway, alone = np.flatnonzero(shared), np.flatnonzero(~shared)
        _, first = np.unique(places[by_gateway], return_index=True)
        _, own = np.unique(keys[alone], return_index=True)
        return np.concatenate([by_gateway[first], alone[own]])

    def _places(self, keys: Keys) -> I64:
        return np.searchsorted(self._bounds, keys, side="right").astype(np.int64)

    def _ask(self, keys: Keys, places: I64) -> None:
        used, first = np.unique(places, return_index=True)
        new = self._lanes[used] == _UNKNOWN
        addresses = [self._address(key) for key in keys[first[new]]]
        for place, address, route in zip(used[new].tolist(), addresses, routes_to(addresses), strict=True):
            self._lanes[place] = self._lane(address, route)
            self._shared[place] = isinstance(route, Route) and route.gateway is not None

    def _address(self, key: np.uint32 | np.bytes_) -> Address:
        if self._version == 4:
            return ipaddress.IPv4Address(int(key))
        return ipaddress.IPv6Address(bytes(key).ljust(16, b"\0"))  # numpy takes zeros at the end for padding

    def _lane(self, address: Address, route: Route | int) -> int:
        if isinstance(route, int) or not route.plain or route.interface in self._closed or self._chosen_from(address):
            return KERNEL
        link = self._tables.links.get(route.interface)
        if link is None or link.kind != ARPHRD_ETHER or len(link.mac) != 6:
            return KERNEL
        key = (route.interface, route.gateway or address)
        neighbour = self._tables.neighbours.get(key)
        if key in self._tables.dead or (neighbour and neighbour.usable and len(neighbour.lladdr) != 6):
            return KERNEL
        if neighbour is None or not neighbour.usable:
            self.waiting.add(key)
            return UNRESOLVED
        return self._enter(Hop(route.interface, neighbour.lladdr + link.mac + _TYPES[self._version]))

    def _chosen_from(self, address: Address) -> bool:
        return any(part.first <= int(address) <= part.last for part in self._many_ways)

    def _enter(self, hop: Hop) -> int:
        if hop not in self.hops:
            self.hops.append(hop)
            self.headers = np.frombuffer(b"".join(each.header for each in self.hops), np.uint8).reshape(-1, HEADER)
        return self.hops.index(hop)


def _bounds(version: int, tables: Tables) -> Keys:
    """The first address of every interval but the lowest, ascending."""
    numbers = {n for part in tables.prefixes if part.version == version for n in (part.first, part.last + 1)}
    numbers |= {int(to) + n for (_, to) in tables.neighbours if to.version == version for n in (0, 1)}
    inside = sorted(n for n in numbers if 0 < n < 1 << (32 if version == 4 else 128))
    if version == 4:
        return np.array(inside, np.uint32)
    return np.array([n.to_bytes(16, "big") for n in inside], "S16")
