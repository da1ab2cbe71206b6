"""The comparison as aligned text for a terminal, or as Markdown for a README: a row per daemon, then the totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.bench.services.catalog import Entry
from lab.bench.services.grade import COLUMNS, Grade, Mark, total
from lab.bench.services.scanners import Seen

Lines = list[list[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One daemon. By scanner: what it said, what that is worth, and seconds where it was timed alone."""

    entry: Entry
    version: str
    seen: Mapping[str, Seen]
    grades: Mapping[str, Grade]
    seconds: Mapping[str, float]


def daemons(rows: Sequence[Row]) -> Lines:
    """Marks for name, product and version; what was wrong is spelled out."""
    scanners = list(rows[0].seen) if rows else []
    timed = [scanner for scanner in scanners if any(scanner in row.seconds for row in rows)]
    lines = [["daemon", "truth", *scanners, *(f"{scanner}, s" for scanner in timed)]]
    for row in sorted(rows, key=lambda row: row.entry.key):
        truth = f"{row.entry.name[0]}: {row.entry.product[0]} {row.version}"
        times = [f"{row.seconds[scanner]:.1f}" for scanner in timed]
        lines.append([row.entry.key, truth, *(_marks(row, scanner) for scanner in scanners), *times])
    return lines


def totals(rows: Sequence[Row], seconds: Mapping[str, float]) -> Lines:
    """How many are right in each column, how many daemons got anything wrong, seconds for all of them in one scan."""
    lines = [["", *COLUMNS, "false", "seconds"]]
    for scanner, time in seconds.items():
        grades = [row.grades[scanner] for row in rows]
        right = [f"{total(grades, column, Mark.RIGHT)} of {len(rows)}" for column in COLUMNS]
        lines.append([scanner, *right, str(sum(grade.false for grade in grades)), f"{time:.1f}"])
    return lines


def plain(lines: Lines) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(lines: Lines) -> str:
    rule = ["---"] * len(lines[0])
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def _marks(row: Row, scanner: str) -> str:
    grade, seen = row.grades[scanner], row.seen[scanner]
    return " ".join(_cell(getattr(grade, column), getattr(seen, column)) for column in COLUMNS)


def _cell(mark: Mark, said: str | None) -> str:
    return f"{mark} ({said})" if mark is Mark.WRONG else mark.value
