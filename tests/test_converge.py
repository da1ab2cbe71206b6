"""Rounds until it holds: with a clock and a network of our own, and once on loopback."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.cli import main
from probe.converge import converge
from probe.judge import judge_port
from probe.model import OutputSpec, Profile, ScanOptions, State, Summary, Verdict
from probe.profile import Resolution
from probe.report.progress import Progress
from probe.report.reports import Reports
from probe.run import Job
from tests.judge.judge_world import closed, expects, opened
from tests.report.report_world import RUN

JOB = Job(Profile("p", "p.yaml", ScanOptions()), Resolution((), ()))


class Network:
    """Answers each round with the next verdict; a round takes a second."""

    def __init__(self, answers: list[Verdict], interrupt: int | None = None) -> None:
        self.answers, self.now, self.rounds, self.interrupt = answers, 0.0, 0, interrupt

    def clock(self) -> float:
        return self.now

    def run(self, job: Job, reports: Reports, progress: Progress) -> int:
        verdict = self.answers[min(self.rounds, len(self.answers) - 1)]
        self.rounds += 1
        self.now += 1
        finding = judge_port(expects("open"), verdict)
        reason = "SIGINT" if self.rounds == self.interrupt else None
        reports.start(RUN)
        reports.port(verdict)
        reports.finding(finding)
        counts = dict.fromkeys(State, 0) | {verdict.state: 1}
        reports.finish(Summary(not reason, 0, counts, 1, 1, 0, 1.0, reason, {finding.outcome: 1}))
        return 130 if reason else 0


def rounds(
    answers: list[Verdict], tmp_path: Path, *, within_s: float = 10, interrupt: int | None = None
) -> tuple[int, Network, dict[str, object]]:
    network = Network(answers, interrupt)
    path = tmp_path / "r.jsonl"
    course = {"within_s": within_s, "stable": 3, "runner": network.run, "clock": network.clock}
    with Reports.open([OutputSpec("jsonl", str(path))]) as reports:
        code = converge(JOB, reports, Progress(io.StringIO()), **course)  # type: ignore[arg-type]
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["type"] for record in records] == ["run", "port", "finding", "summary"]
    return code, network, records[-1]


def test_it_ends_when_everything_held_often_enough(tmp_path: Path) -> None:
    code, network, end = rounds([closed(22), opened(22), closed(22), opened(22)], tmp_path)
    assert (code, network.rounds) == (0, 6)
    assert (end["exit_code"], end["rounds"], end["held"], end["held_since_s"]) == (0, 6, 3, 4.0)


def test_it_ends_when_time_is_up(tmp_path: Path) -> None:
    code, network, end = rounds([closed(22)], tmp_path, within_s=5)
    assert (code, network.rounds) == (1, 5)
    assert "held_since_s" not in end
    code, network, end = rounds([closed(22)] * 4 + [opened(22)], tmp_path, within_s=5)
    assert (code, end["held"]) == (3, 1)


def test_it_ends_when_somebody_wants_it_to(tmp_path: Path) -> None:
    code, network, end = rounds([closed(22)], tmp_path, interrupt=2)
    assert (code, network.rounds, end["interrupted"]) == (130, 2, "SIGINT")


@pytest.fixture
def late_port() -> Iterator[tuple[int, int]]:
    """A port that is closed at first and opens after the first scan has asked for it."""
    with socket.socket() as bell, socket.socket() as door:
        bell.bind(("127.0.0.1", 0))
        bell.listen()
        door.bind(("127.0.0.1", 0))

        def wait() -> None:
            with bell.accept()[0]:
                door.listen()

        waiter = threading.Thread(target=wait)
        waiter.start()
        yield door.getsockname()[1], bell.getsockname()[1]
        waiter.join(10)


def test_a_port_that_opens_late(late_port: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    door, bell = late_port
    profile = tmp_path / "p.yaml"
    profile.write_text(
        f"version: 1\nname: late\ntargets: {{me: 127.0.0.1}}\nscan: {{tcp: [{door}, {bell}], handshake: false}}\n"
        f"expect:\n  - {{to: me, tcp: {door}, is: open}}\n"
    )
    code = main(["run", str(profile), "--wire", "connect", "--no-progress", "--until", "20s", "--stable", "2"])
    out, err = capsys.readouterr()
    assert code == 0
    assert "1 met, 0 violated, 0 unknown · held 2 of 2 in a row" in err
    assert "held 2 times in a row since " in " ".join(out.split())


@pytest.mark.parametrize("text", ["60", "-1s", "1 parsec", "٣s"])
def test_bad_durations(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "x.yaml", "--until", text]) == 2
    assert "--until" in capsys.readouterr().err
