"""Profiles that are right: what they mean, the example that users were promised, and the schema that editors read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from probe.errors import ProfileError
from probe.model import Expectation, Profile, Results, ScanOptions
from probe.profile import json_schema, load
from probe.profile.document import read
from probe.profile.nodes import plain
from probe.services.ports import COMMON, numbers

EXAMPLES = sorted((Path(__file__).parents[2] / "profiles").glob("*.yaml"))
# The example of the contract with users, word for word.
PROMISED = """\
version: 1
name: office-edge
lab: ../lab/office.yaml          # rehearse in a lab network; leave it out and the same profile tests the real one
vantage: internet                # the lab host to scan from; without `lab:` it is this machine
targets:                         # name: an address, CIDR, range (198.18.1.10-20), host name, or a list of them; IPv4 and IPv6
  web: 198.18.1.10
  db: [198.18.2.20, "fd18:2::20"]
scope: [198.18.0.0/15, "fd18::/16"]   # no packet leaves it, whatever a name resolves to; default: the literal targets
exclude: [198.18.1.13]
scan:
  tcp: [1-1024, https-alt, 8000-8100] # numbers, ranges, table names, `well-known` (1-1023), `common`, `all`
  handshake: true                # complete the handshake on open ports: banner, service, TLS
  rate: 5000                     # ceiling in packets per second; the engine goes slower when the path asks for it
  attempts: 3                    # probes to a port that stays silent, the first included
  timeout: 1s                    # how long each attempt waits
expect:
  - {to: web, tcp: [80, 443], is: open}
  - {to: web, tcp: 22, is: rejected}
  - {to: web, tcp: rest, is: dropped}       # every scanned port of `web` that no other line names
  - {to: db, service: postgresql, on: 5432} # by what answers, not by number: moved, gone or an impostor is a violation
results:
  dir: results
  formats: [jsonl, csv, junit]
