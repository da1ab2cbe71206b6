"""Small networks for all tests of a session that look at the world through `probe.net`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from probe import lab as labs
from probe.lab import Lab
from tests.net.net_world import TOPOLOGY

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def hops() -> Iterator[Lab]:
    """Two routers in a row: see `lab/hops.yaml`."""
    with labs.up(labs.load(str(REPOSITORY / "lab/hops.yaml")), owner="process") as lab:
        yield lab


@pytest.fixture(scope="module")  # rules and neighbours of one file's tests are no business of another's
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    path = tmp_path_factory.mktemp("ways") / "ways.yaml"
    path.write_text(TOPOLOGY)
    with labs.up(labs.load(str(path)), owner="process") as lab:
        yield lab
