"""The corridor leaves the same behind whether a scanner tells its verdicts many at once or one by one."""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncIterator, Iterable
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import probe.run as corridor
from probe.core.assess import Circumstances
from probe.judge import stretches
from probe.model import AddressRange, Expectation, OutputSpec, Profile, ScanOptions, Target, Verdict
from probe.net.orders import Orders
from probe.profile import Resolution
from probe.report.journal import JournalSink, read_journal
from probe.report.progress import Progress
from probe.report.reports import Reports
from probe.run import Job
from tests.core.made_scans import HOSTS, SCANS, Made, made
from tests.report import report_world as world

EACH = [ip_address(host) for host in HOSTS]
TARGETS = tuple(
    Target(f"net {n}", tuple(AddressRange(one.version, int(one), int(one)) for one in EACH[2 * n : 2 * n + 2]))
    for n in range(3)
)
JOB = Job(Profile("p", "p.yaml", ScanOptions(tcp=tuple(range(20, 90)), seed=7)), Resolution(TARGETS, ()))


class Wire:
    """A scanner of a scan that never was."""

    name = "raw"

    def __init__(self, of: Made, *, at_once: bool) -> None:
        self.of, self.at_once = of, at_once

    def close(self) -> None:
        """Nothing is open."""

    async def verdicts(self, _orders: Orders) -> AsyncIterator[Iterable[Verdict]]:
        for sweep in self.of.assessment().sweeps():
            yield sweep if self.at_once else list(sweep)


def lines(of: Made, job: Job, folder: Path, *, at_once: bool) -> list[str]:
    """All but the head, and but how long it took."""
    path = folder / f"{at_once}.jsonl"
    with pytest.MonkeyPatch.context() as patch, Reports.open([OutputSpec("jsonl", str(path))]) as reports:
        patch.setattr(corridor, "open_scanner", lambda *_options: (Wire(of, at_once=at_once), ()))
        corridor.run(job, reports, Progress(io.StringIO()))
    *told, end = path.read_text().splitlines()[1:]
    return [*told, end.partition('"duration_s"')[0]]


@st.composite
def expectations(draw: st.DrawFn) -> tuple[Expectation, ...]:
    def one(number: int) -> Expectation:
        target = f"net {draw(st.integers(0, 2))}"
        if draw(st.booleans()):
            return Expectation(number, number, 1, target, service="http", home=draw(st.integers(20, 90)))
        ports = draw(st.frozensets(st.integers(20, 90), min_size=1, max_size=8))
        return Expectation(number, number, 1, target, ports, words=("closed",))

    return tuple(one(number) for number in range(1, draw(st.integers(0, 4)) + 1))


@given(SCANS, expectations(), st.sampled_from([1, 32]))
@settings(max_examples=60)
def test_with_any_expectations(of: Made, expected: tuple[Expectation, ...], short: int) -> None:
    job = replace(JOB, profile=replace(JOB.profile, expectations=expected))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "SHORT", short)
        told = lines(of, job, Path(folder), at_once=True)
        assert told == lines(of, job, Path(folder), at_once=False)


@given(SCANS, st.sampled_from(["http", "ssh"]))
@settings(max_examples=20)
def test_when_a_service_is_looked_for(of: Made, service: str) -> None:
    wanted = tuple(Expectation(n + 1, 1, 1, f"net {n}", service=service) for n in range(3))
    job = replace(JOB, profile=replace(JOB.profile, expectations=wanted))
    with tempfile.TemporaryDirectory() as folder:
        told = lines(of, job, Path(folder), at_once=True)
        assert told == lines(of, job, Path(folder), at_once=False)


@given(SCANS, st.floats(0, 0.1), st.integers(0, 99))
@settings(max_examples=20)
def test_when_some_of_it_was_decided_before(of: Made, share: float, seed: int) -> None:
    decided = [one for sweep in of.assessment().sweeps() for one in sweep]
    before = np.flatnonzero(np.random.default_rng(seed).random(len(decided)) < share).tolist()
    with tempfile.TemporaryDirectory() as folder:
        sink = JournalSink(f"{folder}/j", "mark")
        sink.start(world.RUN)
        for place in before:
            sink.port(decided[place])
        sink.abandon(keep=True)
        job = replace(JOB, resumed=read_journal(f"{folder}/j"))
        told = lines(of, job, Path(folder), at_once=True)
        assert told == lines(of, job, Path(folder), at_once=False)


def test_only_what_is_looked_at_is_told_in_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    of, calls = made(1, 2, 70), list[int]()
    of.circumstances = Circumstances()
    expected = Expectation(1, 1, 1, "net 0", frozenset({60}), words=("closed",))
    monkeypatch.setattr(Reports, "port", lambda _self, _verdict: calls.append(1))
    monkeypatch.setattr(Reports, "ports", lambda _self, sweep: calls.append(len(sweep)))
    lines(of, replace(JOB, profile=replace(JOB.profile, expectations=(expected,))), tmp_path, at_once=True)
    assert calls == [40, 1, 69, *[1] * 30]  # 20-59, 60, 61-89 and 20-59, 60, too few to be worth it
