"""What was sent and what was seen: one row of columns per probe of a block, and the test that a reply must pass.

Columns are indexed by slot; times are seconds on the caller's clock. An answer is entered only if its tuple and its
number are those of a probe that really left. What fails is counted as forged and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from probe.core import frames as f
from probe.core.block import Block, is_ipv4
from probe.core.columns import I64, U64, Bools, Bytes, Halves
from probe.core.counters import Counters as Counters
from probe.core.fragments import Fragments
from probe.core.keyed import key_from_seed, siphash24
from probe.core.replies import RST, Batch, IcmpErrors, TcpReplies, parse
from probe.core.validity import acceptable
from probe.core.verdict import ICMP_REASONS, SOFT

SYN_ACK_SEEN, RESET_SEEN, ICMP_HARD, ICMP_SOFT, NOT_SENT = 1, 2, 4, 8, 16
ANSWERED = SYN_ACK_SEEN | RESET_SEEN
SETTLED = ANSWERED | ICMP_HARD | NOT_SENT  # nothing is gained by asking again
STRETCH = 1 << 13  # slots that are hashed at once: what that takes stays in the cache
MOST_ICMP_KINDS = 1 << 16  # distinct IcmpKinds kept by name: a target that forges senders must not fill memory

# A ticket is a slot and why a packet goes there: to ask, to look again (marked), to control the path (a canary), and
# that on its own (an envoy).
LOOK, CONTROL, ENVOY = 1 << 60, 1 << 61, 1 << 62
_SLOT = LOOK - 1
# DSCP 3 with ECN 0: the first of pool 2, "experimental or local use" (RFC 2474 section 6), so no router has a queue
# for it. Hosts send it back in their resets.
MARK = 3 << 2
LOOKED, ECHOED, PLAIN, OTHER = 1, 2, 4, 8  # the second look was sent; the DSCP of resets that answer a marked SYN


def slots_of(tickets: I64) -> I64:
    """The probes that these tickets are about."""
    return tickets & _SLOT


def tsval(now: float) -> int:
    """The clock of our timestamp options: milliseconds, modulo 2^32."""
    return int(now * 1000) & 0xFFFFFFFF


class Local(Struct, frozen=True):
    """Our side: the source address for each address row (halves), and the reserved source port."""

    high: U64
    low: U64
    port: int


class IcmpKind(Struct, frozen=True):
    """Who said what, and how it arrived; shared by all probes that got the same answer.

    `sender` is None past MOST_ICMP_KINDS: the answer counts, only its sender is forgotten.
    """

    sender: tuple[int, int] | None
    version: int
    type: int
    code: int
    ttl: int


class Heard(Struct, frozen=True):
    """What a batch brought: distinct slots that became open or closed by it, and the slots of all valid SYN-ACKs and
    resets, repeats included but not those that answer a second look. `echoes` has for each SYN-ACK the timestamp of
    ours that it answers, 0 where it does not say."""

    opened: I64
    closed: I64
    syn_acks: I64
    echoes: npt.NDArray[np.uint32]
    resets: I64


@dataclass
class Ledger:
    """The columns of one block."""

    block: Block
    local: Local
    templates: f.Templates
    seed: int
    counters: Counters = field(default_factory=Counters, kw_only=True)

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
        self.look = np.zeros(slots, np.uint8)
        self.icmp = np.full(slots, -1, np.int32)
        self.errno = np.zeros(slots, np.int16)
        self.icmp_kinds: list[IcmpKind] = []
        self._kind_index: dict[IcmpKind, int] = {}
        self.prohibited: list[int] = []  # slots that the latest batch had hard ICMP errors about
        self.contradicted: list[tuple[int, int]] = []  # (slot, ICMP kind) of prohibitions after an answer
        self._cookies = self._hashed(key_from_seed(self.seed, "cookie"))
        self._apart = np.uint32(key_from_seed(self.seed, "look")[0] % 0xFFFFFFFF + 1)
        self._place = np.zeros(slots, np.int32)
        self._fragments = Fragments(self._asked)
        self.mark_first = False  # the first attempt at each port is marked, which saves nearly all second looks

    def settled_now(self, slots: I64, now: float) -> None:
        """Called with distinct slots that nothing more needs to be asked of; for who keeps a queue."""

    # --- sending -------------------------------------------------------------------------------------------------

    def frames(self, tickets: I64, now: float) -> list[tuple[I64, npt.NDArray[np.void]]]:
        """The SYNs of these tickets as (tickets, rows) per family, each row one packet from the IP header on."""
        return self.by_family(tickets, lambda chosen: self._stamp(chosen, now))

    def by_family(self, tickets: I64, stamp: Callable[[I64], f.Stamp]) -> list[tuple[I64, npt.NDArray[np.void]]]:
        """As `frames`, with stamps of the caller's."""
        four = is_ipv4(*self._addresses(slots_of(tickets)))
        parts = []
        for chosen, make, template in (
            (tickets[four], f.syn4, self.templates.ipv4),
            (tickets[~four], f.syn6, self.templates.ipv6),
        ):
            if chosen.size:
                parts.append((chosen, make(template, stamp(chosen))))
        return parts

    def cookies(self, slots: I64) -> npt.NDArray[np.uint32]:
        """The initial sequence number of each slot: a keyed hash of its tuple, so a reply proves it saw the probe."""
        return self._cookies[slots]

    def look_cookies(self, slots: I64) -> npt.NDArray[np.uint32]:
        """That of the second look: another one, so that a duplicate of the first answer cannot pass for its answer."""
        return self._cookies[slots] ^ self._apart

    def _hashed(self, key: tuple[int, int]) -> npt.NDArray[np.uint32]:
        """All cookies, a stretch at a time: hashed once, each is asked for up to four times."""
        cookies = np.empty(self.block.slots, np.uint32)
        for start in range(0, self.block.slots, STRETCH):
            slots = np.arange(start, min(start + STRETCH, self.block.slots))
            high, low = self._addresses(slots)
            ports = self.block.port_numbers(slots).astype(np.uint64) | np.uint64(self.local.port << 16)
            cookies[slots] = siphash24(key, [high, low, ports]).astype(np.uint32)
        return cookies

    def _addresses(self, slots: I64) -> tuple[U64, U64]:
        rows = self.block.address_rows(slots)
        return self.block.high[rows], self.block.low[rows]

    def _stamp(self, tickets: I64, now: float) -> f.Stamp:
        slots, looks = slots_of(tickets), tickets & LOOK != 0
        rows = self.block.address_rows(slots)
        marked = looks | (self.tries[slots] == 0) if self.mark_first else looks
        seq = np.where(looks, self.look_cookies(slots), self.cookies(slots)) if looks.any() else self.cookies(slots)
        return f.Stamp(
            source=(self.local.high[rows], self.local.low[rows]),
            destination=(self.block.high[rows], self.block.low[rows]),
            sport=self.local.port,
            dport=self.block.port_numbers(slots),
            seq=seq,
            tsval=tsval(now),
            tos=np.where(marked, np.uint8(MARK), np.uint8(0)) if marked.any() else None,
        )

    # --- receiving -----------------------------------------------------------------------------------------------

    def hear(self, batch: Batch, now: float) -> Heard:
        """Validate and enter a batch."""
        parsed = parse(self._fragments.join(batch, now))
        self.counters.forged += parsed.malformed
        self.prohibited.clear()
        self._receive_icmp(parsed.icmp, now)
        return self._receive_tcp(parsed.tcp, now)

    def _receive_tcp(self, replies: TcpReplies, now: float) -> Heard:
        slots = self.own_slots(replies.source, replies.destination, replies.sport, replies.dport)
        valid = slots >= 0
        valid[valid] = self.tries[slots[valid]] > 0
        rows = np.flatnonzero(valid)
        first = self._acceptable(replies, rows, slots[rows], self.cookies(slots[rows]), now)
        looked, again = np.zeros(rows.size, np.bool_), np.flatnonzero(self.look[slots[rows]] & LOOKED != 0)
        own = slots[rows[again]]
        looked[again] = self._acceptable(replies, rows[again], own, self.look_cookies(own), now)
        valid[rows] = first | looked
        self.counters.forged += int((~valid & (replies.dport == self.local.port)).sum())
        looked, rows = looked[first | looked], rows[first | looked]
        reset = replies.flags[rows] & RST != 0
        self._enter_looks(slots[rows[looked & reset]], replies.tos[rows[looked & reset]])
        return self._enter_tcp(slots[rows], replies, rows, reset, looked, now)

    def _acceptable(
        self, replies: TcpReplies, rows: I64, slots: I64, cookies: npt.NDArray[np.uint32], now: float
    ) -> Bools:
        return acceptable(
            replies.flags[rows],
            replies.ack[rows],
            replies.tsecr[rows],
            replies.has_timestamp[rows],
            cookie=cookies,
            since=self.first_tsval[slots],
            until=tsval(now),
        )

    def _enter_tcp(self, slots: I64, replies: TcpReplies, rows: I64, reset: Bools, looked: Bools, now: float) -> Heard:
        before = self.seen[slots]
        first = np.flatnonzero(before & ANSWERED == 0)
        first = first[self._first_of_each(slots[first])]
        self._enter_first(slots[first], replies, rows[first], now)
        if self.mark_first:
            told = first[reset[first] & (self.tries[slots[first]] == 1)]  # with more attempts, any may be the one
            self._enter_looks(slots[told], replies.tos[rows[told]])
        opened = self._distinct(slots[~reset & (before & SYN_ACK_SEEN == 0)])
        closed = self._distinct(slots[reset & (before & RESET_SEEN == 0)])
        self.mark(opened, SYN_ACK_SEEN, now)
        self.mark(closed, RESET_SEEN, now)
        return Heard(opened, closed, slots[~reset], replies.tsecr[rows[~reset]], slots[reset & ~looked])

    def _enter_first(self, slots: I64, replies: TcpReplies, rows: I64, now: float) -> None:
        self.counters.received += slots.size
        self.ttl[slots], self.window[slots] = replies.ttl[rows], replies.window[rows]
        self.flags[slots] = replies.flags[rows]
        # Karn's algorithm (RFC 6298 section 3): which attempt a reply answers is unknown once there were two.
        once = slots[self.tries[slots] == 1]
        self.rtt[once] = now - self.sent_at[once]

    def _first_of_each(self, slots: I64) -> Bools:
        """Of slots in the order in which they came, those that are there for the first time: in linear time, for of
        several values that are assigned to one place the last one stays."""
        order = np.arange(slots.size, dtype=np.int32)
        self._place[slots[::-1]] = order[::-1]
        found: Bools = self._place[slots] == order
        return found

    def _distinct(self, slots: I64) -> I64:
        return slots[self._first_of_each(slots)]

    def _enter_looks(self, slots: I64, tos: Bytes) -> None:
        dscp = tos & np.uint8(0xFC)  # ECN may be changed on the way (RFC 3168)
        echoed, plain = dscp == MARK, dscp == 0
        for kind, chosen in ((ECHOED, echoed), (PLAIN, plain), (OTHER, ~(echoed | plain))):
            self.look[slots[chosen]] |= np.uint8(kind)

    def _receive_icmp(self, errors: IcmpErrors, now: float) -> None:
        slots = self.own_slots(errors.destination, errors.source, errors.dport, errors.sport)
        valid = slots >= 0
        valid[valid] = self.tries[slots[valid]] > 0
        own, looked = self.cookies(slots[valid]), self.look_cookies(slots[valid])
        valid[valid] = (errors.seq[valid] == own) | (errors.seq[valid] == looked)
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
        if hard:
            self.prohibited.append(slot)
        if hard and self.seen[slot] & ANSWERED:
            self.contradicted.append((slot, self._kind_index[kind]))
        if self.icmp[slot] < 0 or (hard and not self.seen[slot] & ICMP_HARD):
            self.icmp[slot] = self._kind_index[kind]
        self.mark(np.array([slot]), ICMP_HARD if hard else ICMP_SOFT, now)

    def mark(self, slots: I64, bit: int, now: float) -> None:
        """Set a bit of distinct slots, and tell which of them it settles."""
        before = self.seen[slots]
        self.seen[slots] = before | np.uint8(bit)
        newly = slots[before & SETTLED == 0] if bit & SETTLED else slots[:0]
        if newly.size:
            self.settled_now(newly, now)

    def _asked(self, address: Halves) -> Bools:
        """One bool per address: it is one of the block's."""
        return self.block.find(*address, np.full(len(address[0]), self.block.ports[0])) >= 0

    def own_slots(
        self,
        peer: tuple[U64, U64],
        us: tuple[U64, U64],
        peer_port: npt.NDArray[np.uint16],
        our_port: npt.NDArray[np.uint16],
    ) -> I64:
        """The slot of each tuple (halves and ports), -1 where it is not one that we send from."""
        slots = self.block.find(peer[0], peer[1], peer_port)
        rows = self.block.address_rows(np.maximum(slots, 0))
        ours = (us[0] == self.local.high[rows]) & (us[1] == self.local.low[rows]) & (our_port == self.local.port)
        return np.where(ours, slots, -1)
