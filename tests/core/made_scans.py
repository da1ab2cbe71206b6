"""Scans that never were: every column filled by lot, so that judging meets each mixture of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from probe.core.assess import Assessment, Circumstances
from probe.core.ledger import ANSWERED, ICMP_HARD, ICMP_SOFT, NOT_SENT, IcmpKind
from probe.core.scan import Scan
from probe.model import Conversation, Handshake, Service
from tests.core.playbook import block_of, careful_scan_of

KINDS = [(4, 3, 13), (4, 3, 1), (4, 3, 3), (4, 11, 0), (6, 1, 1), (6, 1, 3)]
HOSTS = ("198.18.0.1", "198.18.0.2", "198.18.0.3", "198.18.7.1", "fd18::1", "fd18::2")
TALKS = [
    None,
    Conversation(Handshake.MUTE),
    Conversation(Handshake.RESET),
    Conversation(Handshake.ANSWERED, Service("http", "nginx"), b"HTTP/1.1 200 OK\r\n"),
    Conversation(Handshake.ANSWERED, None, b"\x1b[31mred\0"),
]


@dataclass
class Made:
    """A scan, and what else its assessment is told."""

    scan: Scan
    circumstances: Circumstances
    talks: dict[int, Conversation | None]
    echoes: dict[int, frozenset[int]]
    doubtful: frozenset[int]
    absent: frozenset[int]

    def assessment(self) -> Assessment:
        return Assessment(
            self.scan,
            self.circumstances,
            lambda row: f"net {row // 2}",
            self.talks.get,
            self.echoes,
            self.doubtful,
            self.absent,
        )


def made(seed: int, hosts: int, ports: int, *, mixed: float = 1.0) -> Made:
    """`mixed` is the chance of a slot to differ from all others in a column. With 1 there is everything that no network
    shows together, with a little most slots are alike but for one thing."""
    chance = np.random.default_rng(seed)
    block = block_of(HOSTS[:hosts], range(20, 20 + ports))
    scan = careful_scan_of(block, 1000.0)

    def some(*values: float) -> npt.NDArray[np.float64]:
        """A value for each slot."""
        differs = chance.random(block.slots) < mixed
        return np.where(differs, chance.choice(values, block.slots), chance.choice(values))

    scan.seen[:] = some(0, 1, 2, 3, ICMP_HARD, ICMP_SOFT, NOT_SENT, 2 | ICMP_SOFT, NOT_SENT | ICMP_HARD)
    answered = scan.seen & ANSWERED != 0
    scan.tries[:] = some(0, 1, 2, 3, 7)
    scan.quiet[:] = some(0, 3, 9)
    scan.silence[:] = some(0, 0.5, 7, 7.00001, 20)
    scan.ttl[answered] = some(62, 63, 255)[answered]
    scan.window[answered] = some(0, 0, 65160)[answered]
    scan.flags[answered] = some(0x12, 0x14, 4)[answered]
    scan.look[answered] = some(0, 1, 3, 5, 9, 7)[answered]
    scan.rtt[:] = np.where(chance.random(block.slots) < 0.3, np.nan, chance.random(block.slots) * some(1e-4, 0.1, 3))
    scan.errno[scan.seen & NOT_SENT != 0] = 101
    _quotes(scan, chance, some)
    waiting = some(0, 1) != 0
    scan.waiting = lambda: waiting  # type: ignore[method-assign]
    scan.hosts.gives[:] = chance.integers(0, 4, hosts)
    scan.hosts.last_good[:] = chance.choice([-np.inf, 1e9], (hosts, 2))

    def marked() -> frozenset[int]:
        return frozenset(np.flatnonzero(chance.random(hosts) < 0.3).tolist())

    is_open = np.flatnonzero(scan.seen & ANSWERED == 1).tolist()
    talks = {
        slot: TALKS[int(number)] for slot, number in zip(is_open, chance.integers(0, 5, len(is_open)), strict=True)
    }
    echoes = {row: frozenset({63}) for row in marked()}
    circumstances = Circumstances(bool(chance.random() < 0.5), int(chance.choice([0, 12])))
    return Made(scan, circumstances, talks, echoes, marked(), marked())


def _quotes(scan: Scan, chance: np.random.Generator, some: Callable[..., npt.NDArray[np.float64]]) -> None:
    """ICMP errors of strangers, of hosts about themselves and about each other, and of nobody known."""
    block = scan.block
    own = [(int(high), int(low)) for high, low in zip(block.high, block.low, strict=True)]
    senders = [*own, (0, 0xFFFF_C612_FF01), None]
    scan.icmp_kinds = [IcmpKind(sender, *kind, 60) for sender in senders for kind in KINDS]
    quoted = np.flatnonzero((scan.seen & (ICMP_HARD | ICMP_SOFT)) != 0)
    scan.icmp[quoted] = some(*range(len(scan.icmp_kinds)))[quoted]
    picked = quoted[chance.random(quoted.size) < 0.2]
    scan.turned = {(int(slot) // len(block.ports), int(scan.icmp[slot])) for slot in picked}


# What tests draw from: scans of every size and mixture.
SCANS = st.builds(
    made, st.integers(0, 2**32), st.integers(1, len(HOSTS)), st.integers(1, 70), mixed=st.sampled_from([0.02, 0.1, 1.0])
)
