"""The journal of `probe run`: where it lies, and the run that it lets go on."""

from __future__ import annotations

import hashlib
import os
import sys

from msgspec.structs import replace

from probe.cli.histories import state_folder
from probe.errors import UsageError
from probe.profile.fingerprint import fingerprint
from probe.report.journal import Journal, JournalSink, read_journal
from probe.report.reports import Reports
from probe.run import Job


def keep_journal(job: Job, reports: Reports, *, resume: bool) -> Job:
    """Let the run be journalled; with `resume`, the job that goes on where the last run of this profile stopped.

    Raises UsageError where that run was of another profile, ResultsError where its journal cannot be read.
    """
    mark = fingerprint(job.profile, job.resolution, job.shard)
    path = _path(job)
    try:
        resumed = _unfinished(path, mark) if resume else None
        reports.also(lambda: JournalSink(path, mark, resumed))
    except UsageError:
        if resume:
            raise
        return job  # nobody asked for one, and where it cannot be kept the history says so
    if resumed is None:
        return job
    sys.stderr.write(f"probe: going on with run {resumed.run.run_id}: {len(resumed.verdicts)} ports are decided\n")
    profile = replace(job.profile, scan=replace(job.profile.scan, seed=resumed.run.seed))
    return replace(job, profile=profile, resumed=resumed)


def _path(job: Job) -> str:
    """One for each profile file and shard."""
    place = f"{os.path.abspath(job.profile.path)} {job.shard}"
    return os.path.join(
        state_folder(), "journals", f"{job.profile.name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}.jsonl"
    )


def _unfinished(path: str, mark: str) -> Journal | None:
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        sys.stderr.write("probe: there is no unfinished run of this profile; starting one\n")
        return None
    journal = read_journal(path)
    if journal.fingerprint != mark:
        raise UsageError(
            f"the profile, or what its names resolve to, has changed since run {journal.run.run_id} was interrupted; "
            "it cannot be resumed (leave out --resume to start anew)"
        )
    return journal
