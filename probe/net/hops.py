"""The next hop of every packet of a batch, in one look-up: what must stand in front of its IP header, if we may say so.

Whatever is not simple stays the kernel's: tunnels, several ways to choose from, links that have no Ethernet header, the
loopback.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np
from msgspec import Struct

from probe.core.columns import I64, Bytes, grouped
from probe.model import Address
from probe.net.intervals import Intervals, Keys
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


class Hop(Struct, frozen=True):
    """The same for every packet that goes this way: the interface's index, and the frame's first HEADER bytes."""

    interface: int
    header: bytes


class Tables(Struct, frozen=True):
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
        self._intervals = Intervals(version, tables.prefixes, (address for _, address in tables.neighbours))
        self._lanes = np.full(self._intervals.count, _UNKNOWN, np.int64)
        self._shared = np.zeros(self._intervals.count, np.bool_)

    def find(self, keys: Keys) -> I64:
        """The hop of each destination, or KERNEL or UNRESOLVED. Raises OSError."""
        places = self._intervals.places(keys)
        lanes = self._lanes[places]
        if (lanes == _UNKNOWN).any():
            self._ask(keys, places)
            lanes = self._lanes[places]
        return lanes

    def heads(self, keys: Keys) -> I64:
        """The rows that are the first for their next hop, for destinations that have been looked for."""
        places = self._intervals.places(keys)
        shared = self._shared[places]
        by_gateway, alone = np.flatnonzero(shared), np.flatnonzero(~shared)
        first, own = grouped(places[by_gateway])[0], grouped(keys[alone])[0]
        return np.concatenate([by_gateway[first], alone[own]])

    def _ask(self, keys: Keys, places: I64) -> None:
        first = grouped(places)[0]
        used = places[first]
        new = self._lanes[used] == _UNKNOWN
        addresses = [self._intervals.address(key) for key in keys[first[new]]]
        for place, address, route in zip(used[new].tolist(), addresses, routes_to(addresses), strict=True):
            self._lanes[place] = self._lane(address, route)
            self._shared[place] = isinstance(route, Route) and route.gateway is not None

    def _lane(self, address: Address, route: Route | int) -> int:
        if isinstance(route, int) or not route.plain or route.interface in self._closed:
            return KERNEL
        if self._intervals.several_ways(address):
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

    def _enter(self, hop: Hop) -> int:
        if hop not in self.hops:
            self.hops.append(hop)
            self.headers = np.frombuffer(b"".join(each.header for each in self.hops), np.uint8).reshape(-1, HEADER)
        return self.hops.index(hop)
