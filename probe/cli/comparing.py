"""`probe diff`: two runs, and what changed between them."""

from __future__ import annotations

from argparse import Namespace

from probe.cli.profiles import outputs


def diff(options: Namespace) -> int:
    from probe.judge.diff import compare
    from probe.report.compared import Compared
    from probe.report.diffs import open_outputs, write
    from probe.report.reading import read_run

    old, new = read_run(options.old), read_run(options.new)
    compared = Compared(old.run, new.run, compare(old.verdicts, new.verdicts), old.complete and new.complete)
    write(compared, open_outputs(outputs(options)))
    return compared.exit_code
