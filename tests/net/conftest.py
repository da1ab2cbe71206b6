"""One lab of two routers for all tests of a session that look at ways: see `lab/hops.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from probe import lab as labs
from probe.lab import Lab

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def hops() -> Iterator[Lab]:
    with labs.up(labs.load(str(REPOSITORY / "lab/hops.yaml")), owner="process") as lab:
        yield lab
