"""For all tests: the same hypothesis examples in every run, without deadlines, and a history of their own."""

import os

import pytest
from hypothesis import settings

settings.register_profile("probe", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("probe")


@pytest.fixture(scope="session", autouse=True)
def _state_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test may write into the history of whoever runs it, nor may a process that it starts."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
