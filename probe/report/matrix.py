"""Hosts × ports as a picture: which columns tell something, and what stands in each cell.

Neighbouring ports that look alike on every host are one column, hosts that look the same and have nothing open one row:
what is left shows where something differs. A scan of all ports of a quiet network is a handful of columns.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from probe.judge.wording import runs
from probe.model import Verdict
from probe.report.fold import Host, Row

Span = tuple[int, int]


@dataclass(slots=True)
class Line:
    """A row: hosts that look the same, and for each column the verdict that stands for it, if there is one."""

    hosts: list[Host]
    cells: list[Verdict | None]


@dataclass(slots=True)
class Matrix:
    """`columns` are ranges of ports, both ends included; `left_out` counts hosts that had no room."""

    columns: list[Span]
    lines: list[Line] = field(default_factory=list)
    left_out: int = 0


def matrix(groups: Iterable[list[Host]], marked: Iterable[Collection[int]], most_cells: int) -> Matrix:
    """The picture of these hosts, each list of them alike. No column holds only a part of a set of `marked` ports."""
    rows = [(hosts, hosts[0].rows()) for hosts in groups]
    covered = {span for _, of_host in rows for row in of_host for span in runs(row.ports)}
    edges = covered | {span for ports in marked for span in runs(ports)}
    cuts = sorted({edge for first, last in edges for edge in (first, last + 1)})
    made = Matrix(_columns(cuts, covered))
    room = max(1, most_cells // max(1, len(made.columns)))
    made.lines = [Line(hosts, _cells(of_host, made.columns)) for hosts, of_host in rows[:room]]
    made.left_out = sum(len(hosts) for hosts, _ in rows[room:])
    return made


def _columns(cuts: list[int], covered: Iterable[Span]) -> list[Span]:
    """The pieces between the cuts that hold a port which was scanned on some host."""
    scanned = [False] * len(cuts)
    for first, last in covered:
        for index in range(bisect_left(cuts, first), bisect_left(cuts, last + 1)):
            scanned[index] = True
    return [(cut, cuts[index + 1] - 1) for index, cut in enumerate(cuts) if scanned[index]]


def _cells(rows: Iterable[Row], columns: list[Span]) -> list[Verdict | None]:
    starts = [first for first, _ in columns]
    cells: list[Verdict | None] = [None] * len(columns)
    for row in rows:
        for first, last in runs(row.ports):
            for index in range(bisect_left(starts, first), bisect_left(starts, last + 1)):
                cells[index] = row.sample
    return cells
