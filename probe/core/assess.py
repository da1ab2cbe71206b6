"""From the columns of a finished scan to verdicts: the one place where a row becomes an object."""

from __future__ import annotations

import errno as errnos
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from probe.core.block import join
from probe.core.character import Host, Senders, characters
from probe.core.columns import I64, Bools, alike, grouped
from probe.core.kinds import about, details, p_miss, themselves
from probe.core.ledger import ANSWERED, ICMP_HARD, ICMP_SOFT, NOT_SENT, SYN_ACK_SEEN, IcmpKind
from probe.core.resets import Voice, reset_cause
from probe.core.scan import Scan
from probe.core.verdict import HANDSHAKE_CAUSES, ICMP_REASONS, flag_letters, icmp_cause
from probe.model import Cause, Conversation, Evidence, Handshake, PortKey, Reason, State, Verdict
from probe.sweep import Sweep, own

SWEEP = 1 << 13  # slots judged together: overhead is nothing any more, and the text of so many lines stays in the cache


class Circumstances(Struct, frozen=True):
    """What else silence depends on: was the scan cut short, and did our kernel lose received packets?"""

    interrupted: bool = False
    kernel_drops: int = 0


Judged = tuple[State, Reason, Cause | None, Evidence]
NO_ECHOES: Mapping[int, frozenset[int]] = MappingProxyType({})


