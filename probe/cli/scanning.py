"""`probe run` and `probe scan`: everything that sends packets."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from probe.cli.histories import baseline, baselines, remember
from probe.cli.profiles import (
    from_command_line,
    lab_lookup,
    load_profile,
    outputs,
    search_from_command_line,
    system_lookup,
)
from probe.model import OutputSpec, Profile
from probe.profile import Lookup, resolve

if TYPE_CHECKING:
    from probe.report.reports import Reports
    from probe.run import Job

# Read when numpy is imported. Its BLAS would start a thread for every core, and those spin for work that never comes:
# 50 ms of CPU, for a program that multiplies no matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def run(options: Namespace) -> int:
    profile = load_profile(options.profile)
    if options.seed is not None:
        profile = replace(profile, scan=replace(profile.scan, seed=options.seed))
    with vantage_of(profile) as lookup:
        return _scan(profile, lookup, options, trust_names=False, strict=options.strict)


def scan(options: Namespace) -> int:
    return _scan(from_command_line(options), system_lookup, options, trust_names=True, strict=False)


def find(options: Namespace) -> int:
    """A scan that reports the ports where the service answers, and judges nothing but whether there is one."""
    return _scan(search_from_command_line(options), system_lookup, options, trust_names=True, strict=False)


def learn(options: Namespace) -> int:
    """A scan whose only output is the profile that expects what it saw."""
    profile = from_command_line(options)
    resolution = resolve(profile, system_lookup, trust_names=True)
    from probe.report.files import StandardOutput
    from probe.report.profile import ProfileSink
    from probe.report.progress import progress_for
    from probe.report.reports import Reports

    progress = progress_for(sys.stderr, wanted=not options.no_progress)
    out = StandardOutput()
    with Reports.of(ProfileSink(out, profile.scan), out) as reports:
        remember(reports, profile, options)
        from probe.run import Job, run

        return run(Job(profile, resolution, options.wire), reports, progress)


@contextlib.contextmanager
def vantage_of(profile: Profile) -> Iterator[Lookup]:
    """Where the profile scans from: its lab, built, with this process on the vantage host; or simply here.

    Yields how names are looked up there. Nothing heavy may be imported before: see `probe.lab.Lab.enter`.
    """
    if profile.lab is None:
        yield system_lookup
        return
    from probe import lab

    topology = lab.load(profile.lab)
    with lab.up(topology, owner="process") as network:
        network.enter(profile.vantage or network.hosts[0])
        yield lab_lookup(network)


def _scan(profile: Profile, lookup: Lookup, options: Namespace, *, trust_names: bool, strict: bool) -> int:
    resolution = resolve(profile, lookup, trust_names=trust_names)
    from probe.report.progress import progress_for
    from probe.report.reports import Reports, outputs_of

    specs = outputs_of(profile.name, profile.results, outputs(options))
    progress = progress_for(sys.stderr, wanted=not (options.no_progress or _streams_to_terminal(specs)))
    compared_with = baselines(profile, options)
    with Reports.open(specs, profile.results, baseline(profile, options)) as reports:
        remember(reports, profile, options)
        from probe.run import Job, run

        shard = getattr(options, "shard", (0, 1))
        job = Job(profile, resolution, options.wire, strict, compared_with, shard)
        if getattr(options, "until", None) is None:
            return run(_journalled(job, reports, options), reports, progress)
        from probe.converge import converge

        return converge(job, reports, progress, within_s=options.until, stable=max(options.stable, 1))


def _streams_to_terminal(specs: Iterable[OutputSpec]) -> bool:
    """Whether records are shown as they come: the progress line would be written into them, and over them."""
    return sys.stdout.isatty() and any(spec.path == "-" and spec.format != "table" for spec in specs)


def _journalled(job: Job, reports: Reports, options: Namespace) -> Job:
    """`probe run` keeps a journal, `probe scan` does not: a quick look is repeated as quickly."""
    if not hasattr(options, "resume"):
        return job
    from probe.cli.journals import keep_journal

    return keep_journal(job, reports, resume=options.resume)
