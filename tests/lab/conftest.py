"""One office for all tests of a session that only look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probe.lab import Lab, load, up
from tests.lab.lab_world import REPOSITORY


@pytest.fixture(scope="session")
def office() -> Iterator[Lab]:
    with up(load(str(REPOSITORY / "lab/office.yaml")), owner="process") as lab:
        yield lab
