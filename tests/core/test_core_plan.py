"""Targets and ports to slots and back: every vectorised answer is held against sets, dicts and `ipaddress`."""

from __future__ import annotations

import dataclasses
import ipaddress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from probe.core import plan as plans
from probe.core.block import Block, is_ipv4, join, split
from probe.core.columns import U64
from probe.core.plan import Plan, Scope, merge
from probe.model import Address, AddressRange, ScanOptions, Target

MAPPED_FIRST = 0xFFFF << 32
ipv4 = st.ip_addresses(v=4)
ipv6 = st.ip_addresses(v=6).filter(lambda address: int(address) >> 32 != 0xFFFF)  # the profile refuses mapped addresses
addresses = st.one_of(ipv4, ipv6)


@st.composite
def ranges(draw: st.DrawFn, most: int = 40) -> AddressRange:
    """Short ranges, many of them touching: the first addresses are few, and some lie at a 64-bit carry."""
    version = draw(st.sampled_from([4, 6]))
    base = draw(
        st.sampled_from([0xC6120100, 0xFFFFFF00] if version == 4 else [0xFD18 << 112, (0xFD18 << 112) - 20, 2**64 - 15])
    )
    first = base + draw(st.integers(0, 60))
    return AddressRange(version, first, first + draw(st.integers(0, most)))


def columns(many: list[Address]) -> tuple[U64, U64]:
    halves = [split(address) for address in many]
    return np.array([high for high, _ in halves], np.uint64), np.array([low for _, low in halves], np.uint64)


def block_of(many: list[Address], ports: list[int]) -> Block:
    return Block(*columns(many), np.array(sorted(ports), np.uint16))


@given(addresses)
def test_split_and_join_are_inverse(address: Address) -> None:
    high, low = split(address)
    assert join(high, low) == address
    assert bool(is_ipv4(np.array([high], np.uint64), np.array([low], np.uint64))[0]) is (address.version == 4)


@given(st.lists(ranges(), max_size=8))
def test_merge_keeps_the_set_and_nothing_twice(parts: list[AddressRange]) -> None:
    merged = merge(parts)
    assert {a for part in merged for a in part} == {a for part in parts for a in part}
    assert sum(part.size for part in merged) == len({a for part in merged for a in part})
    for before, after in pairwise(merged):
        assert before.version < after.version or before.last + 1 < after.first  # sorted, and none could be joined


def test_merge_forgets_host_names() -> None:
    assert merge([AddressRange(4, 1, 2, "a"), AddressRange(4, 3, 3, "b")])[0].host is None


@settings(max_examples=60)
@given(
    st.lists(ranges(), max_size=4),
    st.lists(st.one_of(addresses, ranges(most=0).map(lambda r: next(iter(r)))), max_size=12),
)
def test_scope_is_membership(parts: list[AddressRange], asked: list[Address]) -> None:
    expected = [any(address in part for part in parts) for address in asked]
    assert Scope(parts).allows(*columns(asked)).tolist() == expected


def test_scope_edges_are_inside() -> None:
    net = ipaddress.ip_network("fd18::ffff:ffff:ffff:fff0/124")
    scope = Scope([AddressRange(6, int(net[0]), int(net[-1]))])
    asked: list[Address] = [net[0] - 1, net[0], net[-1], net[-1] + 1]
    assert scope.allows(*columns(asked)).tolist() == [False, True, True, False]


def test_an_ipv6_scope_holds_no_ipv4() -> None:
    everything = Scope([AddressRange(6, 0, 2**128 - 1)])
    asked: list[Address] = [ipaddress.ip_address("198.18.0.1"), ipaddress.ip_address("fd18::1")]
    assert everything.allows(*columns(asked)).tolist() == [False, True]


def test_an_empty_scope_allows_nothing() -> None:
    assert not Scope([]).allows(*columns([ipaddress.ip_address("127.0.0.1")])).any()


many_addresses = st.lists(addresses, min_size=1, max_size=12, unique=True)
many_ports = st.lists(st.integers(0, 65535), min_size=1, max_size=12, unique=True)


