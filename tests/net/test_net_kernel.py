"""Each answer to a SYN once more over a real cable: this machine's kernel says what `answer_cases` say that kernels do,
and the raw wire lets the engine see what it needs for its word."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.core.answer_cases import EACH
from tests.core.case import Case

pytestmark = pytest.mark.lab

PROHIBITED = {4: "EHOSTUNREACH", 6: "EACCES"}


@pytest.fixture(scope="module")
def words() -> dict[str, tuple[str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.net.kernel_oracle"], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, tuple[str, str]] = json.loads(done.stdout)
    return told


def errno_names(case: Case, version: int) -> set[str]:
    names = {"closed": "ECONNREFUSED", "prohibited": PROHIBITED[version]}
    return {names.get(word, word) for word in (case.kernel, *case.others)}


@pytest.mark.parametrize("case, version", EACH, ids=[f"{case.name}/{version}" for case, version in EACH])
def test_both_say(words: dict[str, tuple[str, str]], case: Case, version: int) -> None:
    kernel, engine = words[f"{case.name}/{version}"]
    assert kernel in errno_names(case, version)
    assert engine == case.verdict