class Assessment:
    """Of a scan that does not go on. `target_of` names the target of an address row, `conversation_of` what the
    handshake with a slot brought.

    By address row: `echoes` has the received TTLs of resets that its host surely sent itself, `doubtful` are those
    whose silence may be that of a router which has said its share of prohibitions, `absent` those whose next hop
    answered no ARP or ND.
    """

    def __init__(
        self,
        scan: Scan,
        circumstances: Circumstances,
        target_of: Callable[[int], str],
        conversation_of: Callable[[int], Conversation | None],
        echoes: Mapping[int, frozenset[int]] = NO_ECHOES,
        doubtful: frozenset[int] = frozenset(),
        absent: frozenset[int] = frozenset(),
    ) -> None:
        self.scan, self.circumstances = scan, circumstances
        self.target_of, self.conversation_of = target_of, conversation_of
        self.doubtful, self.absent = doubtful, absent
        self._undecided = (scan.tries < scan.attempts) | scan.waiting()
        self._hosts, self._host_of = characters(scan, echoes)
        self._senders = Senders(scan)

    def verdicts(self) -> Iterator[Verdict]:
        """One per slot, ordered by address and port. Of an interrupted scan, only those of which a probe was sent."""
        return (verdict for sweep in self.sweeps() for verdict in sweep)

    def sweeps(self) -> Iterator[Sweep]:
        """The same, many at a time; none is empty."""
        for start in range(0, self.scan.block.slots, SWEEP):
            slots = np.arange(start, min(start + SWEEP, self.scan.block.slots))
            if self.circumstances.interrupted:
                slots = slots[(self.scan.tries[slots] > 0) | (self.scan.seen[slots] != 0)]
            if slots.size:
                yield self._sweep(slots)

    def _sweep(self, slots: I64) -> Sweep:
        sure = self.scan.believed(slots)
        samples, which = self._alike(slots, sure)
        looks = tuple(self.verdict(int(slots[place]), bool(sure[place])) for place in samples.tolist())
        address_rows = self.scan.block.address_rows(slots)
        samples, rows = grouped(address_rows)
        places = tuple((self.target_of(row), self.scan.block.address(row)) for row in address_rows[samples].tolist())
        rtt_ms = self.scan.rtt[slots].astype(np.float64) * 1000
        return Sweep(places, looks, tuple(map(own, looks)), rows, self.scan.block.port_numbers(slots), which, rtt_ms)

    def _alike(self, slots: I64, sure: Bools) -> tuple[I64, I64]:
        known = about(
            self.scan,
            slots,
            hosts=self._host_of,
            undecided=self._undecided[slots],
            sure=sure,
            absent=self._marked(self.absent),
            doubtful=self._marked(self.doubtful),
            own=themselves(self.scan, slots, self._senders),
        )
        return alike(known, details(self.scan, slots, self.conversation_of))

    def _marked(self, rows: frozenset[int]) -> Bools:
        """One bool per address row."""
        marks = np.zeros(len(self.scan.block.high), np.bool_)
        marks[list(rows)] = True
        return marks

    def verdict(self, slot: int, sure: bool) -> Verdict:
        """That of one slot. `sure` tells whether its silence, if it is silent, is believed (`Scan.believed`)."""
        key, seen = self.scan.block.key(slot), int(self.scan.seen[slot])
        row = slot // len(self.scan.block.ports)
        host = self._hosts[self._host_of[row]]
        state, reason, cause, evidence = self._judge(seen, key, slot, host, sure)
        rtt = float(self.scan.rtt[slot])
        return Verdict(
            target=self.target_of(row),
            key=key,
            state=state,
            reason=reason,
            cause=cause,
            evidence=evidence,
            attempts=int(self.scan.tries[slot]),
            rtt_ms=None if np.isnan(rtt) else rtt * 1000,
            conversation=self.conversation_of(slot) if state is State.OPEN else None,
            live=host.live,
        )

    def _judge(self, seen: int, key: PortKey, slot: int, host: Host, sure: bool) -> Judged:
        if seen & ANSWERED:
            return self._answered(seen, key, slot, host)
        if seen & (ICMP_HARD | ICMP_SOFT):
            return self._icmp(seen, slot, host, sure)
        if seen & NOT_SENT:
            code = int(self.scan.errno[slot])
            return State.UNKNOWN, Reason.NOT_SENT, None, Evidence(errno=errnos.errorcode.get(code, str(code)))
        return self._silent(slot, sure)

    def _answered(self, seen: int, key: PortKey, slot: int, host: Host) -> Judged:
        ttl = int(self.scan.ttl[slot])
        evidence = Evidence(
            responder=str(key.address),
            ttl=ttl,
            window=int(self.scan.window[slot]),
            flags=flag_letters(int(self.scan.flags[slot])),
        )
        if seen & ANSWERED == ANSWERED:
            evidence = replace(evidence, note="both a valid SYN-ACK and a valid reset came")
            return State.UNKNOWN, Reason.CONFLICT, None, evidence
        if seen & SYN_ACK_SEEN:
            cause, doubt = _open_cause(self.conversation_of(slot), int(self.scan.window[slot]), host)
            return State.OPEN, Reason.SYN_ACK, cause, replace(evidence, note=doubt)
        cause, note = reset_cause(ttl, int(self.scan.look[slot]), host.voice)
        return State.CLOSED, Reason.RESET, cause, replace(evidence, note=note)

    def _icmp(self, seen: int, slot: int, host: Host, sure: bool) -> Judged:
        number = int(self.scan.icmp[slot])
        kind = self.scan.icmp_kinds[number]
        if (slot // len(self.scan.block.ports), number) in self.scan.turned:
            note = "a port that had answered gets this too by now: it is about us, not about the port"
            return State.UNKNOWN, Reason.CANARY_SILENT, None, replace(_icmp_evidence(kind), note=note)
        if not (seen & ICMP_HARD or sure or host.voice == Voice()):
            return State.UNKNOWN, Reason.CANARY_SILENT, None, _icmp_evidence(kind)
        reason = ICMP_REASONS[kind.version, kind.type, kind.code]
        return State.FILTERED, reason, icmp_cause(reason, host.live), _icmp_evidence(kind)

    def _silent(self, slot: int, sure: bool) -> Judged:
        scan = self.scan
        if self.circumstances.interrupted and (scan.tries[slot] == 0 or self._undecided[slot]):
            note = "the scan ended before this probe was decided"
            return State.UNKNOWN, Reason.INTERRUPTED, None, Evidence(note=note)
        witnesses = scan.confidence is not None and scan.hosts.gives[slot // len(scan.block.ports)] != 0
        missed = p_miss(float(scan.silence[slot])) if witnesses else None
        if slot // len(scan.block.ports) in self.absent:
            note = "the next hop answers no ARP or ND: the host is off, or there is none"
            return State.FILTERED, Reason.NO_RESPONSE, Cause.UNREACHABLE, Evidence(note=note)
        if sure and slot // len(scan.block.ports) in self.doubtful:
            note = "other ports here are prohibited by ICMP, which is rate-limited: this one may be too, without a word"
            return State.FILTERED, Reason.NO_RESPONSE, Cause.UNDETERMINED, Evidence(p_miss=missed, note=note)
        if sure:
            return State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED, Evidence(p_miss=missed)
        if self._drops() and not witnesses:
            return State.UNKNOWN, Reason.NO_RESPONSE, None, Evidence(note=f"{self._drops()}: silence proves nothing")
        if not witnesses:
            return State.UNKNOWN, Reason.NOT_SENT, None, Evidence(note="the scan ended before this probe was decided")
        return State.UNKNOWN, Reason.CANARY_SILENT, None, Evidence(p_miss=missed, note=self._drops())

    def _drops(self) -> str | None:
        drops = self.circumstances.kernel_drops
        return f"our own kernel dropped {drops} received packets" if drops else None


def _icmp_evidence(kind: IcmpKind) -> Evidence:
    evidence = Evidence(icmp_type=kind.type, icmp_code=kind.code)
    return replace(evidence, responder=str(join(*kind.sender)), ttl=kind.ttl) if kind.sender else evidence


def _open_cause(conversation: Conversation | None, window: int, host: Host) -> tuple[Cause, str | None]:
    if host.everywhere:
        return Cause.UNDETERMINED, host.everywhere
    if window == 0:  # nft_synproxy and its like open the window once the host behind them has answered
        if conversation is None:
            return Cause.HALF_OPEN, "window 0: a SYN proxy answers here, with or without a host behind it"
        if conversation.handshake is Handshake.MUTE:
            return Cause.TCPWRAPPED, "window 0, and nobody spoke: a SYN proxy answers here, with no host behind it"
    return HANDSHAKE_CAUSES[conversation.handshake if conversation else None], None
