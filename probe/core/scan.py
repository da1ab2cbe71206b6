"""The engine: which probes are due, and what an answer does to its probe. One row of columns per probe of a block.

Theory of operation. A probe is sent, and sent again with the same tuple and sequence number, until something answers it
or its attempts are used up; each attempt waits `timeout`. All attempts wait equally long, so those in flight form a
queue that is sorted by itself: no heap, no timer per probe. Silence is the absence of any other bit in `seen`, which
is why nothing is forgotten and a late answer counts as long as the scan lasts.

The caller owns clock and wire:  due -> frames -> (send) -> sent | failed;  receive;  until `done`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from probe.core import frames as f
from probe.core.columns import I64, U64, Bools, Halves
from probe.core.fragments import Fragments
from probe.core.keyed import Permutation, key_from_seed, siphash24
from probe.core.plan import Block, is_ipv4
from probe.core.replies import RST, Batch, IcmpErrors, TcpReplies, parse
from probe.core.validity import acceptable
from probe.core.verdict import ICMP_REASONS, SOFT

SYN_ACK_SEEN, RESET_SEEN, ICMP_HARD, ICMP_SOFT, NOT_SENT = 1, 2, 4, 8, 16
ANSWERED = SYN_ACK_SEEN | RESET_SEEN
SETTLED = ANSWERED | ICMP_HARD | NOT_SENT  # nothing is gained by asking again
LINGER = 0.1  # seconds to wait for a contradiction after the last probe was answered
MOST_ICMP_KINDS = 1 << 16  # distinct IcmpKinds kept by name: a target that forges senders must not fill memory


@dataclass(frozen=True, slots=True)
class Local:
    """Our side: the source address for each address row (halves), and the reserved source port."""

    high: U64
    low: U64
    port: int


@dataclass(frozen=True, slots=True)
class IcmpKind:
    """Who said what, and how it arrived; shared by all probes that got the same answer.

    `sender` is None past MOST_ICMP_KINDS: the answer counts, only its sender is forgotten.
    """

    sender: tuple[int, int] | None
    version: int
    type: int
    code: int
    ttl: int


@dataclass
class Counters:
    """Packets sent, probes answered by TCP, and packets to our port that failed validation."""

    sent: int = 0
    received: int = 0
    forged: int = 0


@dataclass
class Scan:
    """All probes of one block. Columns are indexed by slot; times are seconds on the caller's clock."""

    block: Block
    local: Local
    templates: f.Templates
    seed: int
    attempts: int
    timeout: float
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        slots = self.block.slots
        self.seen = np.zeros(slots, np.uint8)
        self.tries = np.zeros(slots, np.uint8)
        self.sent_at = np.zeros(slots, np.float64)
        self.first_tsval = np.zeros(slots, np.uint32)
        self.rtt = np.full(slots, np.nan, np.float32)
        self.ttl = np.zeros(slots, np.uint8)
        self.window = np.zeros(slots, np.uint16)
        self.flags = np.zeros(slots, np.uint8)
        self.icmp = np.full(slots, -1, np.int32)
        self.errno = np.zeros(slots, np.int16)
        self.icmp_kinds: list[IcmpKind] = []
        self._kind_index: dict[IcmpKind, int] = {}
        self._order = Permutation(slots, key_from_seed(self.seed, "order"))
        self._cookie_key = key_from_seed(self.seed, "cookie")
        self._fresh = 0
        self._unsettled = slots
        self._spent = 0  # attempts made at unsettled probes
        self._last_settled = -LINGER
        self._flying: deque[tuple[float, I64]] = deque()
        self._again: deque[I64] = deque()
        self._fragments = Fragments(self._asked)

    # --- sending -------------------------------------------------------------------------------------------------

    def exclude(self, address_rows: I64, errno: int) -> None:
        """These addresses cannot be reached from here at all; called before anything is sent."""
        width = len(self.block.ports)
        self.failed((address_rows[:, None] * width + np.arange(width)).ravel(), errno)

    def on_time(self, now: float) -> None:
        """Move the probes whose wait is over: back to the queue if an attempt is left, else to rest."""
        if self._unsettled == 0 and now >= self._last_settled + LINGER:
            self._flying.clear()
        while self._flying and self._flying[0][0] <= now:
            slots = self._flying.popleft()[1]
            again = slots[(self.seen[slots] & SETTLED == 0) & (self.tries[slots] < self.attempts)]
            if again.size:
                self._again.append(again)

    def due(self, now: float, budget: int) -> I64:
        """At most `budget` slots to send now: those that were silent first, then fresh ones in the seeded order."""
        self.on_time(now)
        chosen: list[I64] = []
        while self._again and budget > 0:
            slots = self._again.popleft()
            slots = slots[self.seen[slots] & SETTLED == 0]
            if slots.size > budget:
                self._again.appendleft(slots[budget:])
            chosen.append(slots[:budget])
            budget -= chosen[-1].size
        if self._unsettled == 0:
            self._fresh = self.block.slots
        while budget > 0 and self._fresh < self.block.slots:  # excluded addresses cost no budget, hence no time
            fresh = self._order[self._fresh : self._fresh + budget]
            self._fresh += fresh.size
            chosen.append(fresh[self.seen[fresh] & SETTLED == 0])
            budget -= chosen[-1].size
        return np.concatenate(chosen) if chosen else np.empty(0, np.int64)

    def frames(self, slots: I64, now: float) -> list[tuple[I64, npt.NDArray[np.void]]]:
        """The SYNs of these slots as (slots, rows) per family, each row one packet from the IP header on."""
        high, _ = self._addresses(slots)
        four = is_ipv4(high, self._addresses(slots)[1])
        parts = []
        for chosen, stamp, template in (
            (slots[four], f.syn4, self.templates.ipv4),
            (slots[~four], f.syn6, self.templates.ipv6),
        ):
            if chosen.size:
                parts.append((chosen, stamp(template, self._stamp(chosen, now))))
        return parts

    def sent(self, slots: I64, now: float) -> None:
        """These left the machine at `now`; their wait begins."""
        if slots.size:
            self.first_tsval[slots[self.tries[slots] == 0]] = _tsval(now)
            self.sent_at[slots] = now
            self.tries[slots] += 1
            self.counters.sent += slots.size
            self._spent += slots.size
            self._flying.append((now + self.timeout, slots))

    def failed(self, slots: I64, errno: int) -> None:
        """The local machine would not send these: that is no verdict about the port."""
        self._mark(slots, NOT_SENT, self._last_settled)
        self.errno[slots] = errno

    def next_deadline(self) -> float | None:
        """When something becomes due by waiting; None if something is due now or nothing is left."""
        if self._again or self._fresh < self.block.slots or not self._flying:
            return None
        lingering = self._last_settled + LINGER if self._unsettled == 0 else self._flying[0][0]
        return min(lingering, self._flying[0][0])

    @property
    def done(self) -> bool:
        return self._fresh >= self.block.slots and not self._flying and not self._again

    @property
    def settled(self) -> int:
        """How many probes need no further attempt because something answered, or because they cannot be sent."""
        return self.block.slots - self._unsettled

    @property
    def remaining(self) -> int:
        """How many packets are still to be sent if nothing more is answered. Kept up to date, not counted."""
        return self._unsettled * self.attempts - self._spent

    def waiting(self) -> Bools:
        """One bool per slot: the wait of its latest attempt is not over, so its silence says nothing yet."""
        waiting = np.zeros(self.block.slots, np.bool_)
        for _, slots in self._flying:
            waiting[slots] = True
        return waiting

    def _mark(self, slots: I64, bit: int, now: float) -> None:
        """Set a bit of distinct slots, and count those that it settles."""
        before = self.seen[slots]
        self.seen[slots] = before | np.uint8(bit)
        newly = slots[before & SETTLED == 0] if bit & SETTLED else slots[:0]
        if newly.size:
            self._unsettled -= newly.size
            self._spent -= int(self.tries[newly].sum())
            self._last_settled = now

    # --- receiving -----------------------------------------------------------------------------------------------

    def receive(self, batch: Batch, now: float) -> I64:
        """Validate and enter a batch; returns the slots that became open by it."""
        parsed = parse(self._fragments.join(batch, now))
        self.counters.forged += parsed.malformed
        self._receive_icmp(parsed.icmp, now)
        return self._receive_tcp(parsed.tcp, now)

    def _receive_tcp(self, replies: TcpReplies, now: float) -> I64:
        slots = self._own_slots(replies.source, replies.destination, replies.sport, replies.dport)
        valid = slots >= 0
        valid[valid] = self.tries[slots[valid]] > 0
        valid[valid] = self._acceptable(replies, valid, slots[valid], now)
        self.counters.forged += int((~valid & (replies.dport == self.local.port)).sum())
        rows = np.flatnonzero(valid)
        reset = replies.flags[rows] & RST != 0
        before = self.seen[slots[rows]]
        first = rows[(before & ANSWERED) == 0]
        self._enter_first(slots, replies, first, now)
        opened = np.unique(slots[rows[~reset & (before & SYN_ACK_SEEN == 0)]])
        self._mark(opened, SYN_ACK_SEEN, now)
        self._mark(np.unique(slots[rows[reset]]), RESET_SEEN, now)
        return opened

    def _acceptable(self, replies: TcpReplies, rows: Bools, slots: I64, now: float) -> Bools:
        return acceptable(
            replies.flags[rows],
            replies.ack[rows],
            replies.tsecr[rows],
            replies.has_timestamp[rows],
            cookie=self.cookies(slots),
            since=self.first_tsval[slots],
            until=_tsval(now),
        )

    def _enter_first(self, slots: I64, replies: TcpReplies, rows: I64, now: float) -> None:
        # Two answers to one probe in the same batch: only np.unique tells which came first.
        fresh, index = np.unique(slots[rows], return_index=True)
        rows = rows[index]
        self.counters.received += fresh.size
        self.ttl[fresh], self.window[fresh] = replies.ttl[rows], replies.window[rows]
        self.flags[fresh] = replies.flags[rows]
        # Karn's algorithm (RFC 6298 section 3): which attempt a reply answers is unknown once there were two.
        once = fresh[self.tries[fresh] == 1]
        self.rtt[once] = now - self.sent_at[once]

    def _receive_icmp(self, errors: IcmpErrors, now: float) -> None:
        slots = self._own_slots(errors.destination, errors.source, errors.dport, errors.sport)
        valid = slots >= 0
        valid[valid] = errors.seq[valid] == self.cookies(slots[valid])
        valid[valid] = self.tries[slots[valid]] > 0
        self.counters.forged += int((~valid & (errors.sport == self.local.port)).sum())
        for row in np.flatnonzero(valid):
            self._enter_icmp(int(slots[row]), errors, row, now)

    def _enter_icmp(self, slot: int, errors: IcmpErrors, row: np.int64, now: float) -> None:
        kind = IcmpKind(
            (int(errors.sender[0][row]), int(errors.sender[1][row])),
            int(errors.version[row]),
            int(errors.type[row]),
            int(errors.code[row]),
            int(errors.ttl[row]),
        )
        reason = ICMP_REASONS.get((kind.version, kind.type, kind.code))
        if reason is None:
            return
        if kind not in self._kind_index and len(self.icmp_kinds) >= MOST_ICMP_KINDS:
            kind = IcmpKind(None, kind.version, kind.type, kind.code, 0)
        if kind not in self._kind_index:
            self._kind_index[kind] = len(self.icmp_kinds)
            self.icmp_kinds.append(kind)
        hard = reason not in SOFT
        if self.icmp[slot] < 0 or (hard and not self.seen[slot] & ICMP_HARD):
            self.icmp[slot] = self._kind_index[kind]
        self._mark(np.array([slot]), ICMP_HARD if hard else ICMP_SOFT, now)

    # --- both ----------------------------------------------------------------------------------------------------

    def cookies(self, slots: I64) -> npt.NDArray[np.uint32]:
        """The initial sequence number of each slot: a keyed hash of its tuple, so a reply proves it saw the probe."""
        high, low = self._addresses(slots)
        ports = self.block.port_numbers(slots).astype(np.uint64) | np.uint64(self.local.port << 16)
        return siphash24(self._cookie_key, [high, low, ports]).astype(np.uint32)

    def _asked(self, address: Halves) -> Bools:
        """One bool per address: it is one of the block's."""
        return self.block.find(*address, np.full(len(address[0]), self.block.ports[0])) >= 0

    def _addresses(self, slots: I64) -> tuple[U64, U64]:
        rows = self.block.address_rows(slots)
        return self.block.high[rows], self.block.low[rows]

    def _stamp(self, slots: I64, now: float) -> f.Stamp:
        rows = self.block.address_rows(slots)
        return f.Stamp(
            source=(self.local.high[rows], self.local.low[rows]),
            destination=(self.block.high[rows], self.block.low[rows]),
            sport=self.local.port,
            dport=self.block.port_numbers(slots),
            seq=self.cookies(slots),
            tsval=_tsval(now),
        )

    def _own_slots(
        self,
        peer: tuple[U64, U64],
        us: tuple[U64, U64],
        peer_port: npt.NDArray[np.uint16],
        our_port: npt.NDArray[np.uint16],
    ) -> I64:
        """The slot of each tuple, -1 where it is not one that we sent from."""
        slots = self.block.find(peer[0], peer[1], peer_port)
        rows = self.block.address_rows(np.maximum(slots, 0))
        ours = (us[0] == self.local.high[rows]) & (us[1] == self.local.low[rows]) & (our_port == self.local.port)
        return np.where(ours, slots, -1)


def _tsval(now: float) -> int:
    """The clock of our timestamp options: milliseconds, modulo 2^32."""
    return int(now * 1000) & 0xFFFFFFFF
