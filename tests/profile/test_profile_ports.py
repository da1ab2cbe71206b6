"""Port expressions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.profile.ports import PortError, format_ports, parse_ports
from probe.services.ports import COMMON


@pytest.mark.parametrize(
    "text, ports",
    [
        ("22", (22,)),
        ("65535", (65535,)),
        ("80,22,80", (22, 80)),
        ("22, 80 ,443", (22, 80, 443)),
        ("20-23,22", (20, 21, 22, 23)),
        ("8000 - 8002", (8000, 8001, 8002)),
        ("7-7", (7,)),
        ("ssh", (22,)),
        ("SSH,https", (22, 443)),
        ("well-known", tuple(range(1, 1024))),
        ("all", tuple(range(1, 65536))),
        ("common", tuple(sorted(COMMON))),
    ],
)
def test_what_expressions_name(text: str, ports: tuple[int, ...]) -> None:
    assert parse_ports(text) == ports


@settings(deadline=None)
@given(st.sets(st.integers(1, 65535), min_size=1, max_size=50))
def test_formatted_ports_are_parsed_back(ports: set[int]) -> None:
    assert parse_ports(format_ports(ports)) == tuple(sorted(ports))


@settings(deadline=None)
@given(st.integers(1, 65535), st.integers(1, 65535))
def test_a_range_holds_both_ends_or_is_reversed(first: int, last: int) -> None:
    if first <= last:
        assert parse_ports(f"{first}-{last}") == tuple(range(first, last + 1))
    else:
        with pytest.raises(PortError, match="reversed"):
            parse_ports(f"{first}-{last}")


@settings(deadline=None)
@given(st.text(max_size=12) | st.text("0123456789-, x", max_size=12))
def test_any_text_is_ports_or_a_port_error(text: str) -> None:
    try:
        ports = parse_ports(text)
    except PortError:
        return
    assert ports == tuple(sorted(set(ports)))
    assert ports
    assert 1 <= ports[0] <= ports[-1] <= 65535


def test_a_long_list_is_cut_where_asked() -> None:
    assert format_ports([1, 2, 3, 5, 7, 9], limit=2) == "1-3,5,…"
