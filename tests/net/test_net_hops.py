"""Next hops in columns against a twin that asks about one address at a time."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core import frames as f
from probe.core.block import split
from probe.model import Address
from probe.net import hops
from probe.net.hops import KERNEL, UNRESOLVED, Hops, Tables
from probe.net.intervals import Keys, keys_of, keys_of_halves
from probe.net.netlink import ARPHRD_ETHER, NUD_FAILED, Link, Neighbour, Prefix, Route

REACHABLE, INCOMPLETE = 2, 1
BASES = {4: int(ipaddress.ip_address("198.18.0.0")), 6: int(ipaddress.ip_address("fd18::"))}
KINDS: dict[int, type[Address]] = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
LINKS = {
    1: Link("lo", 772, 65536, True, True, bytes(6)),
    2: Link("eth", ARPHRD_ETHER, 1500, True, True, bytes.fromhex("020000000002")),
    3: Link("tun", 65534, 1500, True, True, b""),
    4: Link("other", ARPHRD_ETHER, 1500, True, True, bytes.fromhex("020000000004")),
}


class World:
    """Routes of a made-up kernel: the longest prefix wins, as for a real one."""

    def __init__(self, version: int, lines: list[tuple[int, int, int, int | None, bool]]) -> None:
        self.version, self.bits = version, 32 if version == 4 else 128
        self.lines = [(BASES[version] + (at << free), free, by, via, many) for at, free, by, via, many in lines]

    def prefixes(self) -> Iterator[Prefix]:
        for start, free, _, _, many in self.lines:
            first = start >> free << free
            yield Prefix(first, first | (1 << free) - 1, self.version, many)

    def route(self, to: Address) -> Route | int:
        fitting = [line for line in self.lines if int(to) >> line[1] == line[0] >> line[1]]
        if not fitting:
            return 101
        _, _, interface, gateway, _ = min(fitting, key=lambda line: line[1])
        way = None if gateway is None else KINDS[self.version](BASES[self.version] + gateway)
        return Route(to, way, interface)


def keys(addresses: list[Address]) -> Keys:
    """As `keys_of` takes them from packets."""
    four = addresses[0].version == 4
    rows = np.zeros(len(addresses), f.SYN4 if four else f.SYN6)
    for row, address in zip(rows, addresses, strict=True):
        number = int(address)
        row["destination"] = number if four else [number >> 64, number & (1 << 64) - 1]
    found = keys_of(rows)
    high, low = (np.array(half, np.uint64) for half in zip(*map(split, addresses), strict=True))
    assert (keys_of_halves(4 if four else 6, high, low) == found).all()
    return found


def twin(world: World, tables: Tables, closed: set[int], to: Address) -> bytes | int:
    """What stands before the packet, or KERNEL or UNRESOLVED."""
    route = world.route(to)
    if isinstance(route, int) or route.interface in closed:
        return KERNEL
    if any(p.multipath and p.first <= int(to) <= p.last for p in tables.prefixes):
        return KERNEL
    link = tables.links[route.interface]
    if link.kind != ARPHRD_ETHER:
        return KERNEL
    key = (route.interface, route.gateway or to)
    if key in tables.dead:
        return KERNEL
    neighbour = tables.neighbours.get(key)
    if neighbour is None or neighbour.state == INCOMPLETE or not neighbour.lladdr:
        return UNRESOLVED
    return neighbour.lladdr + link.mac + (b"\x08\x00" if to.version == 4 else b"\x86\xdd")


# Small numbers, so that prefixes, gateways and destinations meet. A line: start, free bits, interface, gateway, several
small = st.integers(0, 40)
lines = st.tuples(
    small, st.integers(0, 5), st.sampled_from([1, 2, 2, 3, 4]), st.none() | small, st.sampled_from([False] * 5 + [True])
)
entries = st.dictionaries(
    st.tuples(st.sampled_from([2, 4]), small),
    st.sampled_from(
        [(REACHABLE, b"\2\0\0\0\0\x11"), (REACHABLE, b"\2\0\0\0\0\x22"), (INCOMPLETE, b""), (NUD_FAILED, b"")]
    ),
    max_size=6,
)


@settings(max_examples=200)
@given(
    st.sampled_from([4, 6]),
    st.lists(lines, max_size=6),
    entries,
    st.sets(st.sampled_from([2, 4]), max_size=1),
    st.lists(st.lists(small, min_size=1, max_size=12), min_size=1, max_size=3),
)
def test_hops_are_their_slow_twin(
    version: int,
    table: list[tuple[int, int, int, int | None, bool]],
    met: dict[tuple[int, int], tuple[int, bytes]],
    closed: set[int],
    batches: list[list[int]],
) -> None:
    world, kind = World(version, table), KINDS[version]
    neighbours = {(at, kind(BASES[version] + n)): Neighbour(*entry) for (at, n), entry in met.items()}
    dead = frozenset(key for key, entry in neighbours.items() if entry.state == NUD_FAILED)
    tables = Tables(tuple(world.prefixes()), LINKS, neighbours, dead)
    asked: list[Address] = []

    def routes_to(addresses: Iterable[Address]) -> Iterator[Route | int]:
        for address in addresses:
            asked.append(address)
            yield world.route(address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hops, "routes_to", routes_to)
        found = Hops(version, tables, closed)
        for batch in batches:
            addresses = [kind(BASES[version] + n) for n in batch]
            lanes = found.find(keys(addresses)).tolist()
            said = [found.headers[lane].tobytes() if lane >= 0 else lane for lane in lanes]
            assert said == [twin(world, tables, closed, address) for address in addresses]
            for lane in lanes:
                if lane >= 0:
                    assert LINKS[found.hops[lane].interface].mac == found.headers[lane].tobytes()[6:12]
            check_heads(
                found, world, [address for address, lane in zip(addresses, lanes, strict=True) if lane == UNRESOLVED]
            )
    bounds = 1 + 2 * len(table) + 2 * len(neighbours)
    assert len(asked) <= bounds  # once for each interval, however many packets


def check_heads(found: Hops, world: World, addresses: list[Address]) -> None:
    """One row of each next hop, and the first."""
    if not addresses:
        return
    seen: dict[object, int] = {}
    for row, address in enumerate(addresses):
        route = world.route(address)
        assert isinstance(route, Route)
        # Two intervals may share a gateway; each has a head of its own then, which does no harm.
        seen.setdefault(route.gateway or address, row)
    heads = found.heads(keys(addresses)).tolist()
    assert set(seen.values()) <= set(heads)
    assert len(heads) == len(set(heads))


def test_a_default_route_asks_once_for_a_whole_network() -> None:
    gateway = ipaddress.ip_address("198.18.0.1")
    tables = Tables((Prefix(0, 2**32 - 1, 4, False),), LINKS, {(2, gateway): Neighbour(REACHABLE, b"\2\0\0\0\0\x11")})
    asked = []

    def routes_to(addresses: Iterable[Address]) -> Iterator[Route | int]:
        for address in addresses:
            asked.append(address)
            yield Route(address, gateway, 2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hops, "routes_to", routes_to)
        found = Hops(4, tables)
        many = np.arange(2**32 - 70_000, 2**32 - 4465, dtype=np.uint32)
        assert not found.find(many).any()
    assert len(asked) == 1


def test_a_dead_neighbour_stays_dead_until_it_is_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    key = (2, ipaddress.ip_address("198.18.0.7"))
    tables = Tables((), LINKS, {})
    for state, lladdr, dead in ((NUD_FAILED, b"", True), (INCOMPLETE, b"", True), (REACHABLE, b"\2" * 6, False)):
        monkeypatch.setattr(hops, "neighbours", {key: Neighbour(state, lladdr)}.copy)
        tables = tables.later()
        assert (key in tables.dead) is dead
