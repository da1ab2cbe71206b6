"""nmap's best accurate `--min-rate`: which one takes the least time and still misses nothing, on any job.

    .venv/bin/python -m lab.bench.minrate [--rounds N] [--jobs ports,net]

Its choice stands in `contenders`, as `BEST`.
"""

from __future__ import annotations

from lab.bench import contenders, speed

TIMINGS, RATES = ("-T4", "-T5"), (5_000, 20_000, 50_000, 100_000, 300_000)


def main() -> None:
    contenders.CONTENDERS[:] = [
        contenders.nmap(timing, "--min-rate", str(rate)) for timing in TIMINGS for rate in RATES
    ]
    speed.main()


if __name__ == "__main__":
    main()
