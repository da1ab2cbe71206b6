"""Topology files: what is refused, where the message points, and what a good one becomes."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.errors import LabError, ProfileError
from probe.lab import load, plan
from probe.lab.topology import fill
from tests.lab.lab_world import MINI, REPOSITORY, write_mini

# (what to replace in MINI, by what, the place and the start of the message)
MISTAKES = [
    ("version: 1", "version: 2", "1:10: version 2 is not known here"),
    ("version: 1\n", "", "1:1: the key 'version' is missing"),
    ("version: 1", "version: true", "1:10: version True is not known here"),
    ("name: mini", "name: Mini Lab", "2:7: 'Mini Lab' is no name for a lab"),
    ("name: mini", "name: mini\nname: other", "3:1: the key 'name' is given twice"),
    ("name: mini", "nmae: mini", "2:1: unknown key 'nmae'"),
    ("198.18.0.0/24,", "192.0.2.0/24,", "4:9: 192.0.2.0/24 is outside of what a lab may use"),
    ("198.18.0.0/24,", "198.18.0.1/24,", "4:9: '198.18.0.1/24' is not a network in CIDR form"),
    ("198.18.0.0/24,", "7,", "4:9: 7 is not a network in CIDR form"),
    ('"fd18:1::/64"]', '"fd18::/16"]', "5:24: fd18::/16 overlaps fd18::/64 of 'wan'"),
    ("  wan: [198", "  a-very-long-network: [198", "4:3: 'a-very-long-network' is no name for a lab"),
    ("{wan: [198.18.0.10,", "{wna: [198.18.0.10,", "8:18: there is no network 'wna' (known: wan, dmz)"),
    ("198.18.0.10,", "198.18.1.99,", "8:19: 198.18.1.99 is not in the network 'wan'"),
    ("198.18.0.10,", "198.18.0.1,", "11:19: 198.18.0.1 belongs to 'internet' already"),
    ("198.18.0.10,", "198.18.0.255,", "8:19: 198.18.0.255 is the first or last address of 198.18.0.0/24"),
    ("198.18.0.10,", "198.18.0.256,", "8:19: '198.18.0.256' is not an IPv4 or IPv6 address"),
    ("198.18.0.10,", "192.0.2.1,", "8:19: 192.0.2.1 is outside of what a lab may use"),
    (
        "{default: [198.18.0.1,",
        "{default: [198.18.0.2,",
        "9:24: 198.18.0.2 is no other host on a network of 'internet'",
    ),
    (
        "{default: [198.18.0.1,",
        "{default: [198.18.1.1,",
        "9:24: 198.18.1.1 is no other host on a network of 'internet'",
    ),
    (
        "{198.18.0.0/24: [198.18.1.1]",
        '{198.18.0.0/24: ["fd18:1::1"]',
        "15:30: fd18:1::1 and 198.18.0.0/24 are not of one",
    ),
    ("{198.18.0.0/24: [", "{198.18.0.0/33: [", "15:14: '198.18.0.0/33' is not a network in CIDR form"),
    ("router: true", "router: 1", "12:13: 'router' must be true or false"),
    ("router: true", "router: true\n    nft: [none.nft]", "13:11: there is no file 'none.nft' beside the topology"),
    ("router: true", "sysctl: {kernel.panic: 1}", "12:14: 'kernel.panic' is no sysctl of a network"),
    ("router: true", "sysctl: {net.ipv4.ip_forward: true}", "12:35: a sysctl's value is a whole number or text"),
    ("router: true", "rooter: true", "12:5: unknown key 'rooter'"),
    (
        '["{python}", ',
        '["{pyhton}", ',
        "17:19: unknown {pyhton} (known: python, here, run, cert, key, ssh_key, other_ssh_key)",
    ),
    ('["{python}", ', "[], x: [", "17:18: 'run' is empty"),
    ('["{python}", ', "[], x: [", "17:22: unknown key 'x'"),
    ("ready: [80]", "ready: [0]", "17:58: each item of 'ready' must be at least 1"),
    ("ready: [80]", "ready: [65536]", "17:58: each item of 'ready' must be at most 65,535"),
    ("ready: [80]}", "ready: [80]}\n      x: {run: [z], ready: [80]}", "18:29: port 80 belongs to 'raw' already"),
    ("ready: [80]", "files: [no.conf]", "17:58: there is no file 'no.conf' beside the topology"),
    ("{dmz: [198.18.1.25]}", "{}", "19:12: 'links' is empty"),
    ("{dmz: [198.18.1.25]}", "{dmz: []}", "19:18: 'dmz' is empty"),
    ("{dmz: [198.18.1.25]}", "*anchor", "19:12: YAML aliases are not allowed"),
    ("{dmz: [198.18.1.25]}", "!!map {}", "19:12: YAML tags are not allowed"),
]


@pytest.mark.parametrize("old, new, message", MISTAKES, ids=[mistake[2] for mistake in MISTAKES])
def test_every_mistake_is_shown_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MINI
    path = write_mini(tmp_path, MINI.replace(old, new, 1))
    with pytest.raises(ProfileError) as caught:
        load(path)
    assert any(line.startswith(f"{path}:{message}") for line in str(caught.value).splitlines()), str(caught.value)


def test_all_mistakes_of_one_kind_at_once(tmp_path: Path) -> None:
    path = write_mini(
        tmp_path, MINI.replace("{wan: [198.18.0.10,", "{wna: [198.18.0.10,").replace("198.18.1.25", "198.18.9.9")
    )
    with pytest.raises(ProfileError) as caught:
        load(path)
    assert [problem.line for problem in caught.value.problems] == [8, 19]


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(LabError, match=r"no-such\.yaml: No such file"):
        load("no-such.yaml")


@settings(max_examples=60)
@given(st.text(max_size=80), st.integers(0, len(MINI)))
def test_any_text_is_a_topology_or_a_list_of_problems(
    tmp_path_factory: pytest.TempPathFactory, text: str, at: int
) -> None:
    path = write_mini(tmp_path_factory.mktemp("any"))
    Path(path).write_text(MINI[:at] + text + MINI[at:])
    with contextlib.suppress(ProfileError):
        load(path)


def test_names_are_all_addresses_of_each_host(tmp_path: Path) -> None:
    names = load(write_mini(tmp_path)).names
    assert list(names) == ["internet", "edge", "web", "mail"]
    assert names["edge"] == [ip_address(text) for text in ("198.18.0.1", "fd18::1", "198.18.1.1", "fd18:1::1")]


def test_fill_leaves_the_braces_of_configuration_files() -> None:
    assert fill("http { key {key}; }\n{unknown}", {"key": "/k"}) == "http { key /k; }\n{unknown}"


@pytest.mark.parametrize("name", ["office", "broken"])
def test_the_topologies_of_the_repository(name: str) -> None:
    assert load(str(REPOSITORY / f"lab/{name}.yaml")).name == name


def test_the_broken_rules_differ_in_three_places() -> None:
    good, bad = ((REPOSITORY / f"lab/{name}.nft").read_text().splitlines() for name in ("office", "broken"))
    assert len(set(good) - set(bad)) == 2
    assert len(set(bad) - set(good)) == 3
    assert len(bad) == len(good) + 1


_words = st.text(max_size=20)
_commands = st.builds(plan.Command, st.lists(_words).map(tuple), st.dictionaries(_words, _words))
_daemons = st.builds(
    plan.Daemon, _words, _commands, _words, st.dictionaries(_words, _words), st.lists(st.integers(1, 65535)).map(tuple)
)
_links = st.builds(plan.Link, _words, st.lists(_words, max_size=2).map(tuple))
_hosts = st.builds(
    plan.Host,
    _words,
    st.dictionaries(_words, _words, max_size=2),
    st.lists(_links, max_size=2).map(tuple),
    st.lists(st.builds(plan.Route, _words, _words), max_size=2).map(tuple),
    st.lists(_commands, max_size=2).map(tuple),
    st.lists(_daemons, max_size=2).map(tuple),
)


@settings(max_examples=40)
@given(st.builds(plan.Plan, _words, _words, _words, st.booleans(), st.lists(_hosts, max_size=3).map(tuple)))
def test_a_plan_survives_the_pipe(made: plan.Plan) -> None:
    text = made.dumps()
    assert "\n" not in text
    assert plan.loads(text) == made
