"""What every way of sending packets has in common, and the last look before they leave.

A wire takes IP packets as rows and gives batches back. It never blocks for long, never raises for what a remote host
does, and reports what the local machine refused as errno per row, because that is not the network's verdict.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from probe.core.columns import I64, MAPPED, U64
from probe.core.plan import Scope
from probe.core.replies import Batch
from probe.errors import WireError


class Sent(Struct, frozen=True):
    """`failed` maps an errno to the row numbers that the local machine would not send."""

    failed: dict[int, I64] = field(default_factory=dict)

    def rows(self, count: int) -> I64:
        """The rows that did leave, out of `count`."""
        left = np.ones(count, np.bool_)
        for rows in self.failed.values():
            left[rows] = False
        return np.flatnonzero(left)


class Wire(Protocol):
    """One way of sending and receiving IP packets. `threaded`: `send` leaves the interpreter for most of its time, so
    a thread of its own pays."""

    name: str
    threaded: bool

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        """Send the packets of one family, in order."""

    def receive(self) -> Batch | None:
        """What has come in since, without waiting; None where nothing has."""

    def fileno(self) -> int:
        """Readable when `receive` has something."""

    def drops(self) -> int:
        """Packets for us that the kernel could not queue, so far."""

    def close(self) -> None: ...


class Scoped:
    """A wire that looks at every packet's destination once more: whatever the plan says, none leaves the scope."""

    def __init__(self, wire: Wire, scope: Scope) -> None:
        self._wire, self._scope = wire, scope
        self.name, self.threaded = wire.name, wire.threaded
        self.receive, self.fileno, self.drops, self.close = wire.receive, wire.fileno, wire.drops, wire.close

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        if not self._scope.allows(*_destinations(rows)).all():
            raise WireError("refused to send a packet out of scope; this is a mistake in probe, please report it")
        return self._wire.send(rows)


def _destinations(rows: npt.NDArray[np.void]) -> tuple[U64, U64]:
    destination = rows["destination"]
    if destination.ndim == 1:
        return np.zeros(len(rows), np.uint64), destination.astype(np.uint64) | np.uint64(MAPPED)
    return destination[:, 0].astype(np.uint64), destination[:, 1].astype(np.uint64)
