"""A row of the history: ports one after the other that look alike on a host, with the round-trip time of each.

So a thousand dropped ports cost what one does. Times are packed, as microseconds of 32 bits in little-endian order;
they are what the canonical form says, which has three decimals of a millisecond.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from probe.report.fields import FieldError, shown

TABLE = """
CREATE TABLE stretch (
    run INTEGER NOT NULL, host INTEGER NOT NULL, first INTEGER NOT NULL, ports INTEGER NOT NULL, said INTEGER NOT NULL,
    rtts BLOB, PRIMARY KEY (run, host, first)
) WITHOUT ROWID"""
INSERT = "INSERT INTO stretch (run, host, first, ports, said, rtts) VALUES (?, ?, ?, ?, ?, ?)"
NO_TIME = 0xFFFFFFFF

Row = tuple[int | None, int, int, int, int, bytes | None]


class Stretch(NamedTuple):
    """Ports `first` … `end` - 1 of a host, which all look like `said`; `rtts` is None where no port has one."""

    host: int
    first: int
    end: int
    said: int
    rtts: bytes | None = None

    def times(self) -> Iterator[float | None]:
        """Milliseconds, port by port. Raises FieldError."""
        number = self.end - self.first
        if self.rtts is None:
            return iter([None] * number)
        if not isinstance(self.rtts, bytes) or len(self.rtts) != 4 * number:
            raise FieldError(f"{shown(self.rtts)} are no round-trip times of {number} ports")
        # n / 1000 is what round(x, 3) gives, to the last bit.
        return (None if time == NO_TIME else time / 1000 for (time,) in struct.iter_unpack("<I", self.rtts))


def stretch(host: int, first: Any, ports: Any, said: int, rtts: Any = None) -> Stretch:
    """One as it was read. Raises FieldError: SQLite's types are suggestions."""
    if type(first) is not int or type(ports) is not int or not 0 <= first < first + ports <= 65536:
        raise FieldError(f"{shown(ports)} from {shown(first)} on are no ports")
    return Stretch(host, first, first + ports, said, rtts)


def micros(rtt_ms: float) -> int:
    """Of a time that is one."""
    return min(round(round(rtt_ms, 3) * 1000), NO_TIME - 1)


def packed(times: Iterable[int]) -> bytes:
    listed = list(times)
    return struct.pack(f"<{len(listed)}I", *listed)