@settings(max_examples=60)
@given(many_addresses, many_ports, st.lists(st.tuples(addresses, st.integers(0, 65535)), max_size=10), st.data())
def test_find_is_a_dict(
    many: list[Address], ports: list[int], foreign: list[tuple[Address, int]], data: st.DataObject
) -> None:
    block = block_of(many, ports)
    twin = {
        (address, port): row * len(ports) + column
        for row, address in enumerate(many)
        for column, port in enumerate(sorted(ports))
    }
    own = st.tuples(st.sampled_from(many), st.one_of(st.sampled_from(ports), st.integers(0, 65535)))
    asked = [*twin, *foreign, *data.draw(st.lists(own, max_size=5))]
    high, low = columns([address for address, _ in asked])
    found = block.find(high, low, np.array([port for _, port in asked], np.uint16))
    assert found.tolist() == [twin.get(question, -1) for question in asked]
    for (address, port), slot in twin.items():
        key = block.key(slot)
        assert (key.address, key.transport, key.port) == (address, "tcp", port)


def test_find_tells_the_halves_apart() -> None:
    """Two addresses whose halves are swapped, and a pair that the first multiplier folds into one key."""
    multiplier = 0x9E3779B97F4A7C15
    twin_low = multiplier ^ (2 * multiplier & (2**64 - 1)) ^ 5
    many: list[Address] = [join(1, 5), join(5, 1), join(2, twin_low)]
    block = block_of(many, [80])
    assert block.find(*columns(many), np.full(3, 80, np.uint16)).tolist() == [0, 1, 2]
    assert block.find(*columns([join(5, 5)]), np.full(1, 80, np.uint16)).tolist() == [-1]


def test_find_looks_at_both_halves() -> None:
    """Wherever the search ends up, a neighbour that shares one half is not the address itself."""
    block = block_of([join(7, 9)], [80])
    strangers: list[Address] = [join(high, 9) for high in range(20) if high != 7] + [join(7, low) for low in range(9)]
    assert set(block.find(*columns(strangers), np.full(len(strangers), 80, np.uint16)).tolist()) == {-1}


def test_an_address_twice_is_a_mistake() -> None:
    same = ipaddress.ip_address("198.18.0.1")
    with pytest.raises(AssertionError, match="twice"):
        block_of([same, same], [80])


@settings(max_examples=40)
@given(st.lists(ranges(), min_size=1, max_size=5), many_ports, st.integers(1, 200))
def test_blocks_hold_the_plan_in_order(parts: list[AddressRange], ports: list[int], room: int) -> None:
    plan = Plan.of([Target("t", tuple(parts))], ScanOptions(tcp=tuple(ports)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "BLOCK_SLOTS", room)
        blocks = list(plan.cut())
        assert plan.blocks == len(blocks)
    cut = [block.address(row) for block in blocks for row in range(len(block.high))]
    assert cut == sorted({a for part in parts for a in part}, key=lambda address: (address.version, int(address)))
    assert plan.addresses == len(cut)
    assert plan.probes == sum(block.slots for block in blocks)
    assert all(block.ports.tolist() == sorted(ports) for block in blocks)
    assert all(block.slots <= max(room, len(ports)) for block in blocks)


def test_a_range_across_the_64_bit_carry() -> None:
    first = (0xFD18 << 112 | 2**64) - 3
    (block,) = Plan.of([Target("t", (AddressRange(6, first, first + 5),))], ScanOptions(tcp=(1,))).cut()
    assert [int(block.address(row)) for row in range(6)] == list(range(first, first + 6))
    assert block.high[2] + np.uint64(1) == block.high[3]


def test_slots_and_ports_of_many_at_once() -> None:
    block = block_of([ipaddress.ip_address("198.18.0.1"), ipaddress.ip_address("fd18::1")], [443, 22, 80])
    slots = np.arange(6)
    assert block.address_rows(slots).tolist() == [0, 0, 0, 1, 1, 1]
    assert block.port_numbers(slots).tolist() == [22, 80, 443] * 2


def test_the_numbers_of_a_plan() -> None:
    net = AddressRange(4, 0xC6120000, 0xC61200FF)
    targets = [Target("a", (net,)), Target("b", (AddressRange(4, 0xC6120080, 0xC612017F),))]
    plan = Plan.of(targets, ScanOptions(tcp=(80, 443, 80), rate=100.0, attempts=3, timeout=2.0))
    assert plan.ports == (80, 443)
    assert (plan.addresses, plan.probes, plan.packets, plan.blocks) == (384, 768, 2304, 1)
    assert plan.least_s == pytest.approx(7.68)
    assert plan.most_s == pytest.approx(23.04 + 6)
    assert plan.deadline_s > plan.most_s


def test_locating_is_in_the_numbers_of_a_plan() -> None:
    target = Target("a", (AddressRange(4, 0xC6120000, 0xC6120001),))
    options = ScanOptions(tcp=tuple(range(1, 101)), rate=1000.0, attempts=3, timeout=2.0)
    plain, plan = Plan.of([target], options), Plan.of([target], structs.replace(options, locate=True))
    assert plain.locating.packets == 0
    assert plan.locating.packets == 3 * (4 * 200 + 60 * 2)
    assert plan.most_s - plain.most_s == pytest.approx(plan.locating.seconds) == 2.76 + 30 + 24
    assert plan.deadline_s > plan.most_s


def test_locating_is_bounded_in_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "BLOCK_SLOTS", 1 << 16)
    plan = Plan.of([Target("a", (AddressRange(4, 0, (1 << 16) - 1),))], ScanOptions(tcp=(1, 2), locate=True))
    assert plan.blocks == 2
    assert plan.locating == (2 * 200_000, 2 * (40 + 30 + 12))


