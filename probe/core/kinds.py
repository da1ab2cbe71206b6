"""Which slots must get the same verdict? Those that agree in everything that judging reads.

All of it fits into two numbers per slot: what is known of the host and the asking, and the details of what came back,
which are others for an answer, an ICMP error, a refusal of our own machine and silence. Who reads more in `assess` adds
it here; a test judges every slot by itself and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import numpy as np
import numpy.typing as npt

from probe.core.character import Senders
from probe.core.columns import I64, U64, Bools, grouped
from probe.core.ledger import ANSWERED, ICMP_HARD, ICMP_SOFT, NOT_SENT, SYN_ACK_SEEN
from probe.core.scan import Scan
from probe.model import Conversation


def p_miss(silence: float) -> float:
    """The chance that this much silence is a lost answer, to two digits."""
    return float(f"{exp(-silence):.1e}")


def about(
    scan: Scan, slots: I64, *, hosts: I64, undecided: Bools, sure: Bools, absent: Bools, doubtful: Bools, own: Bools
) -> U64:
    """The first number of each slot. `hosts` is a number per address row, as are `absent` and `doubtful` marks of
    them; `undecided`, `sure` and `own` (its ICMP error came from the host itself) are marks of these slots."""
    rows, seen = scan.block.address_rows(slots), scan.seen[slots]
    quiet = seen & ANSWERED == 0
    marks = (quiet & undecided, quiet & sure, absent[rows], doubtful[rows], own, scan.hosts.gives[rows] != 0)
    number = hosts[rows].astype(np.uint64) << np.uint64(32)
    for place, mark in enumerate((*marks, _turned(scan, slots, rows))):
        number |= mark.astype(np.uint64) << np.uint64(16 + place)
    return number | scan.tries[slots].astype(np.uint64) << np.uint64(8) | seen


def details(scan: Scan, slots: I64, conversation_of: Callable[[int], Conversation | None]) -> U64:
    """The second number of each slot."""
    seen, number = scan.seen[slots], np.zeros(slots.size, np.uint64)
    answered = seen & ANSWERED != 0
    quoted = ~answered & (seen & (ICMP_HARD | ICMP_SOFT) != 0)
    unsent = ~answered & ~quoted & (seen & NOT_SENT != 0)
    silent = ~answered & ~quoted & ~unsent
    number[answered] = _answers(scan, slots[answered], conversation_of)
    number[quoted] = scan.icmp[slots[quoted]].astype(np.uint64)
    number[unsent] = scan.errno[slots[unsent]].astype(np.uint64)
    number[silent] = _chances(scan.silence[slots[silent]])
    return number


def themselves(scan: Scan, slots: I64, senders: Senders) -> Bools:
    """Which of these slots have an ICMP error of the host that was asked."""
    own = scan.icmp[slots] >= 0
    own[own] = senders.themselves(slots[own])
    return own


def _turned(scan: Scan, slots: I64, rows: I64) -> Bools:
    """Which have an ICMP error that was said of canaries too."""
    if not scan.turned:
        return np.zeros(slots.size, np.bool_)
    turned = np.array([row << 32 | number for row, number in scan.turned], np.int64)
    return np.isin(rows << 32 | scan.icmp[slots], turned)


def _answers(scan: Scan, slots: I64, conversation_of: Callable[[int], Conversation | None]) -> U64:
    number = scan.ttl[slots].astype(np.uint64) | scan.window[slots].astype(np.uint64) << np.uint64(8)
    number |= scan.flags[slots].astype(np.uint64) << np.uint64(24) | scan.look[slots].astype(np.uint64) << np.uint64(32)
    is_open = np.flatnonzero(scan.seen[slots] & ANSWERED == SYN_ACK_SEEN)
    talks: dict[Conversation | None, int] = {}
    said = [talks.setdefault(conversation_of(slot), len(talks)) for slot in slots[is_open].tolist()]
    number[is_open] |= np.array(said, np.uint64) << np.uint64(40)
    return number


def _chances(silence: npt.NDArray[np.float32]) -> U64:
    samples, which = grouped(silence)
    return np.array([p_miss(each) for each in silence[samples].tolist()], np.float64).view(np.uint64)[which]
