"""`probe learn` against the office: the profile that it writes is met by the network that it was learned from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe import lab as labs
from probe.lab import Lab
from tests.lab.lab_world import REPOSITORY

pytestmark = pytest.mark.lab

ARGUMENTS = ["198.18.1.0/28", "198.18.1.25", "fd18:1::25", "-p", "20-30,80,110,143,443,8080", "--timeout", "300ms"]


@pytest.fixture(scope="module")
def office() -> Iterator[Lab]:
    with labs.up(labs.load(str(REPOSITORY / "lab/office.yaml")), owner="process") as lab:
        yield lab


def test_the_profile_learned_is_met(office: Lab, tmp_path: Path) -> None:
    probe = [sys.executable, "-m", "probe"]
    done = office.run("internet", [*probe, "learn", *ARGUMENTS], timeout=60, cwd=REPOSITORY)
    assert (done.returncode, done.stderr) == (0, "")
    profile = tmp_path / "learned.yaml"
    profile.write_text(done.stdout)
    assert "service: http, on: 80" in done.stdout
    assert "is: rejected, tcp: 22" in done.stdout
    again = office.run("internet", [*probe, "run", str(profile)], timeout=60, cwd=REPOSITORY)
    assert again.returncode == 0, done.stdout + again.stdout
    assert "0 violated, 0 unknown · exit 0" in " ".join(again.stdout.split())
