"""Everything that is wrong with the outcome of a case, in sentences; nothing for a good one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.cases.corpus import Case
from tests.cases.marks import judge, said_by_probe
from tests.cases.perform import RATE_WINDOW, Outcome, Run

MOST_TOLD = 6  # ports named in a message


def complaints(case: Case, outcome: Outcome) -> list[str]:
    """Verdicts against the truth, promises against measures, and the truth against a real client."""
    if outcome.error:
        return [outcome.error]
    found = [complaint for run in outcome.runs for complaint in _of_run(case, run)]
    return [*found, *_of_measures(case, outcome), *_of_client(case, outcome)]


def _of_run(case: Case, run: Run) -> Iterator[str]:
    if run.code not in (0, 3):
        yield f"probe ended with {run.code}: {run.err.strip()}"
        return
    judgement = judge(case, said_by_probe(records(run)))
    if judgement.wrong:
        yield _told("wrong", judgement.wrong)
    if judgement.hidden:
        yield _told("undetermined, though it can be known", judgement.hidden)
    yield from _of_evidence(case.promise.get("says", {}), run)
    if run.code != case.promise.get("exit", run.code):
        yield f"the exit code is {run.code} instead of {case.promise['exit']}"
    if run.seconds > case.promise.get("within", run.seconds):
        yield f"it took {run.seconds:.1f} s, more than {case.promise['within']}"


def _of_evidence(says: dict[int, dict[str, str]], run: Run) -> Iterator[str]:
    for record in records(run):
        for name, pattern in says.get(record.get("port", 0), {}).items():
            told = str(record["evidence"].get(name))
            if not re.search(pattern, told):
                yield f"the evidence of port {record['port']} has {name} {told!r}, without {pattern!r}"


def records(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.out.splitlines()]


def _of_measures(case: Case, outcome: Outcome) -> Iterator[str]:
    if outcome.half_open > case.promise.get("half_open", outcome.half_open):
        yield f"one second after the scan the target holds {outcome.half_open} half-open connections"
    if outcome.most_syns > case.promise.get("most_syns", outcome.most_syns):
        yield f"{outcome.most_syns} SYNs left in {RATE_WINDOW} s, more than {case.promise['most_syns']}"
    if not outcome.live:
        yield "a connection that was there before did not outlive the scan"


def _of_client(case: Case, outcome: Outcome) -> Iterator[str]:
    for address, port, got in outcome.client:
        if got is not case.truth[address, port].is_open:
            yield f"the corpus errs: a client {'gets' if got else 'does not get'} a connection to {address} {port}"


def _told(what: str, ports: tuple[str, ...]) -> str:
    more = f" and {len(ports) - MOST_TOLD} more" if len(ports) > MOST_TOLD else ""
    return f"{what}: {'; '.join(ports[:MOST_TOLD])}{more}"
