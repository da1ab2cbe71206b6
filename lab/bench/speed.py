"""The race: every scanner, every job, interleaved, medians.

    .venv/bin/python -m lab.bench.speed [--rounds N] [--jobs ports,net] [--only probe,masscan] [--markdown]

As root, or as an ordinary user without the AF_XDP wire. Peers are unpacked by `sh lab/debs.sh masscan zmap nmap`.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bench.arena import JOBS, SINK, Job, arena
from lab.bench.contenders import CONTENDERS, Contender, installed
from lab.bench.measure import Run, run
from probe.lab import Lab

COLUMNS = ("scanner", "seconds", "probes/s", "sent/s", "CPU s", "µs/probe", "MB", "found", "missed", "false", "× probe")

DECIDED = re.compile(r'"state":"(?:open|closed)"|^(?:open|closed) ', re.MULTILINE)  # a line of probe's or masscan's


@dataclass(frozen=True, slots=True)
class Result:
    """One run and what it found: open ports, and in the job of answers all that were decided by one."""

    run: Run
    found: int
    missed: int
    false: int


def main() -> None:
    options = _options()
    jobs = [job for job in JOBS if job.name in options.jobs]
    contenders = [each for each in CONTENDERS if any(each.name.startswith(name) for name in options.only)]
    results: dict[tuple[str, str], list[Result]] = {}
    with arena() as lab, tempfile.TemporaryDirectory() as folder:
        gateways = {job.name: _gateway(lab, job) for job in jobs}
        for _ in range(options.rounds):
            for job in jobs:
                for contender in contenders:
                    result = _race(lab, job, contender, gateways[job.name], Path(folder))
                    if result:
                        results.setdefault((job.name, contender.name), []).append(result)
    for job in jobs:
        _print(
            job, {each.name: results[job.name, each.name] for each in contenders if (job.name, each.name) in results}
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=_names, default=[job.name for job in JOBS])
    parser.add_argument("--only", type=_names, default=[each.name for each in CONTENDERS], help="beginnings of names")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    return text.split(",")


def _gateway(lab: Lab, job: Job) -> str:
    """The link address that raw frames must be sent to: the target's, or that of nobody."""

    if job.name == "sink":
        return SINK[1]
    asked = (
        "from probe.net.netlink import links; [print(x.mac.hex(':')) for x in links().values() if x.name == 'cable']"
    )
    return lab.run("target", [sys.executable, "-c", asked], check=True).stdout.strip()


def _race(lab: Lab, job: Job, contender: Contender, gateway: str, folder: Path) -> Result | None:
    output = folder / "output"
    output.unlink(missing_ok=True)
    argv = contender.command(job, output, gateway)
    if argv is None:
        return None
    command, environment = installed(contender, argv)
    environment["XDG_STATE_HOME"] = str(folder)  # nobody's history is filled, and none is long
    done = run(lab, command, environment, job.seconds, folder / "log")
    print(f"{job.name}: {contender.name} {done.wall:.2f} s", file=sys.stderr, flush=True)
    if done.failed:
        print(f"{job.name}: {contender.name} {done.failed}", flush=True)
        return None
    text = output.read_text(errors="replace") if output.exists() else ""
    if job.name == "answers":
        decided = len(DECIDED.findall(text))
        return Result(done, decided, job.probes - decided, 0)
    found = contender.read(text.splitlines())
    return Result(done, len(found & job.open), len(job.open - found), len(found - job.open))


def _print(job: Job, results: dict[str, list[Result]]) -> None:
    print(f"\n{job.name}: {job.about}\n")
    print("| " + " | ".join(COLUMNS) + " |\n|---" + "|--:" * (len(COLUMNS) - 1) + "|")
    ours = _median([r.run.wall for r in results.get("probe", [])])
    for name, some in results.items():
        wall, cpu = _median([r.run.wall for r in some]), _median([r.run.cpu for r in some])
        cells = [
            f"{wall:.2f}",
            f"{job.probes / wall:,.0f}",
            f"{_median([r.run.rate for r in some]):,.0f}",
            f"{cpu:.2f}",
            f"{cpu / job.probes * 1e6:.2f}",
            f"{_median([r.run.memory for r in some]):.0f}",
            *(str(max(getattr(r, what) for r in some)) for what in ("found", "missed", "false")),
            f"{wall / ours:.2f}" if ours else "",
        ]
        print("| " + " | ".join([name, *cells]) + " |", flush=True)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


if __name__ == "__main__":
    main()
