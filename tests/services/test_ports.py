"""The well-known-ports table: spot values, both directions, search and suggestions."""

from __future__ import annotations

import pytest

from probe.services import ports


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ssh", (22,)),
        ("https", (443,)),
        ("HTTPS", (443,)),
        ("postgresql", (5432,)),
        ("postgres", (5432,)),
        ("https-alt", (8443,)),
        ("http-alt", (591, 8008, 8080)),
        ("elasticsearch", (9200,)),
        ("kubernetes-api", (6443,)),
        ("redis", (6379,)),
        ("dns", (53,)),
        ("x11", tuple(range(6000, 6064))),
        ("no-such-service", ()),
        ("", ()),
    ],
)
def test_numbers_of_a_name(name: str, expected: tuple[int, ...]) -> None:
    assert ports.numbers(name) == expected


@pytest.mark.parametrize(
    ("port", "transport", "expected"),
    [
        (22, "tcp", "ssh"),
        (53, "udp", "domain"),
        (67, "udp", "bootps"),
        (80, "tcp", "http"),
        (443, "tcp", "https"),
        (465, "tcp", "submissions"),
        (2049, "tcp", "nfs"),
        (5432, "tcp", "postgresql"),
        (8443, "tcp", "https-alt"),
        (8821, "tcp", None),
        (4982, "tcp", None),
        (0, "tcp", None),
        (65536, "tcp", None),
        (22, "carrier-pigeon", None),
    ],
)
def test_name_of_a_number(port: int, transport: str, expected: str | None) -> None:
    assert ports.name_of(port, transport) == expected


def test_the_registry_is_whole() -> None:
    tcp = {entry.name for entry in ports.search() if entry.transport == "tcp" and not entry.overlay}
    udp = {entry.name for entry in ports.search() if entry.transport == "udp" and not entry.overlay}
    assert len(tcp) > 5000
    assert len(udp) > 5000


def test_every_entry_can_be_found_both_ways() -> None:
    for entry in ports.search():
        assert 1 <= entry.port <= 65535
        assert entry.port in ports.numbers(entry.name, entry.transport)
        assert ports.name_of(entry.port, entry.transport) is not None
        assert entry.name == entry.name.lower().strip() != ""


def test_common_is_a_list_of_ports_in_order() -> None:
    assert list(ports.COMMON) == sorted(set(ports.COMMON))
    assert 100 <= len(ports.COMMON) <= 200
    assert {22, 80, 443, 3389, 5432} <= set(ports.COMMON)


def test_search_by_number_shows_ours_first_and_marks_it() -> None:
    entries = [entry for entry in ports.search("8443") if entry.transport == "tcp"]
    assert [(entry.name, entry.overlay) for entry in entries] == [("https-alt", True), ("pcsync-https", False)]


def test_search_by_range_and_by_name() -> None:
    assert {entry.port for entry in ports.search("20-22")} == {20, 21, 22}
    assert ports.search("SSH")[0].name == "ssh"
    assert {"postgresql", "pgbouncer"} & {entry.name for entry in ports.search("postgresql")}
    assert ports.search("no such thing at all") == []
    assert ports.search("²²") == []


@pytest.mark.parametrize(
    ("wrong", "right"), [("htps", "https"), ("postgressql", "postgresql"), ("qqqqqqqqqqqq", None), ("", None)]
)
def test_suggestions(wrong: str, right: str | None) -> None:
    assert ports.suggest(wrong) == right
