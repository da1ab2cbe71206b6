"""How long the history takes for a large run: stored (2 s is wanted at most), compared (1 s), read again.

    .venv/bin/python lab/bench/history.py

300 hosts of 1,000 ports: most dropped, some refused with a round-trip time of their own, a few open with a banner; then
the same again with a handful of changes, as after a rule change.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from probe.judge import judge_port
from probe.model import (
    Cause,
    Conversation,
    Evidence,
    Expectation,
    Finding,
    Handshake,
    PortKey,
    Reason,
    RunInfo,
    Service,
    State,
    Summary,
    Verdict,
)
from probe.report.archive import Archive
from probe.report.database import Database
from probe.report.history import HistorySink

HOSTS, PORTS = 300, 1000
RUN = RunInfo("0000", "bench", None, "2026-01-02T03:04:05.000Z", 7, "raw", "0", addresses=HOSTS, ports=PORTS)
END = Summary(True, 0, dict.fromkeys(State, 0), HOSTS * PORTS, 1, 0, 60.0)
EXPECTED = Expectation(1, 1, 1, "net", frozenset(range(1, PORTS + 1)), words=("not-open",))
Value = TypeVar("Value")


def verdicts(changed: int = 0) -> Iterator[Verdict]:
    chance = random.Random(7)
    for host in range(HOSTS):
        address = ip_address(f"198.18.{host // 250}.{host % 250 + 1}")
        for port in range(1, PORTS + 1):
            key = PortKey(address, "tcp", port)
            if port % 100 == 80:
                yield _open(key, chance)
            elif port % 10 == 0 and not (host < changed and port == 50):
                evidence = Evidence(str(address), 63, 0, "RA")
                yield Verdict("net", key, State.CLOSED, Reason.RESET, Cause.REFUSED, evidence, 1, chance.random())
            else:
                yield Verdict("net", key, State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED, Evidence(), 3)


def _open(key: PortKey, chance: random.Random) -> Verdict:
    talk = Conversation(Handshake.ANSWERED, Service("http", "nginx", "1.22.1"), b"HTTP/1.1 200 OK\r\n")
    evidence = Evidence(str(key.address), 63, 65160, "SA")
    return Verdict("net", key, State.OPEN, Reason.SYN_ACK, Cause.LISTENING, evidence, 1, chance.random(), talk)


def store(path: str, run_id: str, seen: list[Verdict], found: Iterable[Finding] = ()) -> None:
    sink = HistorySink(Database.open(path, create=True))
    sink.start(replace(RUN, run_id=run_id))
    for verdict in seen:
        sink.port(verdict)
    for finding in found:
        sink.finding(finding)
    sink.finish(END)


def timed(what: str, action: Callable[[], Value]) -> Value:
    began, worked = time.perf_counter(), time.process_time()
    value = action()
    print(f"{what:<48} {time.perf_counter() - began:5.2f} s, {time.process_time() - worked:5.2f} s of them computing")
    return value


def main() -> None:
    old, new = list(verdicts()), list(verdicts(changed=40))
    found = [judge_port(EXPECTED, verdict) for verdict in new]
    print(f"{len(old):,} verdicts of {HOSTS} hosts")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "history.sqlite")
        timed("store", lambda: store(path, "aaaa", old))
        timed("store, beside another run", lambda: store(path, "bbbb", new))
        timed("store, with a finding for each", lambda: store(path, "cccc", new, found))
        with Archive.open(path) as archive:
            diff = timed("diff", lambda: archive.compare(archive.find("last~2"), archive.find("last~1")))
            print(f"  {len(diff.changes)} changes, {diff.unchanged:,} unchanged")
            timed("read again", lambda: sum(1 for _ in archive.verdicts(archive.find("last"))))
        print(f"{'size of the file with three runs':<48} {Path(path).stat().st_size / 1e6:5.1f} MB")


if __name__ == "__main__":
    main()
