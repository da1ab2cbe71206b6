"""The text of a sweep, line by line, from pieces that are made once for all lines that share them.

A line is: where (one for each place), the port, what was seen up to the responder, the responder, the rest of it, the
round-trip time in milliseconds, the name that is registered for the port, and the end. A format cuts its own line of a
sample at these seams, so that both ways of writing say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from probe.model import Verdict
from probe.services.ports import names
from probe.sweep import Sweep

Texts = np.ndarray[Any, np.dtype[np.object_]]
MANY_ALIKE = 32  # lines that are worth a text of their own
_MANY = 1 << 12
_WHOLES = 1 << 10  # round-trip times of less than so many milliseconds are put together from two tables


class Cuts(Struct, frozen=True):
    """What lines of one look have in common. Where an address is its own responder, it goes behind `opening`."""

    opening: str
    closing: str
    end: str


class Stencil(Struct, frozen=True):
    """How a format writes: `head` of a place, `cuts` of a look (told whether its address is its own responder), what
    stands before a round-trip time where there is one, and the name that is registered for a port, None without one."""

    head: Callable[[str, str, str], str]  # target, address, transport
    cuts: Callable[[Verdict, bool], Cuts]
    rtt: str
    registered: Callable[[str | None], str]

    def prepare(self) -> None:
        """Make the tables that are made once, before anybody waits for a text."""
        _registered(self)
        _alldecimals()
        _wholes(self.rtt)
        _parts()

    def text(self, sweep: Sweep) -> str:
        """All lines of the sweep."""
        pieces = _Pieces(self, sweep)
        parts, done = [], 0
        for start, stop in _silent(sweep):
            parts += [pieces.mixed(slice(done, start)), pieces.alike(slice(start, stop))]
            done = stop
        return "".join([*parts, pieces.mixed(slice(done, None))])


class _Pieces:
    """What is made once for a sweep."""

    def __init__(self, stencil: Stencil, sweep: Sweep) -> None:
        self._stencil, self._sweep = stencil, sweep
        self._cuts = list(map(stencil.cuts, sweep.looks, sweep.own))
        self._openings, self._closings, self._ends = (
            texts(getattr(cut, name) for cut in self._cuts) for name in ("opening", "closing", "end")
        )
        transport, targets = sweep.looks[0].key.transport, [target for target, _ in sweep.places]
        self._addresses = texts(sweep.addresses())
        made = zip(targets, self._addresses, strict=True)
        self._heads = texts(stencil.head(target, address, transport) for target, address in made)
        self._own = np.array(sweep.own)

    def alike(self, part: slice) -> str:
        """Ports of one host with one look and without times: they differ in the port, and next to nothing is done for
        each."""
        row, which = self._sweep.rows[part.start], self._sweep.which[part.start]
        cuts, head = self._cuts[which], str(self._heads[row])
        middle = cuts.opening + (self._addresses[row] if self._sweep.own[which] else "") + cuts.closing
        return head + head.join(_tails(self._stencil, middle, cuts.end).of(self._sweep.ports[part]))

    def mixed(self, part: slice) -> str:
        """Any."""
        rows, which, ports = self._sweep.rows[part], self._sweep.which[part], self._sweep.ports[part]
        if not ports.size:
            return ""
        columns = (
            self._heads[rows],
            decimals(ports),
            self._openings[which],
            np.where(self._own[which], self._addresses[rows], ""),
            self._closings[which],
            *times(self._sweep.rtt_ms[part], self._stencil.rtt),
            _registered(self._stencil)[ports],
            self._ends[which],
        )
        return joined(columns)


class _Tails:
    """What stands behind the head in the lines of one look, by port, made when it is first wanted."""

    def __init__(self, stencil: Stencil, middle: str, end: str) -> None:
        self._stencil, self._middle, self._end = stencil, middle, end
        self._made, self._texts = np.zeros(65536, np.bool_), np.empty(65536, np.object_)

    def of(self, ports: npt.NDArray[np.uint16]) -> list[str]:
        new = ports[~self._made[ports]]
        registered = _registered(self._stencil)[new]
        middle, end = self._middle, self._end
        made = (f"{port}{middle}{name}{end}" for port, name in zip(new.tolist(), registered, strict=True))
        self._texts[new] = texts(made)
        self._made[new] = True
        found: list[str] = self._texts[ports].tolist()
        return found


_tails = lru_cache(maxsize=2)(_Tails)


def _silent(sweep: Sweep) -> list[tuple[int, int]]:
    """Where many in a row differ in nothing but the port."""
    timed = ~np.isnan(sweep.rtt_ms)
    changes = [column[1:] != column[:-1] for column in (sweep.rows, sweep.which, timed)]
    ends = np.concatenate([[0], np.flatnonzero(np.logical_or.reduce(changes)) + 1, [len(sweep)]])
    long = np.flatnonzero((np.diff(ends) >= MANY_ALIKE) & ~timed[ends[:-1]]) if len(sweep) else ends[:0]
    return list(zip(ends[long].tolist(), ends[long + 1].tolist(), strict=True))


def joined(columns: Sequence[Texts]) -> str:
    """Row by row."""
    return "".join(np.stack(columns, axis=1).ravel().tolist())


def texts(them: Iterable[str]) -> Texts:
    """A column of them."""
    listed = list(them)
    made: Texts = np.empty(len(listed), np.object_)
    made[:] = listed
    return made


def decimals(ports: npt.NDArray[np.uint16]) -> Texts:
    """Numbers as text."""
    # All of them take 6 ms to make: as much as one sweep of all ports.
    return texts(map(str, ports.tolist())) if ports.size < _MANY else _alldecimals()[ports]


@cache
def _alldecimals() -> Texts:
    return texts(map(str, range(65536)))


@cache
def _registered(stencil: Stencil) -> Texts:
    """By port."""
    made = texts([stencil.registered(None)] * 65536)
    for port, name in names("tcp").items():
        made[port] = stencil.registered(name)
    return made


def thousandths(rtt_ms: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """`round(rtt_ms, 3)` as whole microseconds, and where this is sure to be so. Where it is not, they are 0."""
    scaled = np.where(rtt_ms < _WHOLES - 1, rtt_ms, -1.0) * 1000  # NaN is not less
    # round() decides by all digits of the number (float_round in CPython's Objects/floatobject.c); `scaled` is rounded
    # itself, so it knows only what is clearly no half.
    sure = (scaled >= 0) & (np.abs(scaled - np.floor(scaled) - 0.5) > 1e-6)
    return np.where(sure, np.rint(scaled), 0).astype(np.int64), sure


def times(rtt_ms: npt.NDArray[np.float64], prefix: str, none: str = "") -> tuple[Texts, Texts]:
    """`round(rtt_ms, 3)` as two columns: `prefix` and what stands before the decimal point, and all from it on. Where
    there is no time, `none` and nothing."""
    micros, sure = thousandths(rtt_ms)
    wholes, parts = _wholes(prefix)[micros // 1000], _parts()[micros % 1000]
    for place in np.flatnonzero(~sure).tolist():
        time = float(rtt_ms[place])
        wholes[place], parts[place] = (none, "") if time != time else (prefix, repr(round(time, 3)))
    return wholes, parts


@cache
def _wholes(prefix: str) -> Texts:
    return texts(f"{prefix}{number}" for number in range(_WHOLES))


@cache
def _parts() -> Texts:
    return texts(repr(number / 1000)[1:] for number in range(1000))
