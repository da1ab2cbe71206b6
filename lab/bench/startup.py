"""How long people wait for nothing: start-up of `probe --help`, and a 1,000-port scan beyond its waiting time.

    .venv/bin/python lab/bench/startup.py

The scan runs in the office lab, of one host that drops nearly everything: attempts × timeout is unavoidable, the rest
is ours.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from probe import lab as labs

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS = 15
ATTEMPTS, TIMEOUT_S = 2, 0.3


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def help_page() -> None:
    commands = {"python -c pass": [sys.executable, "-c", "pass"], "probe --help": [_probe(), "--help"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(seconds(command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:<16} {median * 1000:6.1f} ms")
    print(f"{'ratio':<16} {medians['probe --help'] / medians['python -c pass']:6.2f}   (at most 4 is wanted)")


def thousand_ports() -> None:
    arguments = ["-p", "1-1000", "--attempts", str(ATTEMPTS), "--timeout", f"{TIMEOUT_S}s", "--rate", "20000"]
    command = [_probe(), "scan", "198.18.1.10", *arguments, "-o", "jsonl:-"]
    whole, scan = [], []
    with labs.up(labs.load(str(REPOSITORY / "lab/office.yaml")), owner="process") as lab:
        for _ in range(5):
            began = time.perf_counter()
            done = lab.run("internet", command, check=True)
            whole.append(time.perf_counter() - began)
            scan.append(float(json.loads(done.stdout.splitlines()[-1])["duration_s"]))
    waiting = ATTEMPTS * TIMEOUT_S
    for name, values in (("scan", scan), ("whole process", whole)):
        print(f"1000 ports, {name:<14} {statistics.median(values) - waiting:5.2f} s beyond {waiting:.1f} s of waiting")


def _probe() -> str:
    return str(Path(sys.executable).parent / "probe")


if __name__ == "__main__":
    help_page()
    thousand_ports()
