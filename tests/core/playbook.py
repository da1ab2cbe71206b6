"""A scan told turn by turn: what is sent at which second, what is heard, what is concluded."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Protocol

import numpy as np
import numpy.typing as npt

from probe.core.assess import Assessment, Circumstances
from probe.core.block import Block, split
from probe.core.columns import Bytes
from probe.core.driver import Driver
from probe.core.ledger import Local
from probe.core.pace import Pace
from probe.core.scan import Scan
from probe.model import Conversation, Verdict
from probe.net.craft import syn_templates
from probe.net.wire import Wire
from tests.core.fake_packets import ACK, RST, SYN, tcp
from tests.core.fake_wire import WIDTH
from tests.core.slow_replies import Packet, batch_of

PORT = 40000  # our reserved port
HOST4, HOST6 = "198.18.0.1", "fd18::1"
QUIET = Circumstances()
US = {4: "198.18.9.9", 6: "fd18::9:9"}


def block_of(hosts: Sequence[str], ports: Sequence[int] | npt.NDArray[np.uint16]) -> Block:
    halves = np.array([split(ip_address(host)) for host in hosts], np.uint64).reshape(-1, 2)
    return Block(halves[:, 0].copy(), halves[:, 1].copy(), np.array(sorted(ports), np.uint16))


def local_of(block: Block, port: int = PORT) -> Local:
    ours = np.array([split(ip_address(US[block.address(row).version])) for row in range(len(block.high))], np.uint64)
    return Local(ours[:, 0].copy(), ours[:, 1].copy(), port)


def scan_of(block: Block, attempts: int = 3, timeout: float = 1.0, seed: int = 7) -> Scan:
    return Scan(block, local_of(block), syn_templates(), seed, attempts, timeout)


def careful_scan_of(
    block: Block, rate: float, attempts: int = 3, timeout: float = 1.0, seed: int = 7, *, adaptive: bool = False
) -> Scan:
    """As `probe.net.syn` makes it: with control probes and second looks."""
    before = (block, local_of(block), syn_templates(), seed, attempts, timeout, 0.999)
    return Scan(*before, second_look=True, ceiling=rate, first=(80, 443, 22), adaptive=adaptive)


def judge(scan: Scan, circumstances: Circumstances = QUIET, conversation: Conversation | None = None) -> list[Verdict]:
    """The verdicts in order of address and port, each target named after its row."""
    return list(Assessment(scan, circumstances, lambda row: f"row {row}", lambda _: conversation).verdicts())


def syn_ack(frames: Bytes, ttl: int = 63) -> Bytes:
    return tcp(frames, SYN | ACK, ttl=ttl)


def reset(frames: Bytes, ttl: int = 63) -> Bytes:
    return tcp(frames, RST | ACK, ttl=ttl)


class Play:
    """One scan of `hosts` x `ports`. `send` and `hear` take the second at which they happen."""

    def __init__(self, *hosts: str, ports: Sequence[int] = (80,), attempts: int = 3, timeout: float = 1.0) -> None:
        self.scan = scan_of(block_of(hosts, ports), attempts, timeout)
        self.now = 0.0

    def send(self, now: float, budget: int = 1000) -> Bytes:
        """What leaves now, as (n, bytes); the families of one turn are not mixed in a play."""
        self.now, out = now, []
        for slots, rows in self.scan.frames(self.scan.due(now, budget), now):
            out.append(rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize))
            self.scan.sent(slots, now)
        return np.concatenate(out) if out else np.zeros((0, WIDTH), np.uint8)

    def hear(self, now: float, *packets: Bytes) -> list[int]:
        """Enter these packets as one batch; the slots that became open by it, ascending."""
        self.now = now
        opened = self.scan.receive(batch_of([Packet(row.tobytes()) for rows in packets for row in rows]), now)
        return sorted(int(slot) for slot in opened)

    def wait_out(self) -> None:
        """No one answers any more, for as long as it takes."""
        while not self.scan.done:
            self.send(self.now + 0.25)

    def over(self) -> bool:
        return self.scan.done

    def verdict(self, **circumstances: int) -> Verdict:
        """The only one, under the `Circumstances` given by name."""
        told = Circumstances(bool(circumstances.get("interrupted")), circumstances.get("kernel_drops", 0))
        (verdict,) = judge(self.scan, told)
        return verdict


class Clock:
    """The time is what it was set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TimedWire(Wire, Protocol):
    """A wire that knows when something will come."""

    def next_arrival(self) -> float | None: ...


def drive(scan: Driver, wire: TimedWire, pace: Pace, clock: Clock, turn: float) -> None:
    """What `net.pump` does, on a clock that jumps over the time in which nothing happens."""
    while not scan.done:
        pace.limit(min(pace.ceiling, scan.rate))
        slots = scan.due(clock.now, pace.budget(clock.now))
        for part, rows in scan.frames(slots, clock.now):
            report = wire.send(rows)
            for errno, failed in report.failed.items():
                scan.failed(part[failed], errno, clock.now)
            left = part[report.rows(len(part))]
            scan.sent(left, clock.now)
            pace.spend(left.size)
        batch = wire.receive()
        if batch is not None:
            scan.receive(batch, clock.now)
        scan.on_time(clock.now)
        deadline = scan.next_deadline()
        due = pace.next_packet(clock.now) if deadline is None else deadline
        clock.now = max(clock.now + turn, min(due, wire.next_arrival() or due))
