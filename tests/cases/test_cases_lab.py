"""The corpus in the rehearsal network: `probe scan` on each case, held against the truth, and the truth against what a
real client gets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from tests.cases.check import complaints
from tests.cases.corpus import Case, corpus
from tests.cases.pending import BY_LUCK, LAB
from tests.cases.perform import Job, Outcome, probe_arguments
from tests.cases.playbill import Playbill

pytestmark = pytest.mark.lab


@pytest.fixture(scope="session")
def outcome_of(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Case], Outcome]]:
    """The cases of this session play in the background, the longest first, whichever is asked for first."""
    functions = [item for item in request.session.items if isinstance(item, pytest.Function)]
    cases = [cast(Case, item.callspec.params["case"]) for item in functions if item.originalname == "test_case_in_lab"]
    cases.sort(key=lambda case: -case.scan.timeout * case.scan.attempts)
    jobs = [Job(case.id, probe_arguments(case)) for case in cases]
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if processes > 1 else base) / "outcomes"
    folder.mkdir(exist_ok=True)
    with Playbill(jobs, folder, number, processes) as playbill:
        yield lambda case: playbill.of(case.id)


@pytest.mark.parametrize("case", corpus(), ids=lambda case: str(case.id))
def test_case_in_lab(case: Case, outcome_of: Callable[[Case], Outcome]) -> None:
    found = complaints(case, outcome_of(case))
    if case.id in LAB:
        assert found or case.id in BY_LUCK, f"{case.id} has come right: take it off the list in pending.py"
    if case.id in LAB and found:
        pytest.xfail(f"{LAB[case.id]}: {'; '.join(found)}")
    assert not found, "\n".join([case.why, *found])


def test_the_list_of_pending_cases_knows_only_cases() -> None:
    assert set(LAB) <= {case.id for case in corpus()}
