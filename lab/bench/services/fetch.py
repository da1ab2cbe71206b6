"""Packages, unpacked by `lab/debs.sh` into `.tools/.bench`, which git ignores and the lab's own search passes over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
UNPACKED = REPOSITORY / ".tools/.bench"


def fetch(packages: Iterable[str]) -> list[str]:
    """Unpacks what is missing; returns those that could not be had (debs.sh has said why)."""
    packages = list(dict.fromkeys(packages))
    for package in packages:
        if not (UNPACKED / package).is_dir():
            environment = os.environ | {"TOOLS": str(UNPACKED)}
            command = ["sh", str(REPOSITORY / "lab/debs.sh"), package]
            subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    return [package for package in packages if not (UNPACKED / package).is_dir()]
