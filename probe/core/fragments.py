"""Datagrams put together again, because the packet socket gives fragments where the kernel's own sockets see the whole.

What is kept is bounded in bytes, in datagrams, and per sender, so whoever floods displaces first what is their own; and
only the addresses that we asked may send any. `core.datagram` has the rules.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from probe.core.columns import I64, Bools, Halves, View
from probe.core.datagram import MORE_FRAGMENTS, OFFSET, TCP, Datagram, Fragment, read_fragment
from probe.core.extensions import DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING
from probe.core.replies import Batch

MOST_BYTES = 2048  # of a datagram; a SYN is answered with less
MOST_DATAGRAMS, SHARE = 512, 8  # unfinished at once: in all, and of one sender
PATIENCE = {4: 30.0, 6: 60.0}  # seconds: ipfrag_time (net/ipv4/ip_fragment.c); RFC 8200 section 4.5


class Fragments:
    """Unfinished datagrams. `asked` tells from columns of addresses which we wait for an answer from."""

    def __init__(self, asked: Callable[[Halves], Bools]) -> None:
        self._asked = asked
        self._held: dict[bytes, OrderedDict[bytes, Datagram]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def join(self, batch: Batch, now: float) -> Batch:
        """`batch` with each datagram that it finishes in place of the finishing fragment, and without the others.

        `now` is in seconds. Fragments that belong to nothing stay, for `parse` to count; those that come from somebody
        we did not ask go.
        """
        lines = _candidates(batch)
        if not lines.size:
            return batch
        asked, packets = self._come_from_asked(batch, lines), dict[int, bytes | None]()
        for line, wanted in zip(lines.tolist(), asked.tolist(), strict=True):
            piece = read_fragment(batch.rows[line, : batch.lengths[line]].tobytes())
            if piece:
                packets[line] = self._take(piece, now) if wanted else b""
        return _with(batch, packets) if packets else batch

    def _come_from_asked(self, batch: Batch, lines: I64) -> Bools:
        asked = np.zeros(len(lines), np.bool_)
        for version in (4, 6):
            family = batch.rows[lines, 0] >> 4 == version
            if family.any():
                asked[family] = self._asked(View(batch.rows, lines[family]).addresses(version, 0)[0])
        return asked

    def _take(self, piece: Fragment, now: float) -> bytes | None:
        """The packet that this piece finishes; b"" if others are missing, None if it belongs to nothing."""
        own = self._held.get(piece.sender)
        held = own.get(piece.key) if own else None
        if held is None or held.until <= now:
            held = self._begin(piece, now)
        brought = held.add(piece) if piece.end <= MOST_BYTES else -1
        if brought == 0 or (brought > 0 and not held.complete):  # a duplicate finishes nothing, whatever it says
            return b""
        self._forget(piece.sender, piece.key)
        return held.packet(piece.version) if brought > 0 and held.one_ecn else None

    def _begin(self, piece: Fragment, now: float) -> Datagram:
        own = self._held.get(piece.sender, OrderedDict())
        if piece.key in own:
            self._forget(piece.sender, piece.key)
        elif len(own) >= SHARE:
            self._forget(piece.sender)
        elif self._count >= MOST_DATAGRAMS:
            self._forget(max(self._held, key=lambda sender: len(self._held[sender])))
        datagram = Datagram(now + PATIENCE[piece.version])
        self._held.setdefault(piece.sender, OrderedDict())[piece.key] = datagram
        self._count += 1
        return datagram

    def _forget(self, sender: bytes, key: bytes | None = None) -> None:
        """This datagram of a sender, or the oldest one."""
        own = self._held[sender]
        del own[next(iter(own)) if key is None else key]
        self._count -= 1
        if not own:
            del self._held[sender]


def _candidates(batch: Batch) -> I64:
    """The rows that may be fragments of TCP: all that are, and IPv6 packets with extension headers."""
    if batch.rows.shape[1] < 20:
        return np.empty(0, np.int64)
    rows, version = batch.rows, batch.rows[:, 0] >> 4
    cut = (rows[:, 6] & np.uint8((MORE_FRAGMENTS | OFFSET) >> 8) | rows[:, 7]) != 0
    found = (version == 4) & cut & (rows[:, 9] == TCP) & (batch.lengths >= 20)
    if (six := np.flatnonzero(version == 6)).size:
        extended = np.isin(rows[six, 6], (FRAGMENT, HOP_BY_HOP, ROUTING, DESTINATION))
        found[six] = extended & (batch.lengths[six] >= 48)
    return np.flatnonzero(found)


def _with(batch: Batch, packets: dict[int, bytes | None]) -> Batch:
    """`batch` with some rows replaced, those left out that are b"" now, and None as they were."""
    keep = np.array([packets.get(line) != b"" for line in range(len(batch))])
    finished = {line: packet for line, packet in packets.items() if packet}
    width = max([batch.rows.shape[1], *map(len, finished.values())])
    rows = np.zeros((len(batch), width), np.uint8)
    rows[:, : batch.rows.shape[1]] = batch.rows
    lengths, intact = batch.lengths.copy(), batch.intact.copy()
    for line, packet in finished.items():
        rows[line] = np.frombuffer(packet.ljust(width, b"\0"), np.uint8)
        lengths[line], intact[line] = len(packet), False  # the kernel vouched for a piece, not for the whole
    return Batch(rows[keep], lengths[keep], intact[keep])
