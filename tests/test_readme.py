"""The README is true: its commands run, its output is what comes out, its tables leave nothing out.

A command is a line `$ …` of a ```console block, run by sh from the repository's root. It must end with exit code 0, or
with one that it names: `# exit 1`, `# exit 0 or 1`. The lines below it are its whole output, where `…` stands for what
was left out: alone on a line for any number of lines, within a line for any text. Blanks count as one, and so do two
seeds, durations, counts of sent packets, versions, lab ids, moments, and the numbers that TCP draws.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from probe.judge.exits import MEANING
from probe.judge.words import WORDS
from probe.model import Cause, Handshake, Outcome, Reason, State
from probe.profile import json_schema, load
from probe.report import FORMATS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATIENCE = 60  # seconds for one command on a busy machine; the slowest takes 5
GAP = "…"

_VOLATILE = (
    (re.compile(r"\bseed \d+"), "seed N"),
    (re.compile(r"\bin \d+\.\d s\b"), "in N s"),
    (re.compile(r"^\d+ sent\b"), "N sent"),
    (re.compile(r"\bno answer to \d+ probes"), "no answer to N probes"),
    (re.compile(r"\bno-response ×\d+"), "no-response ×N"),
    (re.compile(r"\b(nginx|OpenSSH|Redis|Twisted|probe) \d\S*"), r"\1 V"),
    (re.compile(r"^(ok +python +)\d\S*"), r"\1V"),
    (re.compile(r"\bport \d{4,5}\b|\b\d{4}-\d\d-\d\d |\b\d\d:\d\d:\d\d(\.\d{6})?\b"), "T"),
    (re.compile(r"[+]?\b\d+\.\d{3} ms\b"), "N ms"),
    (re.compile(r"\b(seq|ack) \d{3,}"), r"\1 N"),
    (re.compile(r"\b(office|broken|hops|moves)-[0-9a-f]{6}\b"), r"\1-ID"),
    (re.compile(r"\bSHA256:[\w+/]{10,}"), "SHA256:F"),
    (re.compile(r"\(Debian-[\w.+~]+\)"), "(Debian-V)"),
    (re.compile(r"\bsha256 [0-9a-f]{12}"), "sha256 X"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the README: the line it stands in, what is run, the exit codes it may have, the output shown."""

    line: int
    text: str
    codes: frozenset[int]
    shown: tuple[str, ...]


