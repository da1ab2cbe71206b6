"""Who sent a reset: the host itself, or something in its name? By its TTL, and by the DSCP of its answer to a
marked SYN: the first attempt, or else a second look."""

from __future__ import annotations

from msgspec import Struct

from probe.core.ledger import ECHOED, OTHER, PLAIN
from probe.model import Cause


class Voice(Struct, frozen=True):
    """How the answers sound that surely are a host's own: received TTLs of its SYN-ACKs, and of those of its resets
    that sent our mark back."""

    syn_ack_ttls: frozenset[int] = frozenset()
    echo_ttls: frozenset[int] = frozenset()


def reset_cause(ttl: int, look: int, voice: Voice) -> tuple[Cause, str]:
    """Who sent a reset with this TTL, and the reason in words. `look` is what marked SYNs brought (bits).

    Packets of one host arrive with one TTL, and its resets send the DSCP of the SYN back. Another TTL is another
    sender; the same TTL without the DSCP, where the host's own resets have it, is a rule on the host.
    """
    if len(voice.syn_ack_ttls) > 1 and ttl not in voice.syn_ack_ttls:
        seen = ", ".join(map(str, sorted(voice.syn_ack_ttls)))
        return Cause.UNDETERMINED, f"this address answers with TTLs {seen}: its ports are on several hosts"
    usual = min(voice.syn_ack_ttls or voice.echo_ttls, default=ttl)
    echoed = look & (ECHOED | PLAIN | OTHER) == ECHOED
    if ttl not in (voice.syn_ack_ttls or voice.echo_ttls or {ttl}):
        if echoed and voice.syn_ack_ttls:
            return Cause.UNDETERMINED, f"this host answers with {usual}, but it sent our DSCP back: maybe another host"
        return Cause.REJECTED, f"this host answers with {usual}: {_whereabouts(ttl - usual)}"
    if echoed:
        return Cause.REFUSED, "our DSCP came back: sent by the host itself"
    if look & (ECHOED | PLAIN | OTHER) == PLAIN and voice.echo_ttls:
        return Cause.REJECTED, "without our DSCP, which this host's own resets send back: sent by a rule"
    return Cause.UNDETERMINED, _doubt(look)


def _doubt(look: int) -> str:
    if look & (ECHOED | PLAIN | OTHER) == PLAIN:
        return "without our DSCP, and no reset of this host has it: sent by the host itself, or by a rule"
    if look & (ECHOED | PLAIN | OTHER):
        return "the path changes our DSCP: sent by the host itself, or by a rule"
    return "no answer to a second look: sent by the host itself, or by a rule"


def _whereabouts(nearer: int) -> str:
    if 0 < nearer < 32:  # initial TTLs in use are 32 or more apart (64, 128, 255), so a small difference counts hops
        return f"sent on the way, {nearer} hop{'s' * (nearer > 1)} nearer"
    return "sent by something else in its name"