"""  # noqa: E501
SMALL = "version: 1\nname: t\ntargets:\n  web: 198.18.1.10\nscan: {tcp: [22, 80, 443]}\n"


def loaded(text: str, path: str = "p.yaml") -> Profile:
    return load(text.encode("utf-8"), path)


def test_the_promised_example_means_what_it_says() -> None:
    profile = loaded(PROMISED, "profiles/office.yaml")
    scanned = {*range(1, 1025), *numbers("https-alt"), *range(8000, 8101), 5432}
    assert (profile.name, profile.lab, profile.vantage) == ("office-edge", "lab/office.yaml", "internet")
    assert profile.scan == ScanOptions(tcp=tuple(sorted(scanned)), rate=5000.0, attempts=3, timeout=1.0)
    assert profile.expectations == (
        Expectation(1, 17, 5, "web", frozenset({80, 443}), words=("open",)),
        Expectation(2, 18, 5, "web", frozenset({22}), words=("rejected",)),
        Expectation(3, 19, 5, "web", frozenset(scanned - {22, 80, 443}), rest=True, words=("dropped",)),
        Expectation(4, 20, 5, "db", service="postgresql", home=5432),
    )
    assert profile.results == Results("results", ("jsonl", "csv", "junit"))
    places = [(spec.text, spec.line, spec.column) for target in profile.targets for spec in target.addresses]
    assert places == [("198.18.1.10", 6, 8), ("198.18.2.20", 7, 8), ("fd18:2::20", 7, 21)]
    assert (profile.scan_line, profile.scan_column) == (11, 3)


def test_what_is_left_out_has_its_default() -> None:
    profile = loaded("version: 1\nname: t\ntargets: {web: 198.18.1.10}\nscan: {}\n")
    assert profile.scan == ScanOptions(tcp=tuple(sorted(COMMON)), adaptive=True)
    assert (profile.lab, profile.vantage, profile.results) == (None, None, None)
    assert (profile.expectations, profile.scope, profile.exclude) == ((), (), ())


def test_dropped_ports_are_located_where_the_profile_says_so() -> None:
    profile = loaded("version: 1\nname: t\ntargets: {web: 198.18.1.10}\nscan: {locate: true}\n")
    assert profile.scan == ScanOptions(tcp=tuple(sorted(COMMON)), locate=True, adaptive=True)


@pytest.mark.parametrize(
    "path, lab, found",
    [
        ("profiles/p.yaml", "../lab/x.yaml", "lab/x.yaml"),
        ("p.yaml", "lab/x.yaml", "lab/x.yaml"),
        ("-", "lab/x.yaml", "lab/x.yaml"),
        ("/etc/p.yaml", "x.yaml", "/etc/x.yaml"),
        ("profiles/p.yaml", "/etc/x.yaml", "/etc/x.yaml"),
    ],
)
def test_the_lab_is_found_beside_the_profile(path: str, lab: str, found: str) -> None:
    assert loaded(SMALL + f"lab: {lab}\n", path).lab == found


@pytest.mark.parametrize(
    "text, seconds",
    [("1s", 1.0), ("300ms", 0.3), ("1.5s", 1.5), ("2", 2.0), ("0.25", 0.25), ("10 ms", 0.01), ("60s", 60)],
)
def test_a_timeout_is_in_seconds_whatever_its_unit(text: str, seconds: float) -> None:
    assert loaded(SMALL.replace("443]", f"443], timeout: {text}")).scan.timeout == seconds


def test_a_line_about_two_targets_is_two_expectations_of_one_number() -> None:
    text = (
        SMALL.replace("10\n", '10\n  db: "fd18::1"\n')
        + "expect:\n  - {to: [web, db], tcp: 22, is: [closed, dropped]}\n"
    )
    found = [(one.number, one.target, one.words) for one in loaded(text).expectations]
    assert found == [(1, "web", ("closed", "dropped")), (1, "db", ("closed", "dropped"))]


def test_rest_leaves_out_every_port_that_another_line_of_its_target_names() -> None:
    lines = ["{to: web, tcp: rest, is: dropped}", "{to: web, service: ssh, on: 22}", "{to: db, tcp: 80, is: open}"]
    text = SMALL.replace("10\n", '10\n  db: "fd18::1"\n') + "expect:\n" + "".join(f"  - {line}\n" for line in lines)
    assert loaded(text).expectations[0].ports == frozenset({80, 443})


def test_lines_that_can_all_be_met_are_no_contradiction() -> None:
    lines = ["{to: web, tcp: 22, is: blocked}", "{to: web, tcp: 22, is: rejected}", "{to: web, tcp: 22, is: not-open}"]
    assert len(loaded(SMALL + "expect:\n" + "".join(f"  - {line}\n" for line in lines)).expectations) == 3


def test_block_style_comments_byte_order_mark_and_crlf_change_nothing() -> None:
    text = "\ufeff---\n" + SMALL.replace("{tcp: [22, 80, 443]}", "\n  tcp:\n  - 22 # ssh\n  - '80'\n  - 443\n")
    assert loaded(text.replace("\n", "\r\n")).scan == loaded(SMALL).scan


def test_a_key_may_look_like_a_value() -> None:
    assert plain(read(b"on: 1\nno: 2\n22: 3\n010: 4\n", "x")) == {"on": 1, "no": 2, "22": 3, "010": 4}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads_and_fits_the_schema(path: Path) -> None:
    data = path.read_bytes()
    load(data, str(path))
    jsonschema.validate(plain(read(data, str(path))), json_schema(), jsonschema.Draft202012Validator)


def test_the_schema_is_one_and_explains_every_key() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(plain(read(PROMISED.encode(), "x")), schema, jsonschema.Draft202012Validator)
    sections: list[dict[str, Any]] = [schema, *schema["$defs"].values()]
    silent = [
        key
        for part in sections
        for key, value in part["properties"].items()
        if not value.keys() & {"description", "$ref"}
    ]
    assert silent == []
    assert "null" not in str(schema)


@pytest.mark.parametrize(
    "old, new",
    [
        ("version: 1", "version: 2"),
        ("name: t", "name: a b"),
        ("  web:", "  the web:"),
        ("198.18.1.10", "[]"),
        ("198.18.1.10", "a b"),
        ("198.18.1.10", "198"),
        ("tcp: [22", "tpc: [22"),
        ("[22", "[0"),
        ("[22", "[65536"),
        ("[22", "['~'"),
        ("443]", "443], rate: 0"),
        ("443]", "443], attempts: 21"),
        ("443]", "443], timeout: 1 parsec"),
        ("443]", "443], handshake: 1"),
        ("scan: {", "scant: {"),
        ("scan:", "scope: web.example\nscan:"),
        ("scan:", "results: {formats: xml}\nscan:"),
        ("scan:", "lab:\nscan:"),
        ("scan:", "expect: [{to: web, tcp: 22}]\nscan:"),
        ("scan:", "expect: [{to: web, tcp: 22, is: opne}]\nscan:"),
        ("scan:", "expect: [{to: web, tcp: 22, is: open, on: 22}]\nscan:"),
        ("scan:", "expect: [{to: web, service: SSH, on: 22}]\nscan:"),
        ("scan:", "expect: [{tcp: 22, is: open}]\nscan:"),
    ],
)
def test_editor_and_validator_refuse_the_same(old: str, new: str) -> None:
    data = SMALL.replace(old, new).encode()
    with pytest.raises(ProfileError):
        load(data, "x")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain(read(data, "x")), json_schema(), jsonschema.Draft202012Validator)


CONTRACT = """\
version: 1
name: t
targets: {web: 198.18.1.10, db: 198.18.2.20}
scan: {tcp: [22, 80, 8443]}
expect:
  - {to: db, tcp: rest, is: dropped, must: stay}
  - baseline: last
    change:
      - {to: web, tcp: 8443, from: dropped, is: open}
      - {to: [web, db], tcp: [22, 80], from: [open, closed], is: rejected}
    otherwise: unchanged
  - {baseline: before.jsonl, change: {to: web, tcp: 22, from: open, is: dropped}}
"""


def test_a_change_contract() -> None:
    lines = load(CONTRACT.replace("  - {baseline: b", "#").encode(), "p.yaml").expectations
    everything = frozenset({22, 80, 8443})
    assert lines == (
        Expectation(1, 6, 5, "db", everything - {22, 80}, True, ("dropped",), stay=True),
        Expectation(2, 7, 5, "web", everything, words=("unchanged",), baseline="last"),
        Expectation(2, 7, 5, "db", everything, words=("unchanged",), baseline="last"),
        Expectation(2, 9, 9, "web", frozenset({8443}), False, ("open",), baseline="last", was=("dropped",)),
        Expectation(
            2, 10, 9, "web", frozenset({22, 80}), False, ("rejected",), baseline="last", was=("open", "closed")
        ),
        Expectation(2, 10, 9, "db", frozenset({22, 80}), False, ("rejected",), baseline="last", was=("open", "closed")),
    )


def test_a_change_without_a_rest() -> None:
    source = CONTRACT[: CONTRACT.index("  - baseline")] + CONTRACT[CONTRACT.index("  - {baseline") :]
    assert load(source.encode(), "p.yaml").expectations[1:] == (
        Expectation(2, 7, 38, "web", frozenset({22}), False, ("dropped",), baseline="before.jsonl", was=("open",)),
    )


def test_the_schema_takes_contracts_too() -> None:
    jsonschema.validate(plain(read(CONTRACT.encode(), "p.yaml")), json_schema())
