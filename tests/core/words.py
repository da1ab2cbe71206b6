"""What the engine says of a probe in one word, so that it can be compared: with the kernel, and with a slow twin."""

from __future__ import annotations

from probe.core.ledger import ICMP_HARD, ICMP_SOFT, RESET_SEEN, SYN_ACK_SEEN
from probe.core.scan import Scan
from probe.core.verdict import ICMP_REASONS


def word_of(scan: Scan, slot: int = 0) -> str:
    """`open`, `closed`, a reason that an ICMP error gave, several of them joined by "+", or "" for silence."""
    seen = int(scan.seen[slot])
    words = [word for bit, word in ((SYN_ACK_SEEN, "open"), (RESET_SEEN, "closed")) if seen & bit]
    if seen & (ICMP_HARD | ICMP_SOFT):
        kind = scan.icmp_kinds[scan.icmp[slot]]
        words.append(ICMP_REASONS[kind.version, kind.type, kind.code].value)
    return "+".join(words)