@settings(max_examples=60)
@given(
    st.lists(ranges(), max_size=5),
    st.sets(st.integers(1, 9)),
    st.integers(1, 7).flatmap(lambda shards: st.tuples(st.integers(0, shards - 1), st.just(shards))),
    st.sets(ranges(most=0).map(lambda part: next(iter(part)))),
)
def test_a_plan_without_numpy_is_the_same(
    parts: list[AddressRange], ports: set[int], shard: tuple[int, int], finished: set[Address]
) -> None:
    plan = Plan.of([Target("t", tuple(parts))], ScanOptions(tcp=tuple(ports)), shard)
    plan = dataclasses.replace(plan, finished=frozenset(finished))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "BLOCK_SLOTS", 20)
        in_blocks = [block.key(slot) for block in plan.cut() for slot in range(block.slots)]
    assert list(plan.keys()) == in_blocks
    assert finished.isdisjoint(key.address for key in in_blocks)


@given(st.lists(ranges(), min_size=1, max_size=5), st.sets(st.integers(1, 9), min_size=1), st.integers(1, 7), st.data())
def test_the_shards_are_the_whole_and_each_probe_is_in_one(
    parts: list[AddressRange], ports: set[int], shards: int, data: st.DataObject
) -> None:
    target, options = Target("t", tuple(parts)), ScanOptions(tcp=tuple(ports))
    limit = data.draw(st.sampled_from([1, len(ports), 1 << 21]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "BLOCK_SLOTS", limit)
        pieces = [Plan.of([target], options, (index, shards)) for index in range(shards)]
        probes = [list(piece.keys()) for piece in pieces]
        whole = list(Plan.of([target], options).keys())
    assert [len(keys) for keys in probes] == [piece.probes for piece in pieces]
    assert sorted((str(key.address), key.port) for keys in probes for key in keys) == sorted(
        (str(key.address), key.port) for key in whole
    )


def test_a_shard_has_whole_hosts_where_there_are_enough() -> None:
    targets = [Target("t", (AddressRange(4, 0xC6120000, 0xC6120009),))]
    shards = [Plan.of(targets, ScanOptions(tcp=(1, 2, 3)), (index, 4)) for index in range(4)]
    assert [(plan.addresses, plan.ports) for plan in shards] == [
        (3, (1, 2, 3)),
        (3, (1, 2, 3)),
        (2, (1, 2, 3)),
        (2, (1, 2, 3)),
    ]
    few = [
        Plan.of([Target("t", (AddressRange(4, 1, 2),))], ScanOptions(tcp=(1, 2, 3)), (index, 3)) for index in range(3)
    ]
    assert [(plan.addresses, plan.ports) for plan in few] == [(2, (1,)), (2, (2,)), (2, (3,))]
