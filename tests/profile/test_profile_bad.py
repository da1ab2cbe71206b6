"""Profiles with one mistake each: where it is reported, to the column, and in which words."""

from __future__ import annotations

import ipaddress

import pytest

from probe.errors import ProfileError
from probe.model import Address
from probe.profile import load, resolve

HEAD = """\
version: 1
name: t
targets:
  web: 198.18.1.10
  db: "fd18::1"
scan: {tcp: [22, 80, 443]}
"""
NAMES: dict[str, list[str]] = {
    "inside.example": ["198.18.1.10"],
    "outside.example": ["198.18.1.99"],
    "sink.example": ["0.0.0.0"],
    "empty.example": [],
}


def lookup(name: str) -> list[Address]:
    if name not in NAMES:
        raise OSError(-2, "Name or service not known")
    return [ipaddress.ip_address(text) for text in NAMES[name]]


def target(text: str) -> str:
    """The profile with another target in line 4, column 8."""
    return HEAD.replace("198.18.1.10", text)


def scan(text: str) -> str:
    """The profile with another scan section; its content starts in line 6, column 8."""
    return HEAD.replace("tcp: [22, 80, 443]", text)


def plus(text: str) -> str:
    """The profile with more behind it, from line 7."""
    return HEAD + text + "\n"


def line(text: str) -> str:
    """The profile with one line of expectations: line 8, column 5."""
    return plus(f"expect:\n  - {text}")


