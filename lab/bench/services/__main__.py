"""Puts the daemons on stage, lets both scanners look at them, and prints who was right.

.venv/bin/python -m lab.bench.services                   # all
.venv/bin/python -m lab.bench.services openssh redis     # some
.venv/bin/python -m lab.bench.services --markdown        # as in the README
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.bench.services import capture, catalog, fetch, table
from lab.bench.services.compare import Comparison, compare
from lab.bench.services.stage import play
from probe import lab as labs

TOPOLOGY = Path(__file__).with_name("topology.yaml")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.bench.services", description="probe beside nmap -sV")
    parser.add_argument("daemons", metavar="DAEMON", nargs="*", help="only these (default: all)")
    parser.add_argument("--seed", type=int, help="draw the same ports as an earlier run")
    parser.add_argument("--markdown", action="store_true", help="print tables for a README")
    parser.add_argument("--each", action="store_true", help="also time a scan of each daemon alone")
    parser.add_argument("--capture", metavar="FOLDER", type=Path, help="write down raw answers instead of scanning")
    return parser.parse_args()


def main() -> int:
    chosen = options()
    entries = _to_be_had(catalog.load(chosen.daemons))
    seed = secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed
    with (
        tempfile.TemporaryDirectory() as folder,
        labs.up(labs.load(str(TOPOLOGY)), owner="process") as lab,
        play(lab, entries, seed, Path(folder)) as actors,
    ):
        print(f"{len(actors)} of {len(entries)} daemons run (--seed {seed})", file=sys.stderr)
        if chosen.capture:
            capture.write(actors, chosen.capture)
        elif actors:
            _show(compare(actors, each=chosen.each), chosen.markdown)
    return 0


def _show(result: Comparison, markdown: bool) -> None:
    form = table.markdown if markdown else table.plain
    print(form(table.daemons(result.rows)), form(table.totals(result.rows, result.seconds)), sep="\n\n")


def _to_be_had(entries: Sequence[catalog.Entry]) -> list[catalog.Entry]:
    missing = fetch.fetch(["nmap", *(package for entry in entries for package in entry.packages)])
    return [entry for entry in entries if not set(missing) & set(entry.packages)]


if __name__ == "__main__":
    sys.exit(main())
