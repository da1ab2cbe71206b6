"""Names, scope, exclusions, size: what is settled before a packet is sent."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.errors import ProfileError
from probe.model import Address, AddressRange
from probe.profile import Resolution, load, resolve
from probe.profile.ranges import describe, merge, subtract, total

HEAD = "version: 1\nname: t\nscan: {tcp: [22, 80]}\n"


class Names:
    """A name server that counts."""

    def __init__(self, **known: list[str]) -> None:
        self.known = known
        self.asked: list[str] = []

    def __call__(self, name: str) -> list[Address]:
        self.asked.append(name)
        return [ipaddress.ip_address(text) for text in self.known[name]]


def resolved(text: str, names: Names | None = None, trust_names: bool = False) -> Resolution:
    return resolve(load((HEAD + text).encode(), "p.yaml"), names or Names(), trust_names=trust_names)


def told(parts: Iterable[AddressRange]) -> list[str]:
    return [describe(part) for part in parts]


def test_ranges_are_sorted_merged_and_without_what_is_excluded() -> None:
    found = resolved('targets: {a: ["fd18::1", 198.18.1.6-9, 198.18.1.0/29]}\nexclude: [198.18.1.2-3, 198.18.1.9]\n')
    assert told(found.targets[0].ranges) == ["198.18.1.0-198.18.1.1", "198.18.1.4-198.18.1.8", "fd18::1"]
    assert told(found.scope) == ["198.18.1.0-198.18.1.9", "fd18::1"]
    assert found.addresses == 8


def test_a_name_is_looked_up_once_and_keeps_its_name() -> None:
    names = Names(web=["198.18.1.5", "fd18::5", "198.18.1.5"])
    found = resolved("targets: {a: [web, 198.18.1.0/29], b: web}\nscope: [198.18.0.0/15, 'fd18::/16']\n", names)
    assert names.asked == ["web"]
    parts = found.targets[0].ranges
    assert told(parts) == ["198.18.1.0-198.18.1.4", "198.18.1.5", "198.18.1.6-198.18.1.7", "fd18::5"]
    assert [part.host for part in parts] == [None, "web", None, "web"]
    assert told(found.targets[1].ranges) == ["198.18.1.5", "fd18::5"]
    assert found.addresses == 9


def test_without_scope_a_name_must_lead_to_a_literal_target() -> None:
    names = Names(web=["198.18.1.5"])
    assert told(resolved("targets: {a: web, b: 198.18.1.0/29}\n", names).targets[0].ranges) == ["198.18.1.5"]
    with pytest.raises(ProfileError, match=r"p\.yaml:4:14: 'web' resolves to 198\.18\.1\.5, which no target holds"):
        resolved("targets: {a: web}\n", names)


def test_names_of_the_command_line_are_meant() -> None:
    found = resolved("targets: {a: web}\n", Names(web=["198.18.1.5"]), trust_names=True)
    assert told(found.scope) == ["198.18.1.5"]
    with pytest.raises(ProfileError, match="out of scope"):
        resolved("targets: {a: web}\nscope: 198.18.2.0/24\n", Names(web=["198.18.1.5"]), trust_names=True)


def test_what_is_excluded_need_not_be_in_scope() -> None:
    found = resolved("targets: {a: 198.18.1.0/24}\nscope: 198.18.1.0/25\nexclude: 198.18.1.128/25\n")
    assert told(found.targets[0].ranges) == ["198.18.1.0-198.18.1.127"]


def test_a_name_can_be_excluded() -> None:
    found = resolved("targets: {a: 198.18.1.0/30}\nexclude: web\n", Names(web=["198.18.1.1"]))
    assert told(found.targets[0].ranges) == ["198.18.1.0", "198.18.1.2-198.18.1.3"]


def test_an_address_of_two_targets_counts_once() -> None:
    # 256 addresses, 2 ports, 3 attempts.
    text = "targets: {a: 198.18.1.0/24, b: 198.18.1.0/25}\n"
    exact = HEAD.replace("80]", "80], max_probes: 1536") + text
    assert resolve(load(exact.encode(), "p"), Names()).addresses == 256
    with pytest.raises(ProfileError, match="plan too large: 256 addresses × 2 ports × 3 attempts = 1,536 probes"):
        resolve(load(exact.replace("1536", "1535").encode(), "p"), Names())


def test_a_vast_target_is_refused_without_being_counted_one_by_one() -> None:
    with pytest.raises(ProfileError, match=r"p\.yaml:3:7: plan too large"):
        resolved("targets: {a: 'fd18::/16'}\nexclude: ['fd18::/64', 'fd18:1::1']\n")


def test_all_that_goes_wrong_is_told() -> None:
    names = Names(gone=[], far=["198.18.9.9"])
    with pytest.raises(ProfileError) as caught:
        resolved("targets: {a: [gone, far], b: 198.18.1.1}\nexclude: [gone, 198.18.1.1]\n", names)
    assert [problem.column for problem in caught.value.problems] == [15, 21, 27, 11]


SPANS = st.lists(
    st.tuples(st.sampled_from([4, 6]), st.integers(0, 40), st.integers(0, 8), st.sampled_from([None, None, "h"])),
    max_size=8,
)


def parts_of(spans: list[tuple[int, int, int, str | None]]) -> list[AddressRange]:
    """Named ranges are single addresses, as look-ups give them."""
    return [AddressRange(version, first, first + (0 if host else more), host) for version, first, more, host in spans]


def members(parts: Iterable[AddressRange]) -> list[tuple[int, int]]:
    return [(part.version, number) for part in parts for number in range(part.first, part.last + 1)]


@settings(deadline=None)
@given(SPANS, SPANS)
def test_range_sets_are_sets(
    one: list[tuple[int, int, int, str | None]], other: list[tuple[int, int, int, str | None]]
) -> None:
    union = merge(parts_of(one))
    assert members(union) == sorted(set(members(parts_of(one))))
    assert total(union) == len(members(union))
    left = members(subtract(union, merge(parts_of(other))))
    assert left == sorted(set(members(union)) - set(members(parts_of(other))))
    named = {(part.version, part.first) for part in parts_of(one) if part.host}
    assert named == {(part.version, part.first) for part in union if part.host}