DEEP = "[" * 2000 + "]" * 2000
BAD: list[tuple[str | bytes, str, str]] = [
    # The file as such.
    (b"", "1:1", "the file is empty"),
    (b"# nothing but a comment\n", "1:1", "the file is empty"),
    (b"---\n...\n", "1:1", "the file is empty"),
    (b"\x7fELF\x02\x00\x00", "1:6", "a binary file"),
    (b"\xff\xfev\x00", "1:1", "UTF-16"),
    (b"version: 1\nname: \xe4\n", "2:7", "byte 0xe4 is not UTF-8"),
    (b"#" * ((1 << 20) + 1), "1:1", "more than 1,048,576"),
    ("- version: 1\n", "1:1", "expected 'key: value' lines"),
    ("version\n", "1:1", "expected 'key: value' lines"),
    (HEAD.replace("  web", "\tweb"), "4:1", "a tab character (use spaces"),
    (plus("# a\x07b"), "7:4", "control character U+0007"),
    (plus("# a\u202eb"), "7:4", "invisible character U+202E"),
    (plus("# a\u200bb"), "7:4", "invisible character U+200B"),
    (plus("# a\u2028b"), "7:4", "invisible character U+2028"),
    (plus("# a\x85b"), "7:4", "control character U+0085"),
    # YAML that is none, or too much of it.
    (plus("vantage: [a"), "8:1", "the closing ']' is missing"),
    (plus("vantage: 'a"), "8:1", "not closed"),
    (plus("vantage: a: b"), "7:11", "a ':' in the wrong place"),
    (plus("vantage"), "8:1", "this line is no 'key: value'"),
    (plus("  lab: x"), "7:3", "the indentation does not fit"),
    (plus("vantage: @a"), "7:10", "cannot start a value"),
    (plus('vantage: "\\q"'), "7:12", "an escape that YAML does not know"),
    (plus('vantage: "\\UFFFFFFFF"'), "1:1", "an escape or a number in it has no meaning"),
    (plus('vantage: "\\uD800"'), "7:10", "U+D800"),
    (plus('vantage: "\\0"'), "7:10", "U+0000"),
    (plus(f"vantage: {DEEP}"), "7:41", "nested deeper than 32"),
    (plus("vantage: &a x"), "7:10", "YAML anchors are not allowed"),
    (plus("vantage: *a"), "7:10", "YAML aliases are not allowed"),
    (plus("*a : x"), "7:1", "YAML aliases are not allowed"),
    (plus("<<: {lab: x}"), "7:1", "YAML merge keys are not allowed"),
    (plus("vantage: !!str x"), "7:10", "YAML tags are not allowed"),
    (plus("vantage: !!python/object/apply:os.getcwd []"), "7:10", "YAML tags are not allowed"),
    (plus("---\nname: u"), "7:1", "a second document"),
    ("%YAML 1.1\n---\n" + HEAD, "1:1", "'%' directive"),
    (plus("[a]: x"), "7:1", "a key must be a word"),
    (plus("name: u"), "7:1", "the key 'name' is given twice (first in line 2, column 1)"),
    (line("{to: web, tcp: 22, is: open, tcp: 80}"), "8:34", "the key 'tcp' is given twice (first in line 8"),
    # YAML 1.1's surprises.
    (scan("tcp: 22:22"), "6:13", "22:22 is a base-60 number"),
    (scan("tcp: [22, 22:22]"), "6:18", "22:22 is a base-60 number"),
    (target("1:2:3:4:5:6:7:8"), "4:8", "put it in quotes"),
    (scan("tcp: 010"), "6:13", "write 10, or 8 if octal was meant"),
    (scan("tcp: 089"), "6:13", "write 89"),
    (scan("tcp: 0x1F"), "6:13", "write 31"),
    (scan("tcp: 0o17"), "6:13", "write 15"),
    (scan("tcp: 1_000"), "6:13", "write 1000"),
    (scan("tcp: +22"), "6:13", "write 22"),
    (scan("rate: .inf"), "6:14", "no number"),
    (scan("rate: 1e3"), "6:14", "read as a number by some YAML readers"),
    (scan("rate: 99999999999999999999"), "6:14", "too long for a number"),
    (scan("handshake: no"), "6:19", "no is a boolean in YAML 1.1: write false"),
    (scan("handshake: On"), "6:19", "write true"),
    (scan("locate: yes"), "6:16", "write true"),
    (scan("locate: 2"), "6:16", "'locate' must be true or false"),
    (scan("handshake: TRUE"), "6:19", "write true"),
    (plus("vantage: off"), "7:10", "off is a boolean"),
    (plus("vantage: ~"), "7:10", "means 'nothing'"),
    (plus("vantage: 2024-01-02"), "7:10", "is a date"),
    (plus("vantage:"), "7:1", "'vantage' has no value"),
    (plus("vantage: null"), "7:10", "'vantage' has no value"),
    (target("[198.18.1.10, ]\n  x: [null]"), "5:7", "'x' has no value"),
    # Keys and types.
    ("name: t\ntargets: {a: 198.18.1.1}\nscan: {}\n", "1:1", "the key 'version' is missing"),
    ("version: 1\nname: t\ntargets: {a: 198.18.1.1}\n", "1:1", "the key 'scan' is missing"),
    (HEAD.replace("version: 1", "version: 2"), "1:10", "'version' must be 1, not the number 2"),
    (HEAD.replace("version: 1", "version: '1'"), "1:10", "'version' must be 1, not the text '1'"),
    (HEAD.replace("version: 1", "version: true"), "1:10", "'version' must be 1, not true"),
    (HEAD.replace("name: t", "name: 2024"), "2:7", "a name must be text"),
    (HEAD.replace("name: t", "name: ../../etc"), "2:7", "is no name"),
    (HEAD.replace("name: t", "name: .hidden"), "2:7", "is no name"),
    (HEAD.replace("name: t", f"name: {'x' * 65}"), "2:7", "is no name"),
    (plus("excludes: 198.18.1.1"), "7:1", "unknown key 'excludes' (did you mean 'exclude'?)"),
    (scan("tpc: 22"), "6:8", "unknown key 'tpc' (did you mean 'tcp'?)"),
    (line("{to: web, tcp: 22, ist: open, is: open}"), "8:24", "unknown key 'ist' (did you mean 'is'?)"),
    (plus("results: {format: csv}"), "7:11", "unknown key 'format' (did you mean 'formats'?)"),
    (plus("results: {formats: [csv, xml]}"), "7:26", "unknown format 'xml'"),
    (plus("results: {formats: []}"), "7:20", "the list is empty"),
    (plus("results: results"), "7:10", "'results' must be 'key: value' lines"),
    (plus("expect: {to: web, tcp: 22, is: open}"), "7:9", "'expect' must be a list"),
    (plus("lab: 7"), "7:6", "expected a path, not the number 7"),
    # Numbers of the scan.
    (scan("rate: 0"), "6:14", "'rate' must be more than 0"),
    (scan("rate: -5"), "6:14", "'rate' must be more than 0"),
    (scan("rate: 10000001"), "6:14", "'rate' must be at most 10,000,000"),
    (scan("rate: fast"), "6:14", "'rate' must be a number, not the text 'fast'"),
    (scan("rate: '5000'"), "6:14", "'rate' must be a number"),
    (scan("rate: true"), "6:14", "'rate' must be a number, not true"),
    (scan("attempts: 0"), "6:18", "'attempts' must be at least 1"),
    (scan("attempts: 21"), "6:18", "'attempts' must be at most 20"),
    (scan("attempts: 1.5"), "6:18", "'attempts' must be a whole number"),
    (scan("timeout: 1 parsec"), "6:17", "'1 parsec' is no duration (write seconds"),
    (scan("timeout: 9ms"), "6:17", "out of range (10ms to 60s)"),
    (scan("timeout: 61"), "6:17", "out of range (10ms to 60s)"),
    (scan("timeout: -1"), "6:17", "out of range"),
    (scan("seed: -1"), "6:14", "'seed' must be at least 0"),
    (scan("handshake: 1"), "6:19", "'handshake' must be true or false"),
    # Ports.
    (scan("tcp: 0"), "6:13", "port 0 is out of range (ports are 1 to 65535)"),
    (scan("tcp: [22, 65536]"), "6:18", "port 65536 is out of range"),
    (scan("tcp: -1"), "6:13", "no port range"),
    (scan("tcp: 1.5"), "6:13", "expected a port, not the number 1.5"),
    (scan("tcp: 80-22"), "6:13", "reversed (did you mean 22-80?)"),
    (scan("tcp: 22-"), "6:13", "write both ends"),
    (scan("tcp: '022'"), "6:13", "has a leading zero (write 22)"),
    (scan("tcp: '22,,80'"), "6:13", "a port is missing"),
    (scan("tcp: ''"), "6:13", "a port is missing"),
    (scan("tcp: '22:80'"), "6:13", "'22-80'"),
    (scan("tcp: ２２"), "6:13", "only the digits 0-9"),
    (scan("tcp: htps"), "6:13", "no port is called 'htps' (did you mean 'https'?)"),
    (scan("tcp: rest"), "6:13", "'rest' belongs to 'expect'"),
    (scan("tcp: []"), "6:13", "the list is empty"),
    (scan("tcp: [[22]]"), "6:14", "expected a port, not a list"),
    # Targets.
    (target("198.18.1.300"), "4:8", "300 is more than 255"),
    (target("127.1"), "4:8", "did you mean 127.0.0.1?"),
    (target("0x7f.1"), "4:8", "did you mean 127.0.0.1?"),
    (target("2130706433"), "4:8", "is no IPv4 address"),
    (target("198.018.1.10"), "4:8", "leading zero"),
    (target("198.18.1.１"), "4:8", "characters beyond ASCII"),
    (target("wéb.example"), "4:8", "characters beyond ASCII"),
    (target("fe80::1%eth0"), "4:8", "zone id"),
    (target("198.18.1.0/33"), "4:8", "the prefix length /33 is too long (IPv4 has /0 to /32)"),
    (target('"fd18::/129"'), "4:8", "(IPv6 has /0 to /128)"),
    (target("198.18.1.0/255.255.255.0"), "4:8", "no prefix length"),
    (target("198.18.1.10/24"), "4:8", "did you mean the network 198.18.1.0/24, or the host 198.18.1.10?"),
    (target("0.0.0.0/0"), "4:8", "every address there is"),
    (target('"::/0"'), "4:8", "every address there is"),
    (target("[198.18.1.1, 198.18.1.20-10]"), "4:21", "reversed"),
    (target('"fd18::1-20"'), "4:8", "needs a whole IPv6 address"),
    (target('"198.18.1.1-fd18::1"'), "4:8", "begins in IPv4 and ends in IPv6"),
    (target('"fd18:::1"'), "4:8", "no IPv6 address"),
    (target('"::ffff:198.18.1.1"'), "4:8", "IPv4-mapped"),
    (target("198.18.1.10:80"), "4:8", "has a port (write 198.18.1.10"),
    (target('"[fd18::1]"'), "4:8", "brackets"),
    (target("http://web.example"), "4:8", "is a URL"),
    (target("198.18.1.*"), "4:8", "wildcard"),
    (target("a b"), "4:8", "more than one address"),
    (target("-web.example"), "4:8", "no address and no host name"),
    (target("224.0.0.1"), "4:8", "multicast"),
    (target('"ff02::1"'), "4:8", "multicast"),
    (target("255.255.255.255"), "4:8", "broadcast"),
    (target("0.0.0.0"), "4:8", "this network"),
    (target('"::"'), "4:8", "unspecified"),
    (target("128.0.0.0/1"), "4:8", "multicast"),
    (target("[]"), "4:8", "the list is empty"),
    (target("{a: b}"), "4:8", "expected an address or a host name"),
    (HEAD.replace("web:", "the web:"), "4:3", "'the web' is no name"),
    ("version: 1\nname: t\ntargets: {}\nscan: {}\n", "3:10", "'targets' is empty"),
    (plus("scope: web.example"), "7:8", "scope takes addresses"),
    (plus("scope: 0.0.0.0/0"), "7:8", "every address there is"),
    (plus("exclude: 198.18.1.1/24"), "7:10", "host bits"),
    # Expectations.
    (line("{to: wbe, tcp: 22, is: open}"), "8:10", "no target is called 'wbe' (did you mean 'web'?)"),
    (line("{to: [web, web], tcp: 22, is: open}"), "8:16", "named twice"),
    (line("{to: web, tcp: 8080, is: open}"), "8:20", "port 8080 is not scanned"),
    (line("{to: web, tcp: [22, 79-81], is: open}"), "8:25", "ports 79,81 are not scanned"),
    (line("{to: web, tcp: 22}"), "8:5", "the key 'is' is missing"),
    (line("{to: web, is: open}"), "8:5", "the key 'tcp' is missing"),
    (line("{tcp: 22, is: open}"), "8:5", "the key 'to' is missing"),
    (line("{to: web}"), "8:5", "nothing is expected here"),
    (line("{to: web, service: ssh}"), "8:5", "the key 'on' is missing"),
    (line("{to: web, on: 22}"), "8:5", "the key 'service' is missing"),
    (line("{to: web, service: ssh, on: 22, is: open}"), "8:5", "'is' and 'service' in one line"),
    (line("{to: web, service: ssh, on: 22-23}"), "8:33", "2 ports"),
    (line("{to: web, service: SSH, on: 22}"), "8:24", "did you mean 'ssh'?"),
    (line("{to: web, service: https, on: 443}"), "8:24", "did you mean 'http'?"),
    (line("{to: web, service: sssh, on: 22}"), "8:24", "did you mean 'ssh'?"),
    (line("{to: web, service: gopher, on: 70}"), "8:24", "no service that probe recognises is called 'gopher'"),
    (line("{to: web, service: tls, on: 443}"), "8:24", "a layer, not a service"),
    (line("{to: web, tcp: 22, is: opne}"), "8:28", "unknown word 'opne' (did you mean 'open'?)"),
    (line("{to: web, tcp: 22, is: [open, shut]}"), "8:35", "unknown word 'shut'"),
    (line("{to: web, tcp: 22, is: []}"), "8:28", "the list is empty"),
    (line("{to: web, tcp: 22, is: no}"), "8:28", "a boolean in YAML 1.1"),
    (line("{to: web, tcp: [22, rest], is: open}"), "8:5", "'rest' stands alone"),
    (line("open"), "8:5", "each item of 'expect' must be 'key: value' lines"),
    (
        line("{to: web, tcp: rest, is: open}\n  - {to: web, tcp: rest, is: open}"),
        "9:20",
        "'rest' of 'web' is given twice (first in line 8)",
    ),
    (
        line("{to: web, tcp: [22, 80], is: open}\n  - {to: [db, web], tcp: 22, is: blocked}"),
        "9:5",
        "port 22 of 'web' must be blocked here (line 9) and open in line 8",
    ),
    (
        line("{to: web, service: ssh, on: 22}\n  - {to: web, tcp: 22, is: dropped}"),
        "9:5",
        "port 22 of 'web' must be dropped here (line 9) and home of ssh in line 8",
    ),
    # Change contracts.
    (
        line("{baseline: last}"),
        "8:5",
        "nothing is expected here (write 'baseline' with 'change', 'otherwise', or both)",
    ),
    (line("{otherwise: unchanged}"), "8:5", "the key 'baseline' is missing"),
    (line("{baseline: last, otherwise: same}"), "8:33", "unknown word 'same' (it can only be 'unchanged')"),
    (line("{baseline: last, tcp: 22, is: open}"), "8:5", "'baseline' and 'tcp' in one line"),
    (line("{to: web, baseline: last, otherwise: unchanged}"), "8:5", "'baseline' and 'to' in one line"),
    (line("{baseline: 7, otherwise: unchanged}"), "8:16", "expected a run (such as last) or a jsonl file"),
    (line("{baseline: last, change: [{to: web, tcp: 22, is: open}]}"), "8:31", "the key 'from' is missing"),
    (
        line("{baseline: last, change: {to: www, tcp: 22, from: dropped, is: open}}"),
        "8:35",
        "no target is called 'www'",
    ),
    (line("{baseline: last, change: {to: web, tcp: 23, from: dropped, is: open}}"), "8:45", "port 23 is not scanned"),
    (line("{baseline: last, change: {to: web, tcp: rest, from: dropped, is: open}}"), "8:45", "'rest' belongs to"),
    (line("{baseline: last, change: {to: web, tcp: 22, from: shut, is: open}}"), "8:55", "unknown word 'shut'"),
    (
        line(
            "{to: web, tcp: 22, is: dropped}\n  - {baseline: last, change: {to: web, tcp: 22, from: dropped, is: open}}"
        ),
        "9:30",
        "port 22 of 'web' must be open here (line 9) and dropped in line 8",
    ),
    (line("{to: web, tcp: 22, is: open, must: go}"), "8:40", "unknown word 'go' (it can only be 'stay')"),
    (line("{to: web, service: ssh, on: 22, must: stay}"), "8:5", "'must' belongs to a line with 'tcp' and 'is'"),
    # What shows once names are looked up.
    (target("nowhere.example"), "4:8", "'nowhere.example' does not resolve (Name or service not known)"),
    (target("[198.18.1.10, empty.example]"), "4:22", "'empty.example' does not resolve (no address)"),
    (target("outside.example"), "4:8", "'outside.example' resolves to 198.18.1.99, which no target holds"),
    (target("sink.example"), "4:8", "resolves to 0.0.0.0, which cannot be scanned"),
    (plus("exclude: nowhere.example"), "7:10", "does not resolve"),
    (plus("exclude: inside.example"), "4:3", "nothing is left of target 'web'"),
    (plus("exclude: 198.18.0.0/15"), "4:3", "nothing is left of target 'web'"),
    (plus('scope: [198.18.1.0/24, "fd19::1/16"]'), "7:24", "host bits"),
    (plus("scope: 198.18.1.0/24"), "5:7", "'fd18::1' is out of scope: fd18::1 is not in 'scope'"),
    (
        target('outside.example\nscope: [198.18.1.0/26, "fd18::/16"]').replace('  db: "fd18::1"\n', ""),
        "4:8",
        "of scope",
    ),
    (
        target("198.18.0.0/15").replace("]", "], max_probes: 1000000"),
        "6:7",
        "plan too large: 131,073 addresses × 3 ports × 3 attempts = 1,179,657",
    ),
]


