"""Several outputs at once: which ones, opened all or none, and one that fails does not take the others with it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from probe.errors import UsageError
from probe.model import OutputSpec, Results
from probe.report import FORMATS, files
from probe.report.reports import Reports, open_sink, outputs_of
from tests.report import report_world as world


def specs(folder: Path) -> list[OutputSpec]:
    return [OutputSpec(kind, str(folder / f"r{ending}")) for kind, ending in FORMATS.items()]


def tell(reports: Reports) -> None:
    seen = world.verdicts()
    reports.start(world.RUN)
    for verdict in seen:
        reports.port(verdict)
    for finding in world.findings(seen):
        reports.finding(finding)


def test_every_format_in_one_run(tmp_path: Path) -> None:
    with Reports.open(specs(tmp_path)) as reports:
        tell(reports)
        assert all(name.startswith(".") for name in os.listdir(tmp_path))
        reports.finish(world.summary())
    assert reports.problems == []
    assert sorted(os.listdir(tmp_path)) == sorted(f"r{ending}" for ending in FORMATS.values())
    assert all((tmp_path / name).stat().st_mode & 0o777 == 0o600 for name in os.listdir(tmp_path))
    assert all((tmp_path / name).stat().st_size for name in os.listdir(tmp_path))


def test_what_a_run_writes() -> None:
    results = Results("results", ("jsonl", "junit"))
    assert outputs_of("office-edge", results, [OutputSpec("csv", "x.csv")]) == (
        OutputSpec("jsonl", "results/office-edge.jsonl"),
        OutputSpec("junit", "results/office-edge.xml"),
        OutputSpec("csv", "x.csv"),
        OutputSpec("table", "-"),
    )


def test_nothing_else_goes_where_an_output_was_asked_for() -> None:
    asked = [OutputSpec("jsonl", "-")]
    assert outputs_of("p", None, asked) == (OutputSpec("jsonl", "-"),)


def test_a_profile_name_is_no_path() -> None:
    (spec, _) = outputs_of("../../etc/pass wd", Results("results", ("csv",)), [])
    assert spec.path == "results/_.._etc_pass_wd.csv"


@pytest.mark.parametrize(
    "asked,message",
    [
        ([OutputSpec("pdf", "x")], "unknown format 'pdf'; known: jsonl, csv, junit, table"),
        ([OutputSpec("csv", "-"), OutputSpec("jsonl", "-")], "same place"),
        ([OutputSpec("csv", "x"), OutputSpec("jsonl", "./x")], "same place"),
    ],
)
def test_outputs_that_cannot_be(asked: list[OutputSpec], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        outputs_of("p", None, asked)


def test_all_are_opened_or_none(tmp_path: Path) -> None:
    (tmp_path / "r.xml").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        Reports.open(specs(tmp_path))
    assert os.listdir(tmp_path) == ["r.xml"]


def test_the_folder_of_results_is_made(tmp_path: Path) -> None:
    results = Results(str(tmp_path / "new" / "results"), ("jsonl",))
    outputs = outputs_of("p", results, [OutputSpec("csv", str(tmp_path / "x.csv"))])
    with Reports.open(outputs[:2], results) as reports:
        tell(reports)
        reports.finish(world.summary())
    assert (tmp_path / "new" / "results" / "p.jsonl").exists()


def test_one_that_fails_is_dropped_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = files._create
    full = tmp_path / ".r.jsonl.partial"
    monkeypatch.setattr(files, "_create", lambda at: os.open("/dev/full", os.O_WRONLY) if at == full else create(at))
    with Reports.open(specs(tmp_path)) as reports:
        tell(reports)
        assert len(reports.problems) == 1
        reports.finish(world.summary(exit_code=3))
    (problem,) = reports.problems
    assert problem.exit_code == 3
    assert os.strerror(errno.ENOSPC) in str(problem)
    assert sorted(os.listdir(tmp_path)) == sorted(f"r{ending}" for kind, ending in FORMATS.items() if kind != "jsonl")


def test_a_run_that_dies_leaves_what_it_saw(tmp_path: Path) -> None:
    def die() -> None:
        with Reports.open([OutputSpec("jsonl", str(tmp_path / "r.jsonl"))]) as reports:
            tell(reports)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die()
    assert os.listdir(tmp_path) == [".r.jsonl.partial"]
    lines = (tmp_path / ".r.jsonl.partial").read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines][:2] == ["run", "port"]
    assert len(lines) == 402


def test_a_run_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    with Reports.open(specs(tmp_path)) as reports:
        reports.start(world.RUN)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_can_go_to_standard_output(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    sink = open_sink(OutputSpec(kind, "-"))
    sink.start(world.RUN)
    sink.port(world.dropped("web", world.WEB, 22))
    sink.finish(world.summary())
    assert capsys.readouterr().out