def blocks(markdown: str, language: str) -> list[tuple[int, list[str]]]:
    """The fenced blocks of one language: the number of the first line inside, and the lines."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)
    return [(markdown.count("\n", 0, block.start()) + 2, block[1].splitlines()) for block in found]


def commands(first: int, lines: list[str]) -> list[Command]:
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"README.md:{first}: a console block starts with a command"
    return [
        command(first + start, lines[start], lines[start + 1 : end])
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)
    ]


def command(line: int, prompt: str, shown: list[str]) -> Command:
    text, _, codes = prompt.removeprefix("$ ").partition("  # exit ")
    return Command(line, text, frozenset(map(int, codes.split(" or "))) if codes else frozenset({0}), tuple(shown))


BLOCKS = [commands(*block) for block in blocks(README, "console")]


def plain(line: str) -> str:
    """A line without what may differ from run to run."""
    text = " ".join(line.split())
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text


def same(shown: str, real: str) -> bool:
    parts = (re.escape(part) for part in plain(shown).split(GAP))
    return re.fullmatch(".*".join(parts), plain(real)) is not None


def segments(shown: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    """What stands between the gaps: the offset of the first line, and the lines (none at a gap at either end)."""
    cuts = [-1, *(number for number, line in enumerate(shown) if line.strip() == GAP), len(shown)]
    return [(start + 1, list(shown[start + 1 : end])) for start, end in pairwise(cuts)]


def untrue(shown: tuple[str, ...], real: list[str]) -> int | None:
    """The offset in `shown` of the first piece that is not in the output, in order and without a gap; None if all are.

    The first piece stands at the beginning and the last at the end; for the others the first place that fits is best.
    """
    pieces = segments(shown)
    place = 0
    for number, (offset, lines) in enumerate(pieces):
        latest = len(real) - len(lines)
        first = latest if number == len(pieces) - 1 and number else place
        last = place if number == 0 else latest
        fits = (at for at in range(max(first, place), last + 1) if all(map(same, lines, real[at:])))
        found = next(fits, None) if latest >= place else None
        if found is None or (len(pieces) == 1 and len(real) != len(lines)):
            return offset
        place = found + len(lines)
    return None


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands as a reader of the README would, but with a folder of its own for labs and history."""

    folder: Path

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        environment = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        environment |= {"PATH": path, "LC_ALL": "C.UTF-8"}
        environment |= {"XDG_RUNTIME_DIR": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state")}
        return subprocess.run(
            ["sh", "-c", text],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )

    def take_down_labs(self) -> None:
        for line in self.run("probe lab list").stdout.splitlines():
            if not line.startswith(" "):
                self.run(f"probe lab down {line.split()[0]}")


# What a make above us would tell `make -n`.
_UNWANTED = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


@pytest.fixture
def shell() -> Iterator[Shell]:
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(Path(folder))
        yield shell
        shell.take_down_labs()


Done = subprocess.CompletedProcess[str]


def make_lab(shell: Shell) -> Done:
    """Not with its set-up: what make would do last is done here, after looking that it would."""
    steps = shell.run("make -n lab VENV=.venv").stdout.splitlines()
    assert steps[-1] == ".venv/bin/probe run profiles/lab.yaml", steps
    done = shell.run("probe run profiles/lab.yaml")
    done.stdout = steps[-1] + "\n" + done.stdout
    return done


def make_test(shell: Shell) -> Done:
    """It is what runs this test, so it cannot run in it; that it would run the tests can be seen."""
    done = shell.run("make -n test")
    assert any(line.endswith("-m pytest") for line in done.stdout.splitlines()), done.stdout
    sys.stdout.write("`make test` was not run: it is what runs this test\n")
    return done


def pip_install(shell: Shell) -> Done:
    """pip would fetch packages. Here the wheel is built by the same back end, unpacked, and its command run from it."""
    done = shell.run(f"python -m hatchling build -t wheel -d '{shell.folder}'")
    (wheel,) = shell.folder.glob("*.whl")
    site = shell.folder / "site"
    zipfile.ZipFile(wheel).extractall(site)
    (entries,) = site.glob("*.dist-info/entry_points.txt")
    assert "probe = probe.cli:main" in entries.read_text()
    installed = shell.run(f"cd '{site}' && python -c 'from probe.cli import main; main([\"ports\", \"ssh\"])'")
    assert "22/tcp  ssh" in installed.stdout, installed.stderr
    return done


STAND_INS: dict[str, Callable[[Shell], Done]] = {
    "make lab": make_lab,
    "make test": make_test,
    "pip install .": pip_install,
}


def _parameters() -> Iterator[Any]:
    for block in BLOCKS:
        text = " ".join(each.text for each in block)
        needs_lab = re.search(r"make lab|probe (run|plan|lab|doctor|find)\b", text)
        yield pytest.param(block, id=f"line {block[0].line}", marks=[pytest.mark.lab] if needs_lab else [])


@pytest.mark.parametrize("block", list(_parameters()))
def test_the_commands_do_what_the_readme_shows(block: list[Command], shell: Shell) -> None:
    for each in block:
        stand_in = STAND_INS.get(each.text)
        done = stand_in(shell) if stand_in else shell.run(each.text)
        said = f"README.md:{each.line}: $ {each.text}\n{done.stdout}{done.stderr}"
        assert done.returncode in each.codes, f"{said}\nexit {done.returncode}"
        offset = untrue(each.shown, (done.stdout + done.stderr).splitlines())
        assert offset is None, f"README.md:{each.line + 1 + offset}: this is not what comes out of\n{said}"


def test_the_profile_shown_is_one() -> None:
    (profile,) = (lines for _, lines in blocks(README, "yaml") if "version: 1" in lines)
    assert load("\n".join(profile).encode(), "README.md").name == "office-edge"


def _keys(schema: dict[str, Any]) -> Iterator[str]:
    sections = {"scan": "ScanModel", "expect": "ExpectModel", "results": "ResultsModel"}
    yield from (key for key in schema["properties"] if key not in sections)
    for section, model in sections.items():
        yield from (f"{section}: {key}" for key in schema["$defs"][model]["properties"])


def test_the_tables_leave_nothing_out() -> None:
    rows = [line for line in README.splitlines() if line.startswith("|")]
    words = [
        *_keys(json_schema()),
        *WORDS,
        *State,
        *Reason,
        *Cause,
        *Outcome,
        *(key for key in FORMATS if key != "table"),
    ]
    assert [word for word in words if not any(f"`{word}`" in row for row in rows)] == []
    assert [code for code in MEANING if not any(re.match(rf"\|[ 0-9,]*\b{code}\b", row) for row in rows)] == []
    assert [word for word in Handshake if f"`{word}`" not in README] == []


def test_no_command_hides_in_another_kind_of_block() -> None:
    fences = re.findall(r"^```(.*)$", README, re.MULTILINE)
    assert set(fences[::2]) == {"console", "yaml"}
    assert set(fences[1::2]) == {""}


REAL = ["head", "a 1", "b 2", "a 1", "b 3", "tail"]


@pytest.mark.parametrize(
    ("shown", "offset"),
    [
        (REAL, None),
        ([GAP], None),
        (["head", GAP, "tail"], None),
        (["head", GAP, "a   1", "b 3", GAP], None),
        (["head", "a …", GAP], None),
        ([GAP, "b 3", "tail"], None),
        ([GAP, *REAL, GAP], None),
        ([], 0),  # something came out
        (["head"], 0),
        (["a 1", GAP], 0),
        (REAL[:-1], 0),
        (["head", GAP, "b 3"], 2),  # not the end
        (["head", GAP, "head", GAP], 2),
        (["head", GAP, "a 1", "b 4", GAP], 2),
        (["head", GAP, "b 3", GAP, "b 2", GAP], 4),  # not in this order
        (["head", GAP, "b 3", "tail", GAP, "tail"], 5),  # not twice
        ([*REAL, "more"], 0),
    ],
)
def test_a_lie_is_found(shown: list[str], offset: int | None) -> None:
    assert untrue(tuple(shown), REAL) == offset


def test_only_what_changes_from_run_to_run_may_differ() -> None:
    assert same("x · seed 12  in 3.4 s · nginx 1.22.1", "x · seed 7  in 12.0 s · nginx 1.26.3")
    assert same("43218 sent, 23 received", "43210 sent, 23 received")
    assert not same("43218 sent, 23 received", "43218 sent, 24 received")
    assert not same("198.18.1.10  2 open", "198.18.1.11  2 open")
    assert not same("TTL 63", "TTL 64")
