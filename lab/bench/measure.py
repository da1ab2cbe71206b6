"""One run of a scanner on a lab host: how long, how much CPU, how much memory, and what went through the cable."""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from probe.lab import Lab, namespaces

STEP = 0.02


@dataclass
class Run:
    """Seconds, CPU seconds, MB at the peak, packets sent and received on the cable; `rate` is the median of the packets
    a second of those steps in which anything much was sent. `failed` says how it ended, if not well."""

    wall: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    sent: int = 0
    received: int = 0
    rate: float = 0.0
    failed: str = ""
    samples: list[tuple[float, int]] = field(default_factory=list, repr=False)


def run(lab: Lab, argv: list[str], environment: dict[str, str], limit: float, log: Path) -> Run:
    """Runs a command on the host `scanner`; ends it after `limit` seconds."""
    result = Run()
    network, user = lab._networks["scanner"], lab._user
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: namespaces.enter_network(network, user),
        )
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, result, ended, began + limit))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        result.wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    watcher.join()
    result.cpu = usage.ru_utime + usage.ru_stime
    result.rate = _steady(result.samples)
    if process.returncode not in (0, 1, 3):  # what probe says of its findings
        result.failed = f"ended with {process.returncode}: {log.read_text(errors='replace')[-300:].strip()}"
    return result


def _watch(pid: int, result: Run, ended: threading.Event, until: float) -> None:
    """Samples the process and its cable until it has ended; past its time it is ended."""
    first: tuple[int, int] | None = None
    while not ended.wait(STEP):
        if time.perf_counter() > until:
            os.kill(pid, 15)
            until += 5
        try:
            counters = _cable(pid)
            peak = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
        except OSError:
            continue
        first = first or counters
        result.memory = max(result.memory, int(peak[0].split()[1]) / 1024 if peak else 0.0)
        result.sent, result.received = counters[0] - first[0], counters[1] - first[1]
        result.samples.append((time.perf_counter(), result.sent))


def _cable(pid: int) -> tuple[int, int]:
    """Packets sent and received by the interface `cable`, as the process sees it."""
    for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "cable":
            columns = numbers.split()
            return int(columns[9]), int(columns[1])
    raise OSError("the process is not on the host yet")


def _steady(samples: list[tuple[float, int]]) -> float:
    """Packets a second: the median of the steps in which a fifth of the busiest one's or more was sent."""
    steps = [(late - early, after - before) for (early, before), (late, after) in pairwise(samples)]
    rates = [packets / seconds for seconds, packets in steps if seconds > 0]
    busy = [rate for rate in rates if rate >= max(rates) / 5 and rate > 0]
    return statistics.median(busy) if busy else 0.0