def name_of(case: object) -> str | None:
    return case[:50] if isinstance(case, str) and "\n" not in case else "profile"


@pytest.mark.parametrize("source, place, words", BAD, ids=name_of)
def test_one_mistake_is_reported_where_it_is(source: str | bytes, place: str, words: str) -> None:
    data = source if isinstance(source, bytes) else source.encode("utf-8")
    with pytest.raises(ProfileError) as caught:
        resolve(load(data, "p.yaml"), lookup)
    said = [str(problem) for problem in caught.value.problems]
    assert any(text.startswith(f"p.yaml:{place}: ") and words in text for text in said), said


def test_the_table_is_as_long_as_promised() -> None:
    assert len(BAD) >= 60


ONLY_ONE = [case for case in BAD if isinstance(case[0], str) and case[0].startswith(HEAD[:20])]


@pytest.mark.parametrize("source, place, words", ONLY_ONE, ids=name_of)
def test_a_mistake_does_not_drag_others_behind_it(source: str, place: str, words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        resolve(load(source.encode("utf-8"), "p.yaml"), lookup)
    assert len(caught.value.problems) == 1, [str(problem) for problem in caught.value.problems]


def test_all_mistakes_are_reported_at_once_and_in_order() -> None:
    text = """\
version: 1
name: .t
targets:
  web: 127.1
  db: [198.18.1.300, "fd18::1"]
scan:
  tcp: [22, 010, 70000]
  rate: 0
  tpc: 80
  tpc: 81
expect:
  - {to: wbe, tcp: 22, is: opn}
  - {to: web, tcp: 22, is: open}
  - {to: web, tcp: 22, is: no}
"""
    with pytest.raises(ProfileError) as caught:
        load(text.encode(), "p")
    places = [f"{problem.line}:{problem.column}" for problem in caught.value.problems]
    assert places == ["2:7", "4:8", "5:8", "7:13", "7:18", "8:9", "9:3", "10:3", "12:10", "12:28", "14:28"]
    assert str(caught.value).count("\n") == len(places) - 1
