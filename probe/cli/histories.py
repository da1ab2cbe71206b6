"""`probe runs`, `show` and `diff`, and the history that `run` and `scan` write to."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from probe.cli.profiles import outputs
from probe.errors import ProbeError, Problem, ProfileError, UsageError
from probe.model import PortKey, Profile, RunInfo, ScanOptions, Verdict

if TYPE_CHECKING:
    from probe.judge import Baselines
    from probe.report.archive import Archive
    from probe.report.compared import Baseline, Compared
    from probe.report.reports import Reports


def default_path() -> str:
    """The user's own history."""
    return os.path.join(state_folder(), "history.sqlite")


def state_folder() -> str:
    """Where the XDG base directory specification puts state."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # "All paths set in these environment variables must be absolute. If [not], consider the path invalid."
    folder = state if os.path.isabs(state) else os.path.expanduser("~/.local/state")
    return os.path.join(folder, "probe")


def remember(reports: Reports, profile: Profile, options: Namespace) -> None:
    """Let the run be written to its history. Raises UsageError for a path that was asked for and cannot be one.

    Where the user's own cannot be made (no home, a read-only one), it is told and the run goes on: nobody asked for it.
    """
    if options.no_history:
        return
    from probe.report.database import Database
    from probe.report.history import HistorySink

    keep = profile.results.keep if profile.results else None
    asked = _asked_for(profile, options)
    try:
        reports.also(lambda: HistorySink(Database.open(asked or default_path(), create=True), keep))
    except UsageError as error:
        if asked:
            raise
        sys.stderr.write(f"probe: this run is not remembered: {error}\n")


def baseline(profile: Profile, options: Namespace) -> Baseline:
    """What the HTML page compares a run with: the one before it in the history."""
    return _before(_asked_for(profile, options) or default_path())


def _before(path: str) -> Baseline:
    def compared(run: RunInfo) -> Compared | None:
        from probe.report.archive import Archive

        try:
            with Archive.open(path) as archive:
                return archive.before(run)
        except ProbeError:  # no history, or one that cannot be read: whoever writes to it says so
            return None

    return compared


def _asked_for(profile: Profile, options: Namespace) -> str | None:
    return options.history or (profile.results.history if profile.results else None)


def baselines(profile: Profile, options: Namespace) -> Baselines:
    """The runs that the profile's expectations compare with. Raises ProfileError where there is no such run."""
    named = {line.baseline: line for line in reversed(profile.expectations) if line.baseline}
    if not named:
        return {}
    path = _asked_for(profile, options) or default_path()
    found: dict[str, Mapping[PortKey, Verdict]] = {}
    for name, line in named.items():
        try:
            found[name] = _verdicts_of(name, profile, path)
        except ProbeError as error:
            said = f"no baseline to compare with: {error}"
            raise ProfileError([Problem(profile.path, line.line, line.column, said)]) from error
    return found


def _verdicts_of(name: str, profile: Profile, path: str) -> Mapping[PortKey, Verdict]:
    """`last` is the last run of this profile, whatever ran since; a file is beside the profile."""
    from probe.report.archive import Archive
    from probe.report.reading import read_run

    if _is_file(name):
        folder = "" if profile.path.startswith("<") else os.path.dirname(profile.path)
        return read_run(os.path.normpath(os.path.join(folder, name))).verdicts
    if name.partition("~")[0] == "last":
        name = profile.name + name.removeprefix("last")
    with Archive.open(path) as archive:
        return {verdict.key: verdict for verdict in archive.verdicts(archive.find(name))}


def runs(options: Namespace) -> int:
    """One line per run, the newest first; with --keep, forget the others before."""
    if options.keep is not None:
        _forget(options)
    from probe.report.listing import line

    with _archive(options) as archive:
        for entry in archive.runs(options.profile, options.limit or -1):
            print(line(entry))  # noqa: T201
    return 0


def show(options: Namespace) -> int:
    """The run again, in every format that is asked for; 3 where one could not be written."""
    from probe.report.reports import Reports, outputs_of

    specs = outputs_of("", None, outputs(options))
    with Reports.open(specs, baseline=_before(options.history or default_path())) as reports:
        if _is_file(options.run):
            from probe.report.reading import read_run, replay

            replay(read_run(options.run), reports)
        else:
            with _archive(options) as archive:
                archive.replay(archive.find(options.run), reports)
    for problem in reports.problems:
        sys.stderr.write(f"probe: {problem}\n")
    return 3 if reports.problems else 0


def merge(options: Namespace) -> int:
    """The runs in the files as one, judged again; its exit code."""
    from probe.report.merging import Part, merge
    from probe.report.reading import read_run, replay
    from probe.report.reports import Reports, outputs_of

    specs = outputs_of("", None, outputs(options))
    merged, missing = merge(
        [Part(path, read_run(path)) for path in options.files], os.urandom(8).hex(), strict=options.strict
    )
    profile = Profile(merged.run.profile, "", ScanOptions())
    with Reports.open(specs, baseline=baseline(profile, options)) as reports:
        remember(reports, profile, options)
        replay(merged, reports)
    for problem in [*missing, *reports.problems]:
        sys.stderr.write(f"probe: {problem}\n")
    assert merged.summary
    return merged.summary.exit_code or (3 if reports.problems else 0)


def diff(options: Namespace) -> int:
    from probe.report.diffs import open_outputs, write

    outs = open_outputs(outputs(options))
    try:
        compared = _compared(options)
        write(compared, outs)
    except BaseException:
        for _, out in outs:
            out.abandon(keep=False)
        raise
    return compared.exit_code


def _compared(options: Namespace) -> Compared:
    """Two stored runs are compared in the database, anything else in memory."""
    from probe.judge.diff import compare
    from probe.report.compared import Compared
    from probe.report.reading import Recorded, read_run

    if not _is_file(options.old) and not _is_file(options.new):
        with _archive(options) as archive:
            old, new = archive.find(options.old), archive.find(options.new)
            return Compared(old.run, new.run, archive.compare(old, new), old.complete and new.complete)

    def recorded(name: str) -> Recorded:
        if _is_file(name):
            return read_run(name)
        with _archive(options) as archive:
            entry = archive.find(name)
            verdicts = {verdict.key: verdict for verdict in archive.verdicts(entry)}
            return Recorded(entry.run, verdicts, summary=entry.summary)

    before, after = recorded(options.old), recorded(options.new)
    complete = before.complete and after.complete
    return Compared(before.run, after.run, compare(before.verdicts, after.verdicts), complete)


def _is_file(name: str) -> bool:
    """A path, as opposed to the name of a run: it looks like one, or something is there."""
    return os.sep in name or name.endswith((".jsonl", ".partial")) or os.path.isfile(name)


def _archive(options: Namespace) -> Archive:
    from probe.report.archive import Archive

    return Archive.open(options.history or default_path())


def _forget(options: Namespace) -> None:
    from probe.profile.values import keep
    from probe.report.database import Database
    from probe.report.retention import prune

    try:
        kept = keep(options.keep)
    except ValueError as error:
        raise UsageError(f"--keep: {error}") from error
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    database = Database.open(options.history or default_path(), create=False)
    with closing(database), database.transaction() as sql:
        forgotten = prune(sql, kept, now=now, profile=options.profile)
    sys.stderr.write(f"probe: {forgotten} runs forgotten\n")
