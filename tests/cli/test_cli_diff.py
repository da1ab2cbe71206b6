"""`probe diff` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.cli import main
from probe.report.jsonl import line
from probe.report.records import port_record, run_record, summary_record
from tests.report.report_world import RUN, WEB, dropped, refused, summary


def results(path: Path, *closed: int, complete: bool = True) -> str:
    """A file of a run over ports 1 to 5, some of them closed."""
    seen = [refused("web", WEB, port) if port in closed else dropped("web", WEB, port) for port in range(1, 6)]
    records = [run_record(RUN), *map(port_record, seen), summary_record(summary(complete=complete))]
    path.write_text("".join(map(line, records)))
    return str(path)


@pytest.mark.parametrize(
    "closed, complete, code", [((), True, 0), ((3,), True, 1), ((), False, 3), ((3,), False, 1)], ids=str
)
def test_exit_codes(
    closed: tuple[int, ...], complete: bool, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = results(tmp_path / "old.jsonl"), results(tmp_path / "new.jsonl", *closed, complete=complete)
    assert main(["diff", old, new]) == code
    out, err = capsys.readouterr()
    assert f"exit {code}: " in " ".join(out.split())
    assert err == ""


def test_output_to_standard_output_is_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = results(tmp_path / "old.jsonl"), results(tmp_path / "new.jsonl", 3)
    assert main(["diff", old, new, "-o", "jsonl:-", "-o", f"junit:{tmp_path}/d.xml"]) == 1
    records = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert [record["type"] for record in records] == ["diff", "change", "summary"]
    assert "<failure" in (tmp_path / "d.xml").read_text()


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("hello\n")
    assert main(["diff", results(tmp_path / "old.jsonl"), str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err == f"probe: {tmp_path}/x:1: the line is no JSON: Expecting value at column 1\n"
    assert main(["diff", str(tmp_path / "nowhere"), str(tmp_path / "x")]) == 2
    assert "nowhere:1: cannot be read: No such file or directory" in capsys.readouterr().err
