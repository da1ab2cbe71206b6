"""Verdicts that wait to be written to the history, and their way into it.

What takes the time is a statement for each row. So where many ports in a row look alike on a host, one statement writes
them all: SQLite takes their round-trip times from a list of JSON, as whole microseconds.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat
from math import isnan, nan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LONG = 64  # ports of a range that are worth a statement of their own
_ONE = "INSERT INTO verdict (run, host, port, said, rtt_ms) VALUES (?, ?, ?, ?, ?)"
_RANGE = """\
INSERT INTO verdict (run, host, port, said, rtt_ms)
SELECT ?, ?, ? + key, ?, value / 1000.0 FROM json_each(?)"""  # n / 1000.0 is what round(x, 3) gives, to the last bit

Row = tuple[object, ...]


class Waiting:
    """Columns, 18 bytes a verdict. Hosts and looks are places in catalogues, which have numbers in the end."""

    def __init__(self) -> None:
        self._hosts, self._said, self._ports, self._rtts = array("I"), array("I"), array("H"), array("d")
        self._many = False

    def __len__(self) -> int:
        return len(self._ports)

    def add(self, host: int, said: int, port: int, rtt_ms: float | None) -> None:
        self._hosts.append(host)
        self._said.append(said)
        self._ports.append(port)
        self._rtts.append(nan if rtt_ms is None else rtt_ms)

    def add_all(self, *columns: npt.NDArray[np.generic]) -> None:
        """Hosts and looks of 32 bits, ports of 16, round-trip times of 64, NaN where there is none."""
        mine: tuple[array[Any], ...] = (self._hosts, self._said, self._ports, self._rtts)
        for own, new in zip(mine, columns, strict=True):
            own.frombytes(new.tobytes())
        self._many = True

    def insert(self, sql: sqlite3.Connection, run: int | None, hosts: list[int], said: list[int]) -> None:
        """All of them, given the numbers of hosts and looks. Raises sqlite3.Error."""
        whole = slice(0, len(self))
        if not self._many or not _knows_json(sql):
            sql.executemany(_ONE, self._rows(run, hosts, said, whole))
            return
        for part, times in self._ranges():
            if times is None:
                sql.executemany(_ONE, self._rows(run, hosts, said, part))
            else:
                first = part.start
                place = (run, hosts[self._hosts[first]], self._ports[first], said[self._said[first]])
                sql.execute(_RANGE, (*place, f"[{','.join(times)}]"))

    def _rows(self, run: int | None, hosts: list[int], said: list[int], part: slice) -> Iterator[Row]:
        rtts = (None if isnan(rtt) else round(rtt, 3) for rtt in self._rtts[part])
        numbers = (map(hosts.__getitem__, self._hosts[part]), self._ports[part])
        return zip(repeat(run), *numbers, map(said.__getitem__, self._said[part]), rtts)

    def _ranges(self) -> Iterator[tuple[slice, Iterable[str] | None]]:
        """All of them in parts; with the microseconds as JSON where a part is a range of ports that look alike."""
        import numpy as np  # takes 0.1 s, and who added many has it

        from probe.report.stencil import thousandths

        hosts, said, ports, rtts = map(np.array, (self._hosts, self._said, self._ports, self._rtts))
        micros, sure = thousandths(rtts)
        texts, plain = list(map(str, micros.tolist())), sure | np.isnan(rtts)
        for place in np.flatnonzero(~sure).tolist():
            texts[place] = "null"
        breaks = (np.diff(ports.astype(np.int64)) != 1) | (hosts[1:] != hosts[:-1]) | (said[1:] != said[:-1])
        ends = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(self)]
        loose = 0  # where short ranges began that nothing was done about yet
        for start, stop in pairwise(ends):
            if stop - start >= LONG and plain[start:stop].all():
                yield slice(loose, start), None
                yield slice(start, stop), texts[start:stop]
                loose = stop
        yield slice(loose, len(self)), None


def _knows_json(sql: sqlite3.Connection) -> bool:
    """SQLite before 3.38 could be built without."""
    try:
        sql.execute("SELECT json_array()")
    except sqlite3.OperationalError:
        return False
    return True
