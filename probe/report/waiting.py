"""Verdicts that wait to be written to the history, and their way into it.

What takes the time is a row. So ports one after the other that look alike on a host are one, see `stretch`.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import isnan, nan
from typing import TYPE_CHECKING, Any

from probe.report.stretch import INSERT, NO_TIME, Row, micros, packed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Waiting:
    """Columns, 22 bytes a verdict. What stands for hosts and looks has its number in the end."""

    def __init__(self) -> None:
        self._hosts, self._said, self._ports, self._rtts = array("Q"), array("I"), array("H"), array("d")
        self._many = False

    def __len__(self) -> int:
        return len(self._ports)

    def add(self, host: int, said: int, port: int, rtt_ms: float | None) -> None:
        self._hosts.append(host)
        self._said.append(said)
        self._ports.append(port)
        self._rtts.append(nan if rtt_ms is None else rtt_ms)

    def add_all(self, *columns: npt.NDArray[np.generic]) -> None:
        """Hosts of 64 bits, looks of 32, ports of 16, round-trip times of 64, NaN where there is none."""
        mine: tuple[array[Any], ...] = (self._hosts, self._said, self._ports, self._rtts)
        for own, new in zip(mine, columns, strict=True):
            own.frombytes(new.tobytes())
        self._many = True

    def insert(self, sql: sqlite3.Connection, run: int | None, host: Callable[[int], int], said: Sequence[int]) -> None:
        """All of them, given the numbers of hosts and of looks. Raises sqlite3.Error."""
        sql.executemany(INSERT, self._stretches(run, host, said))

    def _stretches(self, run: int | None, host: Callable[[int], int], said: Sequence[int]) -> Iterator[Row]:
        if not self:
            return
        breaks, times = self._found_at_once() if self._many else self._found_in_turn()
        for start, stop in pairwise((0, *breaks, len(self))):
            own = times[4 * start : 4 * stop]
            rtts = own if own.strip(b"\xff") else None
            number = stop - start
            yield run, host(self._hosts[start]), self._ports[start], number, said[self._said[start]], rtts

    def _found_in_turn(self) -> tuple[Iterable[int], bytes]:
        """Where a stretch ends and the next begins, and all round-trip times."""
        columns = (self._hosts, self._said, (port - place for place, port in enumerate(self._ports)))
        alike = enumerate(pairwise(zip(*columns, strict=True)), 1)
        times = (NO_TIME if isnan(rtt) else micros(rtt) for rtt in self._rtts)
        return [place for place, (before, after) in alike if before != after], packed(times)

    def _found_at_once(self) -> tuple[Iterable[int], bytes]:
        """The same."""
        import numpy as np  # takes 0.1 s, and who added many has it

        from probe.report.stencil import thousandths

        hosts, said, ports, rtts = map(np.array, (self._hosts, self._said, self._ports, self._rtts))
        breaks = (np.diff(ports.astype(np.int64)) != 1) | (hosts[1:] != hosts[:-1]) | (said[1:] != said[:-1])
        times, sure = thousandths(rtts)
        times[np.isnan(rtts)] = NO_TIME
        for place in np.flatnonzero(~(sure | np.isnan(rtts))).tolist():
            times[place] = micros(float(rtts[place]))
        return (np.flatnonzero(breaks) + 1).tolist(), times.astype("<u4").tobytes()
