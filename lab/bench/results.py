"""What a verdict costs on its way from the engine's columns to each file: CPU nanoseconds and memory, nothing is sent.

    .venv/bin/python -m lab.bench.results            # a million verdicts, format by format
    .venv/bin/python -m lab.bench.results --large    # 16 million, block by block: does anything grow with them?

The columns are those of 16 hosts with all their ports: most closed, each with its own round-trip time, 1 in 500 silent,
a few open; and, with `hosts`, of one port of 65,536 hosts. `one by one` is the way of verdicts that somebody looks at.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

import numpy as np

from probe.core.assess import Assessment, Circumstances
from probe.core.block import Block, split
from probe.core.ledger import ECHOED, LOOKED, RESET_SEEN, SYN_ACK_SEEN, Local
from probe.core.scan import Scan
from probe.model import OutputSpec, RunInfo, State, Summary
from probe.net.craft import syn_templates
from probe.report import Sink
from probe.report.database import Database
from probe.report.history import HistorySink
from probe.report.journal import JournalSink
from probe.report.reports import Reports
from probe.sweep import Sweep

RUN = RunInfo("0000", "bench", None, "2026-01-02T03:04:05.000Z", 7, "raw", "0")
END = Summary(True, 0, dict.fromkeys(State, 0), 1, 1, 0, 1.0)
BLOCKS = 16
Value = TypeVar("Value")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--formats", default="jsonl,csv,table,html")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.large:
            large(Path(folder), options.formats.split(","))
        else:
            for what, scan in (("16 hosts × 65,535", finished(16, range(1, 65536))), ("65,536 hosts × 1", hosts())):
                print(f"| {what} | user ns | kernel ns |\n|---|--:|--:|")
                each(Path(folder), scan, options.formats.split(","))


def finished(hosts: int, ports: Sequence[int], first: int = 0) -> Scan:
    """The scan of a block as it is when the last packet has come. `first` is the number of its first host."""
    addresses = [split(ip_address(0xC6130000 + first + number)) for number in range(hosts)]
    high, low = np.array(addresses, np.uint64).T.copy()
    block = Block(high, low, np.array(ports, np.uint16))
    scan = Scan(block, Local(block.high, block.low, 40000), syn_templates(), 7, 3, 1.0, 0.999, second_look=True)
    chance = np.random.default_rng(first)
    scan.seen[:], scan.ttl[:], scan.flags[:], scan.look[:] = RESET_SEEN, 64, 0x14, LOOKED | ECHOED
    scan.tries[:] = 1 + (chance.random(block.slots) < 0.001)
    scan.rtt[:] = chance.random(block.slots) * 0.02
    opened, silent = (chance.choice(block.slots, block.slots // share + 1) for share in (5000, 500))
    scan.seen[opened], scan.flags[opened], scan.window[opened] = SYN_ACK_SEEN, 0x12, 65160
    scan.seen[silent], scan.ttl[silent], scan.flags[silent], scan.look[silent] = 0, 0, 0, 0
    scan.rtt[silent], scan.tries[silent], scan.quiet[silent], scan.silence[silent] = np.nan, 3, 3, 20
    scan.hosts.gives[:], scan.hosts.last_good[:] = 3, 1e9
    return scan


def hosts() -> Scan:
    return finished(65536, [80])


def judged(scan: Scan) -> Iterable[Sweep]:
    return Assessment(scan, Circumstances(), lambda _: "net", lambda _: None).sweeps()


def each(folder: Path, scan: Scan, formats: Sequence[str]) -> None:
    slots = scan.block.slots
    sweeps = measured("judge", slots, lambda: list(judged(scan)))
    for kind in formats:
        measured(kind, slots, partial(tell, Reports.open([OutputSpec(kind, str(folder / kind))]), sweeps))
    measured("journal", slots, partial(tell, JournalSink(str(folder / "journal"), "mark"), sweeps))
    database = Database.open(str(folder / "history"), create=True)
    measured("history", slots, partial(tell, HistorySink(database), sweeps))
    slow = Reports.open([OutputSpec("jsonl", str(folder / "slow"))])
    measured("jsonl, one by one", len(sweeps[0]), partial(one_by_one, slow, sweeps[:1]))


def measured(what: str, verdicts: int, action: Callable[[], Value]) -> Value:
    before = resource.getrusage(resource.RUSAGE_SELF)
    value = action()
    after = resource.getrusage(resource.RUSAGE_SELF)
    user, kernel = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(f"| {what} | {user / verdicts * 1e9:,.0f} | {kernel / verdicts * 1e9:,.0f} |", flush=True)
    return value


def tell(sink: Sink, sweeps: Iterable[Sweep]) -> None:
    sink.start(RUN)
    for sweep in sweeps:
        sink.ports(sweep)
    sink.finish(END)


def one_by_one(sink: Sink, sweeps: Iterable[Sweep]) -> None:
    sink.start(RUN)
    for sweep in sweeps:
        for verdict in sweep:
            sink.port(verdict)
    sink.finish(END)


def large(folder: Path, formats: Sequence[str]) -> None:
    """Peak memory after each block: the first ones show what one block takes, the last ones what stays of them."""
    reports = Reports.open([OutputSpec(kind, str(folder / kind)) for kind in formats])
    reports.start(RUN)
    began = time.process_time()
    for number in range(BLOCKS):
        for sweep in judged(finished(16, range(1, 65536), 16 * number)):
            reports.ports(sweep)
        gc.collect()  # as `probe.net.syn` does: a scan is a cycle of large objects
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{number + 1:2} million: {peak:.0f} MB, {time.process_time() - began:.1f} s of CPU", file=sys.stderr)
    reports.finish(END)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{' and '.join(formats)}: {peak:.0f} MB, {time.process_time() - began:.1f} s of CPU")


if __name__ == "__main__":
    main()
