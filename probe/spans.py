"""Sets of port numbers as ranges: four bytes for each, however many ports it has."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator


class Spans(Collection[int]):
    """Ports that come in any order, each of them once; whoever reads them gets them ascending."""

    __slots__ = ("_bounds", "_ordered")

    def __init__(self, ports: Iterable[int] = ()) -> None:
        self._bounds = array("H")  # first and last of each, in the order in which they came
        self._ordered = True
        for port in ports:
            self.add(port)

    def add(self, port: int) -> None:
        self.add_range(port, port)

    def add_range(self, first: int, last: int) -> None:
        """Both ends included."""
        bounds = self._bounds
        if bounds and first == bounds[-1] + 1:
            bounds[-1] = last
            return
        self._ordered &= not bounds or first > bounds[-1]
        bounds.append(first)
        bounds.append(last)

    def runs(self) -> Iterator[tuple[int, int]]:
        """The ranges, ascending, both ends included; none touches the next."""
        self._order()
        return zip(self._bounds[::2], self._bounds[1::2], strict=True)

    def dense(self) -> bytes:
        """Equal for equal sets."""
        self._order()
        return self._bounds.tobytes()

    def __iter__(self) -> Iterator[int]:
        return (port for first, last in self.runs() for port in range(first, last + 1))

    def __len__(self) -> int:
        return sum(self._bounds[1::2]) - sum(self._bounds[::2]) + len(self._bounds) // 2

    def __contains__(self, port: object) -> bool:
        self._order()
        firsts = self._bounds[::2]
        place = bisect_right(firsts, port) if isinstance(port, int) else 0
        return place > 0 and port <= self._bounds[2 * place - 1]  # type: ignore[operator]

    def _order(self) -> None:
        if self._ordered:
            return
        came = sorted(zip(self._bounds[::2], self._bounds[1::2], strict=True))
        self._bounds, self._ordered = array("H"), True
        for first, last in came:
            self.add_range(first, last)
