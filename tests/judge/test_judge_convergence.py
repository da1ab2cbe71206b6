"""A run that is repeated: what counts as holding, and what is never forgiven."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from probe.judge import judge_port
from probe.judge.convergence import Convergence
from probe.model import Expectation, Finding, Outcome, State, Summary, Verdict
from tests.judge.judge_world import closed, expects, opened, unknown

MET, VIOLATED, UNKNOWN = Outcome.MET, Outcome.VIOLATED, Outcome.UNKNOWN
END = Summary(True, 0, dict.fromkeys(State, 0), 1, 1, 0, 0.5)
OPEN = expects("open", number=1)
SHUT = replace(expects("closed", ports=(80,), number=2), stay=True)


def judged(expectation: Expectation, verdict: Verdict) -> Finding:
    return judge_port(expectation, verdict)


def course(
    *rounds: tuple[Verdict, Verdict], wanted: int = 3, complete: bool = True
) -> tuple[Convergence, list[Finding]]:
    """Rounds of one port that should be open and one that must stay closed, two seconds each."""
    made, findings = Convergence(wanted), list[Finding]()
    for number, (first, second) in enumerate(rounds, 1):
        findings = [judged(OPEN, first), judged(SHUT, second)]
        made.round(findings, complete=complete, at=2.0 * number)
    return made, findings


GOOD, EARLY, LEAK = (opened(22), closed(80)), (closed(22), closed(80)), (opened(22), opened(80))
DOUBT = (unknown(22), closed(80))


@pytest.mark.parametrize(
    "rounds, held, since, code",
    [
        ([GOOD, GOOD, GOOD], 3, 2.0, 0),
        ([EARLY, GOOD, GOOD, GOOD], 3, 4.0, 0),
        ([GOOD, GOOD, EARLY, GOOD, GOOD, GOOD], 3, 8.0, 0),
        ([GOOD, DOUBT, GOOD], 1, 6.0, 3),
        ([EARLY, EARLY], 0, None, 1),
        ([DOUBT], 0, None, 3),
        ([LEAK, GOOD, GOOD, GOOD], 3, 4.0, 1),
    ],
)
def test_how_it_went(rounds: list[tuple[Verdict, Verdict]], held: int, since: float | None, code: int) -> None:
    made, last = course(*rounds)
    summary = made.summary(END, list(made.findings(last)), strict=False)
    assert (made.held, made.since, made.done) == (held, since, held == 3)
    assert (summary.exit_code, summary.rounds, summary.held, summary.held_since_s) == (code, len(rounds), held, since)


def test_a_leak_stands_in_the_place_of_what_became_of_it() -> None:
    made, last = course(LEAK, LEAK, GOOD, GOOD, GOOD)
    assert [finding.outcome for finding in last] == [MET, MET]
    first, second = made.findings(last)
    assert (first.outcome, second.outcome) == (MET, VIOLATED)
    assert second.message.endswith("; this must stay, and leaked in round 1, 2.0 s after the start")
    assert made.summary(END, [first, second], strict=False).findings == {MET: 1, VIOLATED: 1, UNKNOWN: 0}


def test_a_leak_that_the_last_round_says_nothing_of_is_told_all_the_same() -> None:
    made, _ = course(LEAK)
    assert [finding.outcome for finding in made.findings([])] == [VIOLATED]


def test_what_need_not_stay_is_forgiven() -> None:
    made, last = course(EARLY, GOOD)
    assert made.leaks == {}
    assert [finding.outcome for finding in made.findings(last)] == [MET, MET]


def test_a_round_that_was_cut_short_holds_nothing() -> None:
    made, _ = course(GOOD, complete=False)
    assert made.held == 0


@pytest.mark.parametrize("reason, code", [("SIGINT", 130), ("SIGTERM", 143), ("deadline", 3)])
def test_interrupted(reason: str, code: int) -> None:
    made, last = course(GOOD, GOOD, GOOD)
    end = replace(END, complete=False, interrupted=reason)
    assert made.summary(end, last, strict=False).exit_code == code
