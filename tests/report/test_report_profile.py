"""What was learned: a profile that is one, that is met by what it was learned from, and that people can read."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.judge import judge
from probe.judge.wording import printable
from probe.model import Address, Cause, Finding, Outcome, ScanOptions, State, Verdict
from probe.profile import load, resolve
from probe.profile.document import read
from probe.profile.nodes import plain
from probe.report.profile import ProfileSink, scalar
from tests.report import large_world as large
from tests.report import report_world as world
from tests.report.test_report_records import Memory


def learned(seen: Iterable[Verdict], options: ScanOptions | None = None, **changes: object) -> str:
    out = Memory()
    sink = ProfileSink(out, options)
    sink.start(replace(world.RUN, profile="scan"))
    for verdict in seen:
        sink.port(verdict)
    sink.finish(world.summary((), **changes))
    return out.text


def judged(text: str, seen: Iterable[Verdict]) -> list[Finding]:
    """The findings of these verdicts by the profile in `text`."""
    profile = load(text.encode(), "learned.yaml")
    targets = resolve(profile, _nobody).targets
    return list(judge(profile.expectations, targets, {one.key: one for one in seen}, profile.scan.tcp))


def _nobody(name: str) -> list[Address]:
    raise AssertionError(name)


def test_it_reads_like_one_that_a_person_wrote() -> None:
    seen = [
        *world.verdicts()[:100],
        *(replace(one, state=State.FILTERED, cause=Cause.DROPPED) for one in world.verdicts()[100:]),
    ]
    assert learned(seen).splitlines() == [
        "# Learned from a run of probe 0.1.0 at 2026-01-02T03:04:05Z.",
        "# This is what was there, not what should be: read it, and change it, before you rely on it.",
        "version: 1",
        "name: learned",
        "targets:",
        "  web: 198.18.1.10",
        '  mail: "fd18:1::11"',
        "scan:",
        "  tcp: 1-100",
        "expect:",
        "  - {to: web, is: open, tcp: [53, 80, 88, 99]}",
        "  - {to: web, is: closed, tcp: 22}",
        "  - {to: web, is: rejected, tcp: 25}",
        "  - {to: web, service: http, on: 80}",
        "  - {to: web, service: http, on: 99}",
        "  - {to: web, is: dropped, tcp: rest}",
        "  - {to: mail, is: dropped, tcp: rest}",
    ]


def test_what_nobody_can_expect_is_told_and_not_expected() -> None:
    lines = learned(world.verdicts()).splitlines()
    assert lines[-2:] == [
        "  - {to: mail, is: dropped, tcp: [1-96, 98-100]}",
        "  # mail: 1 port could not be decided, or not reached: 97",
    ]
    only = learned([world.not_sent("mail", world.MAIL, 97)])
    assert "expect" not in only
    assert load(only.encode(), "x").expectations == ()


def test_hosts_that_look_alike_are_one_target_and_others_are_not() -> None:
    lines = learned(large.verdicts()).splitlines()
    targets = lines[lines.index("targets:") + 1 : lines.index("scan:")]
    assert targets == [
        "  web: [198.18.0.10, 198.18.0.15, 198.18.0.20, 198.18.0.25]",
        "  mail: [198.18.1.11, 198.18.1.16, 198.18.1.21, 198.18.1.26]",
        "  db-1: [198.18.2.12, 198.18.2.22, 198.18.2.27]",
        "  db-2: 198.18.2.17",
        '  files: [198.18.3.13, 198.18.3.18, 198.18.3.23, "fd18:18::18"]',
        '  printer: [198.18.4.14, 198.18.4.19, 198.18.4.24, "fd18:19::19"]',
    ]
    assert all(len(line) <= 100 for line in lines)


def test_a_large_run_meets_what_was_learned_from_it() -> None:
    seen = list(large.verdicts())
    findings = judged(learned(seen), seen)
    assert {finding.outcome for finding in findings} == {Outcome.MET}
    assert len([finding for finding in findings if finding.key]) == len(seen) - 99


@pytest.mark.parametrize(
    "options, keys",
    [
        (ScanOptions(adaptive=True), []),
        (ScanOptions(), ["  timeout: 1"]),
        (ScanOptions(rate=300.5, attempts=2, timeout=0.25), ["  rate: 300.5", "  attempts: 2", "  timeout: 0.25"]),
        (ScanOptions(handshake=False, locate=True, adaptive=True), ["  handshake: false", "  locate: true"]),
        (ScanOptions(rate=20000.0, confidence=0.9999, adaptive=True), ["  rate: 20000", "  confidence: 0.9999"]),
    ],
)
def test_how_it_was_scanned_goes_with_it(options: ScanOptions, keys: list[str]) -> None:
    text = learned([world.dropped("web", world.WEB, 1)], options)
    lines = text.splitlines()
    assert lines[lines.index("  tcp: 1") + 1 : lines.index("expect:")] == keys
    scan = load(text.encode(), "x").scan
    for name in ("rate", "attempts", "timeout", "adaptive", "confidence", "handshake", "locate"):
        assert getattr(scan, name) == getattr(options, name)


def test_half_open_ports_need_no_handshake_next_time() -> None:
    seen = [replace(world.listening("web", world.WEB, 80), cause=Cause.HALF_OPEN)]
    assert load(learned(seen).encode(), "x").scan.handshake is False


def test_a_run_that_was_cut_short_says_so() -> None:
    assert "# The run was cut short (SIGINT)" in learned([], complete=False, interrupted="SIGINT")


NAMES = [
    "web",
    "no",
    "1e3",
    "10.10",
    "::1",
    "fd18::1",
    "198.18.1.0/24",
    "a b",
    "x" * 80,
    "…",
    "",
    "-",
    "22:22",
    "Web",
    "web-1",
]


def test_any_name_becomes_one_that_a_profile_takes() -> None:
    seen = [world.dropped(name, f"198.18.1.{number}", 1) for number, name in enumerate(NAMES)]
    text = learned(seen)
    assert {finding.outcome for finding in judged(text, seen)} == {Outcome.MET}
    assert len(load(text.encode(), "x").targets) == len(NAMES)


@pytest.mark.parametrize("name", ["tls", "https", "SSH", "}, is: open", "a\nb"])
def test_a_service_that_no_profile_could_name_is_only_open(name: str) -> None:
    seen = [world.listening("web", world.WEB, 80, world.spoke(name))]
    assert [finding.expectation.service for finding in judged(learned(seen), seen)] == [None]


@given(st.text(max_size=12))
def test_any_text_is_a_scalar(text: str) -> None:
    assert plain(read(f"key: {scalar(text)}\nother: [{scalar(text)}]\n".encode(), "x")) == {
        "key": printable(text),
        "other": [printable(text)],
    }


KINDS = st.sampled_from(
    ["listening", "refused", "rejected", "undetermined", "dropped", "prohibited", "unreachable", "not_sent"]
)
RUNS = st.dictionaries(
    st.tuples(st.sampled_from(["web", "db"]), st.integers(1, 4)),
    st.dictionaries(st.integers(1, 8), KINDS, min_size=1),
    min_size=1,
)


@given(RUNS)
def test_whatever_was_seen_meets_what_was_learned_from_it(run: dict[tuple[str, int], dict[int, str]]) -> None:
    seen = [
        _made(kind, target, f"198.18.{1 if target == 'web' else 2}.{host}", port)
        for (target, host), ports in run.items()
        for port, kind in ports.items()
    ]
    outcomes = [
        finding.outcome for finding in judged(learned(seen), seen) if finding.key is None or finding.verdict in seen
    ]
    assert set(outcomes) <= {Outcome.MET}


def _made(kind: str, target: str, address: str, port: int) -> Verdict:
    if kind == "listening":
        return world.listening(target, address, port, world.SSH if port % 2 else None)
    if kind in ("rejected", "undetermined"):
        return world.refused(target, address, port, Cause(kind))
    if kind == "unreachable":
        return replace(world.prohibited(target, address, port), cause=Cause.UNREACHABLE)
    made: Verdict = getattr(world, kind)(target, address, port)
    return made
