"""Finds how far SYNs to dropped ports get: the same tuple with a rising TTL, and who says "time exceeded" to it.

A question is one (port, TTL), the TTL salted into the sequence number, so that a quote tells what it answers. What to
ask is decided in `walks`, how often in `errands`; this is the driver that the pump knows.
"""

from __future__ import annotations

import errno as errnos
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from probe.core import frames as f
from probe.core.block import Block, is_ipv4, join
from probe.core.bounds import HOPS
from probe.core.columns import I64, U64, Bools
from probe.core.errands import Errands
from probe.core.keyed import key_from_seed, siphash24
from probe.core.ledger import Counters, Local, tsval
from probe.core.located import Located
from probe.core.replies import ACK, RST, SYN, Batch, IcmpErrors, TcpReplies, parse
from probe.core.verdict import ICMP_REASONS
from probe.core.walks import WIDTH, Walks
from probe.model import Reason

_EXCEEDED = [kind for kind, reason in ICMP_REASONS.items() if reason is Reason.TIME_EXCEEDED]


@dataclass
class Locate:
    """`dropped` are slots of `block` that stayed silent, `witnesses` slots of the same hosts that answered.

    At most `most_packets` leave, and none later than `most_seconds` after the first; what is open then is told as cut.
    """

    plenty: ClassVar[bool] = False
    block: Block
    local: Local
    templates: f.Templates
    seed: int
    attempts: int
    timeout: float
    dropped: I64
    witnesses: I64
    most_packets: int
    most_seconds: float
    rate: float = inf  # what the path bears, as the scan found it
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._slots = np.concatenate([self.witnesses, self.dropped])
        self._by_slot = np.argsort(self._slots)
        self._key = key_from_seed(self.seed, "locate")
        self._walks = Walks(self.block.address_rows(self._slots).tolist(), len(self.witnesses))
        self._errands = Errands(self._walks, self.attempts, self.timeout)
        self._routers: dict[tuple[int, int], int] = {}
        self._refused: dict[int, dict[int, int]] = {}  # walker -> TTL -> errno
        self._left = self.most_packets
        self._ends_at: float | None = None
        self._errands.add(self._walks.begin())

    # --- sending -------------------------------------------------------------------------------------------------

    def on_time(self, now: float) -> None:
        self._errands.on_time(now)
        if self._ends_at is not None and now >= self._ends_at:
            why = "routers on the way answer too seldom, " if self._errands.seldom else ""
            self._errands.give_up(f"{why}the limit of {self.most_seconds:.0f} s was reached")

    def due(self, now: float, budget: int) -> I64:
        """At most `budget` questions to send now."""
        if self._ends_at is None:
            self._ends_at = now + self.most_seconds
        self.on_time(now)
        chosen = self._errands.due(now, min(budget, self._left))
        self._left -= len(chosen)
        if not self._left:
            self._errands.give_up(f"the limit of {self.most_packets:,} packets was reached")
        return np.array(chosen, np.int64)

    def frames(self, questions: I64, now: float) -> list[tuple[I64, npt.NDArray[np.void]]]:
        """The SYNs of these questions as (questions, rows) per family, in the order given."""
        four = is_ipv4(*self._addresses(questions // WIDTH))
        kinds = ((questions[four], f.syn4, self.templates.ipv4), (questions[~four], f.syn6, self.templates.ipv6))
        return [(chosen, syn(template, self._stamp(chosen, now))) for chosen, syn, template in kinds if chosen.size]

    def sent(self, questions: I64, now: float) -> None:
        self.counters.sent += questions.size
        for question in questions.tolist():
            self._errands.left(question, now)

    def lost(self, _now: float) -> None:
        """Our own kernel had to drop received packets."""
        self._errands.lost()

    def failed(self, questions: I64, errno: int, _now: float = 0.0) -> None:
        """The local machine would not send these; where that port ends stays open."""
        for question in questions.tolist():
            self._refused.setdefault(question // WIDTH, {})[question % WIDTH] = errno
            self._errands.refused(question)

    def next_deadline(self) -> float | None:
        """When something becomes due by waiting; None if something is due now or nothing is left."""
        return self._errands.next_deadline()

    @property
    def done(self) -> bool:
        return self._errands.done

    @property
    def remaining(self) -> int:
        """How many packets are still to be sent if nothing more is answered; a guess, for a progress line."""
        return min(self._left, self._walks.unfinished * self.attempts)

    # --- receiving -----------------------------------------------------------------------------------------------

    def receive(self, batch: Batch, now: float) -> I64:
        """Enter a batch. What is not an answer to a question is left out: it may be late for the scan before."""
        parsed = parse(batch)
        self._hear(parsed.icmp, now)
        self._reach(parsed.tcp, now)
        return np.empty(0, np.int64)

    def _hear(self, errors: IcmpErrors, now: float) -> None:
        exceeded = np.zeros(len(errors.seq), np.bool_)
        for version, kind, code in _EXCEEDED:
            exceeded |= (errors.version == version) & (errors.type == kind) & (errors.code == code)
        exceeded &= errors.sport == self.local.port
        rows = np.flatnonzero(exceeded)
        peers = errors.destination[0][rows], errors.destination[1][rows]
        questions = self._questions(peers, errors.dport[rows], errors.seq[rows])
        for row, question in zip(rows.tolist(), questions.tolist(), strict=True):
            if question >= 0:
                sender = (int(errors.sender[0][row]), int(errors.sender[1][row]))
                self._errands.heard(question, self._routers.setdefault(sender, len(self._routers)), now)

    def _reach(self, replies: TcpReplies, now: float) -> None:
        ours = (replies.dport == self.local.port) & (replies.flags & ACK != 0) & (replies.flags & (SYN | RST) != 0)
        rows = np.flatnonzero(ours)
        peers = replies.source[0][rows], replies.source[1][rows]
        questions = self._questions(peers, replies.sport[rows], replies.ack[rows] - np.uint32(1))
        for question in questions[questions >= 0].tolist():
            self._errands.reached(question, now)

    def _questions(self, peers: tuple[U64, U64], ports: npt.NDArray[np.uint16], seq: npt.NDArray[np.uint32]) -> I64:
        """Which question has this sequence number, -1 where none has."""
        slots = self.block.find(peers[0], peers[1], ports)
        place = np.minimum(np.searchsorted(self._slots, slots, sorter=self._by_slot), len(self._slots) - 1)
        walkers = self._by_slot[place]
        every = walkers[:, None] * WIDTH + np.arange(1, HOPS + 1)
        same: Bools = self.cookies(every.ravel()).reshape(every.shape) == seq[:, None]
        same &= (self._slots[walkers] == slots)[:, None]
        found: I64 = every[np.arange(len(slots)), same.argmax(axis=1)]
        return np.where(same.any(axis=1), found, -1)

    # --- both ----------------------------------------------------------------------------------------------------

    def cookies(self, questions: I64) -> npt.NDArray[np.uint32]:
        """The sequence number of each question: a keyed hash of tuple and TTL."""
        walkers, ttls = np.divmod(questions, WIDTH)
        high, low = self._addresses(walkers)
        ports = self.block.port_numbers(self._slots[walkers]).astype(np.uint64)
        tuples = ports | np.uint64(self.local.port << 16) | ttls.astype(np.uint64) << np.uint64(32)
        return siphash24(self._key, [high, low, tuples]).astype(np.uint32)

    def _addresses(self, walkers: I64) -> tuple[U64, U64]:
        rows = self.block.address_rows(self._slots[walkers])
        return self.block.high[rows], self.block.low[rows]

    def _stamp(self, questions: I64, now: float) -> f.Stamp:
        walkers, ttls = np.divmod(questions, WIDTH)
        rows = self.block.address_rows(self._slots[walkers])
        return f.Stamp(
            source=(self.local.high[rows], self.local.low[rows]),
            destination=self._addresses(walkers),
            sport=self.local.port,
            dport=self.block.port_numbers(self._slots[walkers]),
            seq=self.cookies(questions),
            tsval=tsval(now),
            ttl=ttls.astype(np.uint8),
        )

    # --- the result ----------------------------------------------------------------------------------------------

    def places(self) -> dict[int, Located]:
        """What was found of each dropped slot."""
        names = [str(join(*router)) for router in self._routers]
        first = len(self.witnesses)
        return {int(slot): self._place(number, names) for number, slot in enumerate(self.dropped.tolist(), first)}

    def _place(self, number: int, names: list[str]) -> Located:
        walker = self._walks.walkers[number]
        silent = walker.first_silent
        beyond = walker.path.hops.get(silent or 0, -1)
        return Located(
            hop=walker.low or None,
            address=names[walker.low_hop] if walker.low else None,
            silent=silent,
            silent_address=names[beyond] if beyond >= 0 else None,
            mute=walker.path.mute(silent if silent and beyond != -1 else walker.low),
            target=walker.path.distance,
            cut=self._cut(number),
            answered=walker.answered,
        )

    def _cut(self, number: int) -> str | None:
        walker = self._walks.walkers[number]
        for ttl, code in self._refused.get(number, {}).items():
            if ttl > walker.low:
                return f"this machine would not send ({errnos.errorcode.get(code, code)})"
        return None if walker.over else self._errands.cut or "it was interrupted"
