"""The corpus with probe and with nmap, masscan and zmap beside it: who is right, case by case.

    .venv/bin/python -m lab.bench.truth                        the table
    .venv/bin/python -m lab.bench.truth --only 'banned|loss'   some cases
    .venv/bin/python -m lab.bench.truth --markdown             what the README shows

Every scanner runs in the namespaces of a case, never outside, with its own careful defaults and as many packets as
probe may send. It is held to the state alone (open, closed, filtered): only probe says why. What it does not mention it
takes for not open. Where the truth is that nothing may be concluded, a confident word is wrong.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from lab.bench.truth import tables
from lab.bench.truth.peers import PEERS, REPOSITORY
from lab.bench.truth.score import SCANNERS, Score, scores
from tests.cases.corpus import FOLDER, Case, corpus

LARGE = REPOSITORY / "lab/bench/truth/large"
AT_ONCE = 8
Scores = dict[str, dict[str, Score]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.bench.truth", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="REGEX", help="cases whose id or family has a match")
    parser.add_argument("--scanners", default=",".join(SCANNERS), help="which of them, separated by commas")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="cases that play at a time")
    parser.add_argument("--markdown", action="store_true", help="tables for the README")
    parser.add_argument("--why", action="store_true", help="say of every wrong case what is wrong")
    options = parser.parse_args()
    scanners = options.scanners.split(",")
    missing = [peer.name for peer in PEERS if peer.name in scanners]
    subprocess.run(["sh", str(REPOSITORY / "lab/debs.sh"), *missing], stdout=sys.stderr, check=True)
    for folder, at_once in ((FOLDER, options.at_once), (LARGE, 1)):
        cases = [case for case in corpus(folder) if re.search(options.only, f"{case.family} {case.id}")]
        if cases:
            table = played(cases, scanners, folder, at_once, options.why)
            show(cases, table, options.markdown, measured=folder == LARGE)
    return 0


def played(cases: list[Case], scanners: list[str], folder: Path, at_once: int, why: bool) -> Scores:
    table: Scores = {case.id: {} for case in cases}
    for scanner in scanners:
        for number, (case, score) in enumerate(scores(cases, scanner, folder, at_once), 1):
            table[case.id][scanner] = score
            sys.stderr.write(f"\r\x1b[K{scanner} {number}/{len(cases)}")
            if why and score.mark:
                sys.stderr.write(f"\r\x1b[K{scanner} {case.id}: {tables.word(score)}: {score.note}\n")
        sys.stderr.write("\r\x1b[K")
    return table


def show(cases: list[Case], table: tables.Table, markdown: bool, measured: bool) -> None:
    if measured:
        print("", *tables.measured(cases, table), sep="\n")
    elif markdown:
        print(*tables.markdown(cases, table), "", *tables.case_by_case(cases, table), sep="\n")
    else:
        print(*tables.lines(cases, table), sep="\n")


if __name__ == "__main__":
    raise SystemExit(main())
