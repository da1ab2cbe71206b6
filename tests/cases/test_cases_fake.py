"""The scripted part of the corpus against the engine alone, on a clock that jumps over all waiting."""

from __future__ import annotations

import pytest

from probe.core.pace import Pace
from tests.cases.check import MOST_TOLD
from tests.cases.corpus import Case, corpus
from tests.cases.marks import Said, judge
from tests.cases.pending import FAKE
from tests.cases.responder import Responder
from tests.cases.scripted_wire import ScriptedWire
from tests.core.playbook import Clock, block_of, careful_scan_of, drive
from tests.core.playbook import judge as verdicts_of

CASES = [case for case in corpus() if case.for_fake_wire]


def said(case: Case, adaptive: bool) -> dict[tuple[str, int], Said]:
    assert case.host
    clock = Clock()
    block, asked = block_of(case.addresses, case.ports), case.scan
    scan = careful_scan_of(block, asked.rate, asked.attempts, asked.timeout, adaptive=adaptive)
    drive(scan, ScriptedWire(Responder(case.host), clock), Pace(case.scan.rate, clock()), clock, turn=0.001)
    return {
        (str(verdict.key.address), verdict.key.port): Said(
            str(verdict.state), str(verdict.cause) if verdict.cause else None, str(verdict.reason)
        )
        for verdict in verdicts_of(scan)
    }


# With the timeouts that the case asks for, and with none: but for late answers, it must come to the same.
RUNS = [pytest.param(case, False, id=case.id) for case in CASES]
RUNS += [pytest.param(case, True, id=f"{case.id}-adaptive") for case in CASES if case.family != "late"]


@pytest.mark.parametrize("case, adaptive", RUNS)
def test_case_on_fake_wire(case: Case, adaptive: bool) -> None:
    judgement = judge(case, said(case, adaptive))
    found = [*judgement.wrong, *judgement.hidden][:MOST_TOLD]
    if case.id in FAKE:
        assert found, f"{case.id} has come right: take it off the list in pending.py"
        pytest.xfail(f"{FAKE[case.id]}: {'; '.join(found)}")
    assert not found, "\n".join([case.why, *found])


def test_the_list_of_pending_cases_knows_only_cases() -> None:
    assert set(FAKE) <= {case.id for case in CASES}
