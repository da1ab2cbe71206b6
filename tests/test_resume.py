"""Killed and resumed: at any moment, as often as you like, a run ends with the records of the undisturbed one."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import probe.run as corridor
from probe.cli import main
from probe.model import (
    AddressRange,
    Expectation,
    OutputSpec,
    Profile,
    ScanOptions,
    Target,
    Verdict,
)
from probe.net.orders import Orders
from probe.profile import Resolution
from probe.report.journal import JournalSink, read_journal
from probe.report.progress import Progress
from probe.report.reports import Reports
from probe.run import Job
from tests.report import report_world as world

FIRST = 0xC6120101  # 198.18.1.1
HOSTS, PORTS = 4, 25
TARGETS = (Target("net", (AddressRange(4, FIRST, FIRST + HOSTS - 1),)),)
EXPECTED = (
    Expectation(1, 1, 1, "net", frozenset(range(1, PORTS + 1)), words=("closed", "dropped")),
    Expectation(2, 2, 1, "net", service="ssh", home=22),
)
JOB = Job(Profile("p", "p.yaml", ScanOptions(tcp=tuple(range(1, PORTS + 1))), EXPECTED), Resolution(TARGETS, ()))


class KilledError(BaseException):
    """Stands in for SIGKILL: nobody catches it."""


class Wire:
    """A scanner that knows the network by heart, and dies after so many verdicts."""

    name = "raw"

    def __init__(self, dies_after: int | None = None) -> None:
        self.dies_after = dies_after
        self.asked: list[tuple[str, int]] = []

    def close(self) -> None:
        """Nothing is open."""

    async def verdicts(self, orders: Orders) -> AsyncIterator[list[Verdict]]:
        for key in orders.plan.keys():  # noqa: SIM118 - a plan is no mapping
            self.asked.append((str(key.address), key.port))
            if self.dies_after is not None and len(self.asked) > self.dies_after:
                raise KilledError
            yield [answer(str(key.address), key.port)]


def answer(address: str, port: int) -> Verdict:
    if port == 22:
        return world.listening("net", address, port, world.SSH)
    return world.refused("net", address, port) if port % 3 else world.dropped("net", address, port)


def attempt(folder: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch, *, resume: bool) -> bool:
    """One life of a run; whether it came to its end."""
    monkeypatch.setattr(corridor, "open_scanner", lambda *_options: (wire, ()))
    path = str(folder / "journal")
    resumed = read_journal(path) if resume else None
    job = replace(JOB, resumed=resumed)
    if resumed:
        job = replace(job, profile=replace(job.profile, scan=replace(job.profile.scan, seed=resumed.run.seed)))
    try:
        with Reports.open([OutputSpec("jsonl", str(folder / "r.jsonl"))]) as reports:
            reports.also(lambda: JournalSink(path, "mark", resumed))
            corridor.run(job, reports, Progress(io.StringIO()))
    except KilledError:
        return False
    return True


def records(folder: Path) -> list[str]:
    """What the undisturbed run has too: all but its id, its start, and what it counted and clocked."""
    kept = []
    for line in (folder / "r.jsonl").read_text().splitlines():
        record: dict[str, Any] = json.loads(line)
        for name in ("run_id", "started", "seed", "duration_s"):
            record.pop(name, None)
        kept.append(json.dumps(record, sort_keys=True))
    return sorted(kept)


def torn(journal: Path, cut: int) -> Counter[str] | None:
    """Take from the journal what may not have been written in full; how many ports of which host it has then."""
    if not journal.exists():  # killed before anything was decided
        return None
    head = journal.read_bytes().index(b"\n") + 1
    os.truncate(journal, max(head, journal.stat().st_size - cut))
    return Counter(str(key.address) for key in read_journal(str(journal)).verdicts)


def test_a_hundred_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert attempt(whole, Wire(), monkeypatch, resume=False)
    chance = random.Random(6)
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = attempt(folder, Wire(chance.randrange(HOSTS * PORTS)), monkeypatch, resume=False)
        while not done:
            before = torn(folder / "journal", chance.randrange(30))
            wire = Wire(None if chance.random() < 0.5 else chance.randrange(1 + HOSTS * PORTS))
            done = attempt(folder, wire, monkeypatch, resume=before is not None)
            assert not {host for host, ports in (before or {}).items() if ports == PORTS} & {
                host for host, _ in wire.asked
            }
        assert records(folder) == records(whole)
        assert not (folder / "journal").exists()


PROFILE = """\
version: 1
name: survivor
targets: {me: 127.0.0.1-8}
scan: {tcp: 1-60, rate: 600, handshake: false}
expect: [{to: me, tcp: rest, is: closed}]
"""


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "p.yaml").write_text(PROFILE)
    return tmp_path / "p.yaml"


# The connect scan decides in batches; small ones leave moments to be killed at.
PROBE = "import sys, probe.net.connect as connect; connect.BATCH = 24; from probe.cli import main; sys.exit(main())"


def arguments(profile: Path, *more: str) -> list[str]:
    return ["run", str(profile), "--wire", "connect", "-o", f"jsonl:{profile.parent / 'r.jsonl'}", *more]


def start(profile: Path, *more: str) -> subprocess.Popen[bytes]:
    """A run of its own process, of which something is in the journal that was not before."""
    journals = profile.parent / "state/probe/journals"
    size = sum(path.stat().st_size for path in journals.glob("*"))
    command = [sys.executable, "-c", PROBE, *arguments(profile, *more)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while sum(path.stat().st_size for path in journals.glob("*")) < size + 900 and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    return process


def test_a_process_that_is_killed(profile: Path) -> None:
    """For once with SIGKILL, on loopback: three lives, and every port is there once."""
    journals = profile.parent / "state/probe/journals"
    for _ in range(2):
        process = start(profile, "--resume")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    done = subprocess.run(
        [sys.executable, "-m", "probe", *arguments(profile, "--resume")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "probe: going on with run " in done.stderr
    found = [json.loads(line) for line in (profile.parent / "r.jsonl").read_text().splitlines()]
    ports = [(record["address"], record["port"]) for record in found if record["type"] == "port"]
    assert sorted(ports) == sorted((f"127.0.0.{host}", port) for host in range(1, 9) for port in range(1, 61))
    assert found[-1]["complete"]
    assert list(journals.glob("*")) == []


def test_an_interrupted_run_goes_on_with_the_same_id(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = start(profile)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    first = json.loads((profile.parent / "r.jsonl").read_text().splitlines()[0])["run_id"]

    profile.write_text(PROFILE.replace("1-60", "1-61"))
    assert main(arguments(profile, "--resume")) == 2
    assert f"has changed since run {first} was interrupted" in capsys.readouterr().err

    profile.write_text("# a word\n" + PROFILE)
    assert main(arguments(profile, "--resume", "--no-progress")) == 0
    assert json.loads((profile.parent / "r.jsonl").read_text().splitlines()[0])["run_id"] == first
    capsys.readouterr()
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.count("survivor") == 1


def test_there_is_nothing_to_resume(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile.write_text(PROFILE.replace("1-60", "1-2"))
    assert main(arguments(profile, "--resume", "--no-progress")) == 0
    assert "probe: there is no unfinished run of this profile; starting one" in capsys.readouterr().err
