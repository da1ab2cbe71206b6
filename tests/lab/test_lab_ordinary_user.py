"""The labs' life once more as somebody who is not root. Runs only where pytest itself is root's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.lab_world import REPOSITORY

pytestmark = pytest.mark.lab

NOBODY = 65534


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of the ordinary user's, with a copy of the checkout in it: our own may be out of reach."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for part in ("probe", "lab", "tests", ".tools"):
            if (REPOSITORY / part).is_dir():
                shutil.copytree(
                    REPOSITORY / part, home / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
                )
        shutil.copy(REPOSITORY / "pyproject.toml", home)
        for path in [home, *home.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        yield home


def as_nobody(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        argv,
        cwd=home,
        env=environment,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def makes_environment(home: Path, base: str) -> bool:
    try:
        return as_nobody(home, base, "-m", "venv", "--without-pip", "venv").returncode == 0
    except OSError:
        return False  # Not there, or the user may not run it.


def python_of(home: Path) -> str:
    """A virtual environment of the user's own, with our packages, from a Python that the user may run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for base in (os.path.realpath(sys.executable), f"/usr/local/bin/{name}", f"/usr/bin/{name}"):
        if makes_environment(home, base):
            link = home / f"venv/lib/{name}/site-packages/packages.pth"
            link.write_text(f"{sysconfig.get_path('purelib')}\n")
            if as_nobody(home, "venv/bin/python", "-c", "import pydantic, pyroute2, pytest, yaml").returncode == 0:
                return str(home / "venv/bin/python")
    pytest.skip(f"user {NOBODY} can run no {name} that has our packages: neither {sys.executable} nor the system's")


@pytest.mark.skipif(os.geteuid() != 0, reason="pytest is an ordinary user's already")
def test_labs_live_without_root(home: Path) -> None:
    python = python_of(home)
    done = as_nobody(home, python, "-m", "pytest", "-p", "no:cacheprovider", "tests/lab/test_lab_life.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
