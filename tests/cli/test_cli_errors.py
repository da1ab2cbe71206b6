"""Command lines that are wrong: each gives exit code 2, one clear message on standard error, and nothing is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.cli import COMMANDS, main

BAD = [
    (["foo"], "unknown command 'foo'"),
    (["rum", "x.yaml"], "did you mean 'run'?"),
    (["run"], "required: PROFILE"),
    (["run", "no-such.yaml"], "no-such.yaml:1:1: cannot be read: No such file"),
    (["run", "/"], "cannot be read: Is a directory"),
    (["run", "x.yaml", "--frobnicate"], "unrecognized arguments: --frobnicate"),
    (["run", "x.yaml", "--seed", "-1"], "--seed"),
    (["run", "x.yaml", "--seed", "0x10"], "'0x10' is no whole number"),
    (["run", "x.yaml", "--seed", "٣"], "is no whole number"),
    (["run", "x.yaml", "--wire", "carrier-pigeon"], "invalid choice: 'carrier-pigeon'"),
    (["scan"], "required: TARGET"),
    (["scan", "127.1"], "'127.1' is no IPv4 address"),
    (["scan", "0x7f.1"], "0x7f.1"),
    (["scan", "fe80::1%eth0"], "fe80::1%eth0"),
    (["scan", "127.0.0.0/33"], "/33"),
    (["scan", "127.0.0.1/8"], "127.0.0.0/8"),
    (["scan", "0.0.0.0/0"], "0.0.0.0/0"),
    (["scan", "::/0"], "::/0"),
    (["scan", "224.0.0.1"], "multicast"),
    (["trace", "127.0.0.1"], "required: PORT"),
    (["trace", "127.0.0.0/30", "80"], "127.0.0.0/30 stands for 4 addresses"),
    (["trace", "127.0.0.1", "80,81"], "80,81 stands for 2 ports"),
    (["trace", "127.0.0.1", "htps"], "did you mean 'https'?"),
    (["trace", "224.0.0.1", "80"], "multicast"),
    (["trace", "127.0.0.1", "80", "--timeout", "1 parsec"], "--timeout: '1 parsec' is no duration"),
    (["trace", "127.0.0.1", "80", "-o", "csv:x"], "a trace has the formats jsonl, table"),
    (["trace", "127.0.0.1", "80", "--pcap", "-"], "a capture goes to a file"),
    (["scan", "127.0.0.1", "-p", "0"], "0"),
    (["scan", "127.0.0.1", "-p", "65536"], "65536"),
    (["scan", "127.0.0.1", "-p", "90-80"], "80-90"),
    (["scan", "127.0.0.1", "-p", "htttp"], "htttp"),
    (["scan", "127.0.0.1", "-p", "²"], "²"),
    (["scan", "127.0.0.1", "-p", ""], "port"),
    (["scan", "127.0.0.1", "--rate", "0"], "--rate"),
    (["scan", "127.0.0.1", "--rate", "nan"], "--rate"),
    (["scan", "127.0.0.1", "--rate", "fast"], "--rate"),
    (["scan", "127.0.0.1", "--attempts", "0"], "--attempts"),
    (["scan", "127.0.0.1", "--attempts", "21"], "--attempts"),
    (["scan", "127.0.0.1", "--timeout", "1 parsec"], "'1 parsec' is no duration"),
    (["scan", "127.0.0.1", "-o", "jsonl"], "write FORMAT:PATH"),
    (["scan", "127.0.0.1", "-o", "yaml:-"], "unknown format 'yaml'"),
    (["scan", "127.0.0.1", "-p", "1", "-o", "jsonl:-", "-o", "csv:-"], "same place"),
    (["scan", "127.0.0.0/8", "-p", "all"], "plan too large"),
    (["scan", "127.0.0.1", "--exclude", "127.0.0.1"], "excluded"),
    (["plan"], "required: PROFILE"),
    (["check"], "required: PROFILE"),
    (["lab"], "required"),
    (["lab", "sideways"], "invalid choice: 'sideways'"),
    (["lab", "up"], "required: TOPOLOGY"),
    (["lab", "up", "no-such.yaml"], "no-such.yaml"),
    (["lab", "exec", "edge"], "no command given"),
]


@pytest.mark.parametrize("arguments, fragment", BAD, ids=[" ".join(line) for line, _ in BAD])
def test_bad_command_line(arguments: list[str], fragment: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert fragment in err
    assert "Traceback" not in err
    assert out == ""


def test_check_reports_every_problem_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = tmp_path / "bad.yaml"
    profile.write_text("version: 2\nname: x\ntargets: {a: 127.1}\nscan: {tcp: [0]}\n")
    assert main(["check", str(profile)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{profile}:1:10", f"{profile}:3:14", f"{profile}:4:14"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"example:\n  probe {command}" in capsys.readouterr().out


def test_the_front_page_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {command} " in out for command in COMMANDS)
    assert main([]) == 2
