"""Target expressions."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model import AddressRange
from probe.profile.ranges import describe
from probe.profile.targets import TargetError, parse_address, parse_target


@pytest.mark.parametrize(
    "text, meaning",
    [
        ("198.18.1.10", "198.18.1.10"),
        ("198.18.1.10/32", "198.18.1.10"),
        ("198.18.1.0/24", "198.18.1.0-198.18.1.255"),
        ("198.18.1.10-20", "198.18.1.10-198.18.1.20"),
        ("198.18.1.10-10", "198.18.1.10"),
        ("198.18.1.10-198.18.2.1", "198.18.1.10-198.18.2.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("fd18::1", "fd18::1"),
        ("FD18:0::0001", "fd18::1"),
        ("fd18::/16", "fd18::-fd18:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("fd18::1-fd18::20", "fd18::1-fd18::20"),
        ("::1", "::1"),
    ],
)
def test_literals(text: str, meaning: str) -> None:
    spec = parse_target(text)
    assert spec.range is not None
    assert (describe(spec.range), spec.host, spec.text) == (meaning, None, text)


@pytest.mark.parametrize(
    "text", ["web", "web.example", "web-1.example.", "_dmarc.example", "3com.example", "1-2.a", "a" * 63]
)
def test_host_names(text: str) -> None:
    assert parse_target(text).host == text


@pytest.mark.parametrize(
    "text", ["", " ", "a..b", ".", "-a", "a-", "a" * 64, "a/24", "1.2.3.4.5", "1-2-3", "web\n", "::1/"]
)
def test_neither(text: str) -> None:
    with pytest.raises(TargetError):
        parse_target(text)


def test_what_must_not_be_scanned_may_be_excluded() -> None:
    assert parse_address("224.0.0.0/4").range == AddressRange(4, 0xE0 << 24, (0xF0 << 24) - 1)


@settings(deadline=None)
@given(st.ip_addresses(v=4), st.integers(1, 32))
def test_a_network_is_what_the_standard_library_says(address: ipaddress.IPv4Address, prefix: int) -> None:
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    part = parse_address(str(network)).range
    assert part == AddressRange(4, int(network.network_address), int(network.broadcast_address))


@settings(deadline=None)
@given(st.ip_addresses())
def test_an_address_is_itself_or_refused(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    try:
        part = parse_target(str(address)).range
    except TargetError:
        assert address.is_multicast or int(address) < 1 << 48 or int(address) == 0xFFFF_FFFF
    else:
        assert part == AddressRange(address.version, int(address), int(address))


@settings(deadline=None)
@given(st.text(max_size=20) | st.text("0123456789.-/:af%x", max_size=20))
def test_any_text_is_a_target_or_a_target_error(text: str) -> None:
    try:
        spec = parse_target(text)
    except TargetError:
        return
    assert (spec.range is None) != (spec.host is None)
