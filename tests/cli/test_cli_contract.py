"""A profile that holds a change against a baseline, from the first run to the one that breaks it. On loopback."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from probe.cli import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def port() -> socket.socket:
    """A socket that is bound, so that nobody else listens there, and does not listen."""
    reserved = socket.socket()
    reserved.bind(("127.0.0.1", 0))
    return reserved


def profile(folder: Path, number: int, baseline: str = "last") -> str:
    path = folder / "p.yaml"
    path.write_text(
        f"version: 1\nname: change\ntargets: {{me: 127.0.0.1}}\nscan: {{tcp: [{number}, 1]}}\nexpect:\n"
        f"  - baseline: {baseline}\n    change: {{to: me, tcp: {number}, from: closed, is: open}}\n"
        "    otherwise: unchanged\n"
    )
    return str(path)


def run(capsys: Captured, path: str, history: Path, *more: str) -> tuple[int, dict[int, tuple[str, str]], str]:
    arguments = ["run", path, "--wire", "connect", "--no-progress", "--history", str(history), "-o", "jsonl:-"]
    code = main([*arguments, *more])
    out, err = capsys.readouterr()
    records: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    found = {one["port"]: (one["outcome"], one["message"]) for one in records if one["type"] == "finding"}
    return code, found, err


def test_a_change_that_was_announced(tmp_path: Path, capsys: Captured, port: socket.socket) -> None:
    number, history = port.getsockname()[1], tmp_path / "h.sqlite"
    path = profile(tmp_path, number)
    with port:
        code, found, err = run(capsys, path, history)
        assert (code, found) == (2, {})
        assert f"{path}:6:5: no baseline to compare with: {history}: there is no history yet" in err

        plain = Path(path).read_text().partition("expect:")[0]
        (tmp_path / "before.yaml").write_text(plain)
        assert run(capsys, str(tmp_path / "before.yaml"), history, "-o", f"jsonl:{tmp_path}/before.jsonl")[0] == 0

        code, found, _ = run(capsys, path, history, "--no-history")
        assert code == 1
        assert found[number][0] == "violated"
        assert "announced from closed to open, but it has not become so" in found[number][1]
        assert found[1][0] == "met"

        port.listen()
        assert run(capsys, path, history, "--no-history")[0] == 0
        by_file = profile(tmp_path, number, baseline="before.jsonl")
        assert run(capsys, by_file, history, "--no-history")[0] == 0


@pytest.mark.parametrize("name", ["nowhere.jsonl", "nobody", "last~7"])
def test_a_baseline_that_is_not_there(name: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "h.sqlite").touch()
    code, _, err = run(capsys, profile(tmp_path, 2, baseline=name), tmp_path / "h.sqlite")
    assert code == 2
    assert "p.yaml:6:5: no baseline to compare with: " in err
