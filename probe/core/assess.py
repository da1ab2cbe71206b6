"""From the columns of a finished scan to verdicts: the one place where a row becomes an object."""

from __future__ import annotations

import errno as errnos
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from probe.core.columns import I64
from probe.core.plan import join
from probe.core.scan import ANSWERED, ICMP_HARD, ICMP_SOFT, NOT_SENT, RESET_SEEN, SYN_ACK_SEEN, IcmpKind, Scan
from probe.core.verdict import HANDSHAKE_CAUSES, ICMP_REASONS, flag_letters, icmp_cause, reset_cause
from probe.model import Cause, Conversation, Evidence, PortKey, Reason, State, Verdict


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else silence depends on: was the scan cut short, and did our kernel lose received packets?"""

    interrupted: bool = False
    kernel_drops: int = 0


@dataclass(frozen=True, slots=True)
class Host:
    """What the answers of one address tell about it."""

    live: bool
    syn_ack_ttls: frozenset[int]


Judged = tuple[State, Reason, Cause | None, Evidence]


class Assessment:
    """`target_of` names the target of an address row, `conversation_of` what the handshake with a slot brought."""

    def __init__(
        self,
        scan: Scan,
        circumstances: Circumstances,
        target_of: Callable[[int], str],
        conversation_of: Callable[[int], Conversation | None],
    ) -> None:
        self.scan, self.circumstances = scan, circumstances
        self.target_of, self.conversation_of = target_of, conversation_of
        self._undecided = (scan.tries < scan.attempts) | scan.waiting()

    def verdicts(self) -> Iterator[Verdict]:
        """One per slot, ordered by address and port. Of an interrupted scan, only those of which a probe was sent."""
        width = len(self.scan.block.ports)
        for row in range(len(self.scan.block.high)):
            slots = np.arange(row * width, (row + 1) * width)
            host = self._host(row, slots)
            name, address = self.target_of(row), self.scan.block.address(row)
            if self.circumstances.interrupted:
                slots = slots[(self.scan.tries[slots] > 0) | (self.scan.seen[slots] != 0)]
            for slot, port in zip(slots.tolist(), self.scan.block.port_numbers(slots).tolist(), strict=True):
                yield self._verdict(name, PortKey(address, "tcp", port), slot, host)

    def _host(self, row: int, slots: I64) -> Host:
        scan = self.scan
        seen, ttl = scan.seen[slots], scan.ttl[slots]
        syn_acks = frozenset(ttl[(seen & ANSWERED) == SYN_ACK_SEEN].tolist())
        resets = frozenset(ttl[(seen & ANSWERED) == RESET_SEEN].tolist())
        own_resets = [value for value in resets if reset_cause(value, syn_acks)[0] is not Cause.REJECTED]
        own = (int(scan.block.high[row]), int(scan.block.low[row]))
        spoke = any(scan.icmp_kinds[kind].sender == own for kind in np.unique(scan.icmp[slots]).tolist() if kind >= 0)
        return Host(bool(syn_acks or own_resets or spoke), syn_acks)

    def _verdict(self, target: str, key: PortKey, slot: int, host: Host) -> Verdict:
        seen = int(self.scan.seen[slot])
        state, reason, cause, evidence = self._judge(seen, key, slot, host)
        rtt = float(self.scan.rtt[slot])
        return Verdict(
            target=target,
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

    def _judge(self, seen: int, key: PortKey, slot: int, host: Host) -> Judged:
        if seen & ANSWERED:
            return self._answered(seen, key, slot, host)
        if seen & (ICMP_HARD | ICMP_SOFT):
            return self._icmp(self.scan.icmp_kinds[self.scan.icmp[slot]], host)
        if seen & NOT_SENT:
            code = int(self.scan.errno[slot])
            return State.UNKNOWN, Reason.NOT_SENT, None, Evidence(errno=errnos.errorcode.get(code, str(code)))
        return self._silent(slot, host)

    def _answered(self, seen: int, key: PortKey, slot: int, host: Host) -> Judged:
        ttl = int(self.scan.ttl[slot])
        evidence = Evidence(
            responder=str(key.address),
            ttl=ttl,
            window=int(self.scan.window[slot]),
            flags=flag_letters(int(self.scan.flags[slot])),
        )
        if seen & ANSWERED == ANSWERED:
            return State.UNKNOWN, Reason.CONFLICT, None, _noted(evidence, "both a valid SYN-ACK and a valid reset came")
        if seen & SYN_ACK_SEEN:
            conversation = self.conversation_of(slot)
            cause = HANDSHAKE_CAUSES[conversation.handshake if conversation else None]
            return State.OPEN, Reason.SYN_ACK, cause, evidence
        cause, note = reset_cause(ttl, host.syn_ack_ttls)
        return State.CLOSED, Reason.RESET, cause, _noted(evidence, note)

    def _icmp(self, kind: IcmpKind, host: Host) -> Judged:
        reason = ICMP_REASONS[kind.version, kind.type, kind.code]
        evidence = Evidence(icmp_type=kind.type, icmp_code=kind.code)
        if kind.sender:
            evidence = replace(evidence, responder=str(join(*kind.sender)), ttl=kind.ttl)
        return State.FILTERED, reason, icmp_cause(reason, host.live), evidence

    def _silent(self, slot: int, host: Host) -> Judged:
        if self.scan.tries[slot] == 0 or (self.circumstances.interrupted and self._undecided[slot]):
            reason = Reason.INTERRUPTED if self.circumstances.interrupted else Reason.NOT_SENT
            return State.UNKNOWN, reason, None, Evidence(note="the scan ended before this probe was decided")
        if self.circumstances.kernel_drops:
            note = f"our own kernel dropped {self.circumstances.kernel_drops} received packets: silence proves nothing"
            return State.UNKNOWN, Reason.NO_RESPONSE, None, Evidence(note=note)
        return State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED, Evidence()


def _noted(evidence: Evidence, note: str) -> Evidence:
    return Evidence(evidence.responder, evidence.ttl, evidence.window, evidence.flags, note=note)
