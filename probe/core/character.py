"""What the answers of an address tell about its host. Hosts of the same character are judged alike, so each character
is made once, however many hosts have it.

A fact is one number: the address row above, below it a code that says what was seen. The facts of a row, sorted, are
its character.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from msgspec import Struct

from probe.core.columns import I64, Bools, distinct
from probe.core.ledger import ANSWERED, ECHOED, OTHER, PLAIN, RESET_SEEN, SYN_ACK_SEEN, Ledger
from probe.core.resets import Voice

EVERYWHERE = 50  # ports at least, of which all but a twentieth are open: then a host answers on every port

_AT_ONCE = 1 << 16  # slots looked at together, which bounds memory
# Codes: the TTL of a SYN-ACK; that of an echoing reset; the host sent an ICMP error; how many ports are open.
_ECHO, _SPOKE, _OPEN = 1 << 8, 1 << 9, 1 << 10
_ROW = 1 << 20


class Host(Struct, frozen=True):
    """What the answers of one address tell about it. `everywhere` says so of one that answers on every port."""

    live: bool
    voice: Voice
    everywhere: str | None


class Senders:
    """Who sent each kind of ICMP error that a ledger knows."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        senders = [kind.sender for kind in ledger.icmp_kinds]
        self._known = np.array([sender is not None for sender in senders], np.bool_)
        self._high, self._low = np.array([sender or (0, 0) for sender in senders], np.uint64).reshape(-1, 2).T

    def themselves(self, slots: I64) -> Bools:
        """Of slots that have an ICMP error, whether the host that was asked sent it."""
        kinds, block = self._ledger.icmp[slots], self._ledger.block
        rows = block.address_rows(slots)
        same: Bools = self._known[kinds] & (self._high[kinds] == block.high[rows])
        same &= self._low[kinds] == block.low[rows]
        return same


def characters(ledger: Ledger, echoes: Mapping[int, frozenset[int]]) -> tuple[list[Host], I64]:
    """The characters that there are, and the index of that of each address row. `echoes` is as in `Assessment`."""
    told = [row * _ROW + _ECHO + ttl for row, ttls in echoes.items() for ttl in ttls]
    facts = distinct(np.concatenate([np.array(told, np.int64), *_facts(ledger)]))
    rows, width = len(ledger.block.high), len(ledger.block.ports)
    ends = np.searchsorted(facts, np.arange(rows + 1) * _ROW).tolist()
    codes = (facts % _ROW).astype(np.uint32)
    text, places = codes.tobytes(), dict[bytes, int]()
    of_row = [places.setdefault(text[4 * start : 4 * end], len(places)) for start, end in pairwise(ends)]
    return [_host(np.frombuffer(kind, np.uint32).tolist(), width) for kind in places], np.array(of_row, np.int64)


def _facts(ledger: Ledger) -> Iterator[I64]:
    rows, width = len(ledger.block.high), len(ledger.block.ports)
    step, senders = max(1, _AT_ONCE // width), Senders(ledger)
    for first in range(0, rows, step):
        slots = np.arange(first * width, min(first + step, rows) * width)
        answered, look = ledger.seen[slots] & ANSWERED, ledger.look[slots]
        is_open = answered == SYN_ACK_SEEN
        echoed = (answered == RESET_SEEN) & (look & (ECHOED | PLAIN | OTHER) == ECHOED)
        quoted = slots[ledger.icmp[slots] >= 0]
        yield _fewer(slots[is_open] // width * _ROW + ledger.ttl[slots[is_open]])
        yield _fewer(slots[echoed] // width * _ROW + _ECHO + ledger.ttl[slots[echoed]])
        yield _fewer(quoted[senders.themselves(quoted)] // width * _ROW + _SPOKE)
        counts = is_open.reshape(-1, width).sum(axis=1)
        everywhere = np.flatnonzero((counts >= 0.95 * width) & (width >= EVERYWHERE))
        yield (first + everywhere) * _ROW + _OPEN + counts[everywhere]


def _fewer(facts: I64) -> I64:
    """Without most repetitions; they come in runs."""
    fewer: I64 = facts[np.insert(facts[1:] != facts[:-1], 0, True)[: facts.size]]
    return fewer


def _host(codes: list[int], width: int) -> Host:
    syn_acks = frozenset(code for code in codes if code < _ECHO)
    echoes = frozenset(code - _ECHO for code in codes if _ECHO <= code < _SPOKE)
    count = next((code - _OPEN for code in codes if code >= _OPEN), None)
    note = f"this host answers on {count} of {width} ports: that says nothing of any one of them"
    return Host(bool(syn_acks or echoes or _SPOKE in codes), Voice(syn_acks, echoes), note if count else None)
