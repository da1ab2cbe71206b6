"""`python -m tests.fuzz --frames 10000000`: the fuzz run at length. See run.py, and README.md for what came out."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.run import fuzz
from tests.fuzz.table import table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()

    def tell(done: int) -> None:
        sys.stderr.write(f"\r{done:,} frames, {done / (time.monotonic() - started):,.0f} a second ")

    outcomes = fuzz(options.frames, options.seed, tell)
    sys.stdout.write(table(outcomes))
    sys.stderr.write(f"\nseed {options.seed}: no difference in {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()
