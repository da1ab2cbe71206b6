"""Where the nanoseconds of the hot path go: CPU time per packet of each stage, in the interpreter and in the kernel.

    .venv/bin/python -m lab.bench.stages

Sends a million probes that resets answer, and some more into nothing, in the arena of `lab.bench.speed`. CPU time is
hardly touched by other programs, but caches are shared with them: a quiet machine gives lower numbers.
"""

from __future__ import annotations

import ipaddress
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from lab.bench.arena import REPOSITORY, arena
from probe.core.block import Block, split
from probe.core.plan import Scope
from probe.core.scan import Scan
from probe.errors import WireError
from probe.model import AddressRange
from probe.net.craft import syn_templates
from probe.net.hops import Hops, Tables
from probe.net.intervals import keys_of
from probe.net.routes import local_side
from probe.net.wire import _destinations
from probe.net.wires import open_wire

BATCH, PORT, ROUNDS = 4096, 40000, 256
NOTHING, ANSWERED = "198.18.64.0", "198.19.0.0"
MOST_SECONDS = 120.0


@dataclass
class Clock:
    """CPU nanoseconds of this thread by stage: all, and those of them that the kernel spent for it."""

    spent: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int], None]]:
        """Yields what is to be told the number of packets."""
        entry = self.spent.setdefault(name, [0, 0, 0])

        def count(packets: int) -> None:
            entry[2] += packets

        whole, system = time.thread_time_ns(), _system_ns()
        yield count
        entry[0] += time.thread_time_ns() - whole
        entry[1] += _system_ns() - system

    def table(self) -> str:
        lines = ["| stage | packets | ns in Python and numpy | ns in the kernel |", "|---|--:|--:|--:|"]
        for name, (whole, system, packets) in self.spent.items():
            if packets:
                own, kernel = max(0.0, whole - system) / packets, system / packets
                lines.append(f"| {name} | {packets:,.0f} | {own:,.0f} | {kernel:,.0f} |")
        return "\n".join(lines)


def _system_ns() -> float:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_stime * 1e9


def main() -> None:
    with arena() as lab:
        command = lab.command("scanner", [sys.executable, "-m", "lab.bench.stages", "inside"])
        subprocess.run(command, cwd=REPOSITORY, check=True, timeout=MOST_SECONDS)


def inside() -> None:
    """On the scanner's host."""
    clock = Clock()
    answered(clock)
    for name in ("raw", "packet", "xdp"):
        into_nothing(clock, name)
    print(clock.table())


def answered(clock: Clock) -> None:
    """Every stage of a probe that is answered by a reset."""
    wire, scan, hops = open_wire("packet", PORT), scan_of(ANSWERED, 65536, range(1000, 1016)), Hops(4, Tables.now())
    first = int(ipaddress.ip_address(ANSWERED))
    scope = Scope([AddressRange(4, first, first + 65535)])
    for _ in range(ROUNDS):
        now = time.monotonic()
        with clock.stage("choose what is due") as count:
            tickets = scan.due(now, BATCH)
            count(len(tickets))
        with clock.stage("stamp frames: cookie, fields, checksums") as count:
            parts = scan.frames(tickets, now)
            count(len(tickets))
        for part, rows in parts:
            with clock.stage("look at the scope once more") as count:
                assert scope.allows(*_destinations(rows)).all()
                count(len(rows))
            with clock.stage("find next hops (a part of sending)") as count:
                hops.find(keys_of(rows))
                count(len(rows))
            with clock.stage("send, packet wire; in it the target's kernel answers") as count:
                left = wire.send(rows).rows(len(rows))
                count(len(rows))
            with clock.stage("note what left") as count:
                scan.sent(part[left], now)
                count(len(part))
        receiving = True
        while receiving:
            with clock.stage("take answers from the ring") as count:
                batch = wire.receive()
                count(len(batch) if batch else 0)
            receiving = batch is not None
            if batch:
                with clock.stage("parse, validate and enter answers") as count:
                    scan.receive(batch, time.monotonic())
                    count(len(batch))
    wire.close()


def into_nothing(clock: Clock, name: str) -> None:
    """What sending alone takes."""
    try:
        wire = open_wire(name, PORT)
    except WireError as error:
        print(error, file=sys.stderr)
        return
    scan = scan_of(NOTHING, 256, range(1, 65))
    ((_, rows),) = scan.frames(scan.due(0.0, BATCH), 0.0)
    for _ in range(ROUNDS // 4):
        with clock.stage(f"send into nothing, {name} wire") as count:
            wire.send(rows)
            count(len(rows))
    wire.close()


def scan_of(network: str, hosts: int, ports: range) -> Scan:
    """Probes of the first addresses of a network."""
    low = np.arange(hosts, dtype=np.uint64) + np.uint64(split(ipaddress.ip_address(network))[1])
    block = Block(np.zeros_like(low), low, np.array(ports, np.uint16))
    return Scan(block, local_side(block, PORT)[0], syn_templates(), 1, attempts=1, timeout=1.0)


if __name__ == "__main__":
    inside() if sys.argv[1:] == ["inside"] else main()
