"""The exit code is what scripts read: every way to it."""

from __future__ import annotations

from typing import Any

import pytest

from probe.judge import Tally, exit_code, judge_port
from probe.judge.exits import MEANING
from probe.model import Cause, Outcome, State
from tests.judge.judge_world import closed, expects, opened, unknown, verdict

MET, VIOLATED, UNKNOWN = Outcome.MET, Outcome.VIOLATED, Outcome.UNKNOWN
GOOD: dict[str, Any] = {"complete": True, "unknown_verdicts": 0}


@pytest.mark.parametrize(
    "findings,changes,code",
    [
        ({}, {}, 0),
        ({MET: 9}, {}, 0),
        ({MET: 9, VIOLATED: 1}, {}, 1),
        ({VIOLATED: 1, UNKNOWN: 1}, {"complete": False, "unknown_verdicts": 3}, 1),
        ({MET: 9, UNKNOWN: 1}, {}, 3),
        ({MET: 9}, {"unknown_verdicts": 1}, 3),
        ({MET: 9}, {"complete": False}, 3),
        ({MET: 9}, {"unproven": 9}, 0),
        ({MET: 9}, {"unproven": 1, "strict": True}, 3),
        ({MET: 9}, {"unproven": 0, "strict": True}, 0),
        ({MET: 9, VIOLATED: 1}, {"unproven": 1, "strict": True}, 1),
        ({VIOLATED: 1}, {"interrupted": "SIGINT", "complete": False}, 130),
        ({MET: 1}, {"interrupted": "SIGTERM", "complete": False}, 143),
    ],
)
def test_exit_code(findings: dict[Outcome, int], changes: dict[str, Any], code: int) -> None:
    assert exit_code(findings, **(GOOD | changes)) == code
    assert MEANING[code]


def test_a_tally_counts_findings_and_doubts() -> None:
    tally = Tally()
    silent = verdict(State.FILTERED, Cause.DROPPED, live=False)
    for seen in (closed(22), opened(22), unknown(22), silent):
        tally.add(judge_port(expects("not-open"), seen))
    assert tally.outcomes == {MET: 2, VIOLATED: 1, UNKNOWN: 1}
    assert tally.unproven == 1
