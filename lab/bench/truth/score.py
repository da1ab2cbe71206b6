"""What became of each case with each scanner, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.bench.truth.peers import PEERS, Peer
from tests.cases.check import complaints, records
from tests.cases.corpus import Case
from tests.cases.marks import Judgement, Mark, judge, said_by_probe
from tests.cases.perform import Job, Outcome, probe_arguments
from tests.cases.troupe import Troupe

PROBE = "probe"
SCANNERS = (PROBE, *(peer.name for peer in PEERS))


@dataclass(frozen=True, slots=True)
class Score:
    """`mark` is None where it cannot be asked; `note` says why, or what is wrong; `ports` counts the wrong ones."""

    mark: Mark | None
    note: str = ""
    ports: int = 0
    seconds: float = 0.0


def scores(cases: list[Case], scanner: str, folder: Path, at_once: int) -> Iterator[tuple[Case, Score]]:
    """Each case as it ends; those that cannot be asked first."""
    peer = next((peer for peer in PEERS if peer.name == scanner), None)
    able = {case.id: case for case in cases if not (peer and peer.cannot(case))}
    for case in cases:
        if peer and case.id not in able:
            yield case, Score(None, str(peer.cannot(case)))
    jobs = [peer.job(case) if peer else Job(case.id, probe_arguments(case), client=False) for case in able.values()]
    with Troupe(jobs, at_once, folder) as troupe:
        for outcome in troupe.outcomes():
            case = able[outcome.case]
            yield case, _of_peer(case, outcome, peer) if peer else _of_probe(case, outcome)


def _of_probe(case: Case, outcome: Outcome) -> Score:
    """Promises count too: a verdict that came too late, or too fast, is wrong."""
    if outcome.error:
        return Score(Mark.WRONG, outcome.error.splitlines()[-1])
    judgements = [judge(case, said_by_probe(records(run))) for run in outcome.runs if run.code in (0, 3)]
    broken = [each for each in complaints(case, outcome) if not each.startswith("undetermined")]
    if broken or len(judgements) < case.scans:
        return _scored(judgements, outcome, "; ".join(broken), at_least=Mark.WRONG)
    return _scored(judgements, outcome, "")


def _of_peer(case: Case, outcome: Outcome, peer: Peer) -> Score:
    if outcome.error:
        return Score(Mark.WRONG, outcome.error.splitlines()[-1])
    return _scored([judge(case, peer.read(case, run), states_only=True) for run in outcome.runs], outcome, "")


def _scored(judgements: list[Judgement], outcome: Outcome, note: str, at_least: Mark = Mark.RIGHT) -> Score:
    mark = max([at_least, *(each.mark for each in judgements)])
    told = [word for each in judgements for word in (*each.wrong, *each.undetermined)]
    wrong = max((len(each.wrong) for each in judgements), default=0)
    return Score(mark, note or "; ".join(told[:3]), wrong, max(run.seconds for run in outcome.runs))
