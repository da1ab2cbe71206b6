"""`probe run --until`: the corridor again and again, until what is expected holds, or time is up.

Each round is a whole run with its own seed and source port. What it saw is kept; the last one is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from probe.judge.convergence import Convergence
from probe.model import Outcome
from probe.report.progress import Progress
from probe.report.reports import Reports
from probe.report.tape import Tape
from probe.run import Job, run

Runner = Callable[[Job, Reports, Progress], int]


def converge(
    job: Job,
    reports: Reports,
    progress: Progress,
    *,
    within_s: float,
    stable: int,
    runner: Runner = run,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Repeat `job` until everything held `stable` times in a row, at most for `within_s` seconds and the round begun.

    Returns the exit code. Raises WireError before anything is sent. `runner` and `clock` are for tests.
    """
    course, began = Convergence(stable), clock()
    while True:
        tape = Tape()
        runner(job, Reports.of(tape, tape), progress)
        assert tape.summary
        course.round(tape.findings, complete=tape.summary.complete, at=clock() - began)
        progress.say(_told(course, tape, clock() - began))
        if course.done or _interrupted(tape) or clock() - began >= within_s:
            break
    findings = list(course.findings(tape.findings))
    summary = course.summary(tape.summary, findings, strict=job.strict)
    tape.play(reports, findings, summary)
    for problem in reports.problems:
        progress.say(f"probe: {problem}")
    return summary.exit_code or (3 if reports.problems else 0)


def _interrupted(tape: Tape) -> bool:
    return tape.summary is not None and tape.summary.interrupted in ("SIGINT", "SIGTERM")


def _told(course: Convergence, tape: Tape, at: float) -> str:
    counts = [sum(finding.outcome is outcome for finding in tape.findings) for outcome in Outcome]
    judged = ", ".join(f"{number} {outcome}" for number, outcome in zip(counts, Outcome, strict=True))
    return f"probe: round {course.rounds}, {at:.1f} s: {judged} · held {course.held} of {course.wanted} in a row"
