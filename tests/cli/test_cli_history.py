"""The history as it is typed: runs are remembered unless it is said otherwise, found again, and compared."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from probe.cli import main
from tests.cli.test_cli_diff import results

Captured = pytest.CaptureFixture[str]
SCAN = ["scan", "127.0.0.1", "--wire", "connect", "--no-progress", "-p"]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the history of this test lies."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "probe" / "history.sqlite"


def probe(capsys: Captured, *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    out, err = capsys.readouterr()
    return out + err


def test_scans_are_remembered_listed_compared_and_shown(state: Path, capsys: Captured) -> None:
    probe(capsys, *SCAN, "1-3")
    probe(capsys, *SCAN, "1-4")
    assert state.exists()
    lines = probe(capsys, "runs").splitlines()
    assert [line.split()[3:] for line in lines] == [
        ["scan", "exit", "0", "4", "closed"],
        ["scan", "exit", "0", "3", "closed"],
    ]
    assert "3 unchanged · 1 not scanned before" in probe(capsys, "diff", "last~1", "last")
    shown = [json.loads(line) for line in probe(capsys, "show", "scan~1", "-o", "jsonl:-").splitlines()]
    assert [record["type"] for record in shown] == ["run", "port", "port", "port", "summary"]
    assert shown[0]["run_id"].startswith(lines[1].split()[0])
    assert "4 closed" in probe(capsys, "show", lines[0].split()[0])


def test_forgetting(state: Path, capsys: Captured) -> None:
    for _ in range(3):
        probe(capsys, *SCAN, "1")
    assert len(probe(capsys, "runs", "-n", "2").splitlines()) == 2
    assert len(probe(capsys, "runs", "-n", "0").splitlines()) == 3
    assert probe(capsys, "runs", "nobody") == ""
    assert "0 runs forgotten" in probe(capsys, "runs", "--keep", "9d")
    assert "2 runs forgotten" in probe(capsys, "runs", "--keep", "1")
    assert len(probe(capsys, "runs").splitlines()) == 1


def test_another_history_or_none(state: Path, tmp_path: Path, capsys: Captured) -> None:
    other = str(tmp_path / "other.sqlite")
    probe(capsys, *SCAN, "1", "--history", other)
    probe(capsys, *SCAN, "1", "--no-history")
    assert not state.exists()
    assert len(probe(capsys, "runs", "--history", other).splitlines()) == 1
    assert "there is no history yet" in probe(capsys, "runs", code=2)


def test_the_profile_says_where_and_how_long(tmp_path: Path, capsys: Captured) -> None:
    profile, where = tmp_path / "p.yaml", tmp_path / "h.sqlite"
    profile.write_text(
        "version: 1\nname: here\ntargets: {me: 127.0.0.1}\nscan: {tcp: 1}\n"
        f"results: {{dir: {tmp_path}, history: {where}, keep: 2}}\n"
    )
    for _ in range(3):
        probe(capsys, "run", str(profile), "--wire", "connect")
    assert len(probe(capsys, "runs", "--history", str(where)).splitlines()) == 2


def test_a_stored_run_and_a_file(state: Path, tmp_path: Path, capsys: Captured) -> None:
    probe(capsys, *SCAN, "1", "-o", f"jsonl:{tmp_path}/here.jsonl")
    assert "1 unchanged" in probe(capsys, "diff", f"{tmp_path}/here.jsonl", "last")
    old = results(tmp_path / "old.jsonl", 3)
    assert "1 closed" in probe(capsys, "show", old)
    probe(capsys, "show", old, "-o", f"csv:{tmp_path}/old.csv")
    assert len((tmp_path / "old.csv").read_text().splitlines()) == 7


WRONG = [
    (["diff", "last", "last"], 2, "there is no history yet"),
    (["show", "nowhere.jsonl"], 2, "nowhere.jsonl:1: cannot be read"),
    (["runs", "--keep", "often"], 2, "--keep: expected a number of runs"),
    (["runs", "-n", "-1"], 2, "no whole number"),
    ([*SCAN, "1", "--history", "/"], 2, "/: is a folder"),
]


@pytest.mark.parametrize("arguments, code, message", WRONG)
def test_wrong(arguments: list[str], code: int, message: str, state: Path, capsys: Captured) -> None:
    assert message in probe(capsys, *arguments, code=code)


def test_a_home_that_cannot_be_written_keeps_nobody_from_scanning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    said = probe(capsys, *SCAN, "1")
    assert "probe: this run is not remembered: " in said
    assert "1 closed" in said


@pytest.mark.parametrize("trouble", ["garbage", "locked"])
def test_a_history_that_fails_makes_the_run_incomplete(
    trouble: str, state: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe(capsys, *SCAN, "1")
    other = sqlite3.connect(state, isolation_level=None)
    if trouble == "locked":
        monkeypatch.setattr("probe.report.database.PATIENCE_S", 0)
        other.execute("BEGIN IMMEDIATE")
    else:
        state.write_bytes(b"garbage" * 1000)
    said = probe(capsys, *SCAN, "1", code=3)
    other.close()
    assert "Traceback" not in said
    assert f"probe: {state}: " in said
    assert "1 closed" in said
