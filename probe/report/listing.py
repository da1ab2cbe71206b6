"""`probe runs`: a line per run, in columns that other programs can cut."""

from __future__ import annotations

from probe.judge.wording import printable
from probe.model import Outcome, State, Summary
from probe.report.archive import Entry


def line(entry: Entry) -> str:
    """`RUN_ID  STARTED  PROFILE  how it ended  what was seen`."""
    run, summary = entry.run, entry.summary
    head = f"{run.run_id[:8]}  {run.started[:19].replace('T', ' ')}  {run.profile:<20}"
    return printable(f"{head}  {_end(summary):<14}  {_seen(summary)}".rstrip())


def _end(summary: Summary | None) -> str:
    if summary is None:
        return "no end"
    return summary.interrupted or f"exit {summary.exit_code}"


def _seen(summary: Summary | None) -> str:
    if summary is None:
        return ""
    ports = [f"{number} {state}" for state in State if (number := summary.counts.get(state, 0))]
    judged = [f"{number} {outcome}" for outcome in Outcome if (number := summary.findings.get(outcome, 0))]
    return " · ".join([*ports, *judged])
