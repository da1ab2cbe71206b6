"""Two stored runs compared without reading either port by port: they are walked through side by side, stretch by
stretch, and whether two looks differ in more than evidence is asked once for each pair, however many ports have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from probe.judge.diff import Comparison, Diff, Gap
from probe.judge.likeness import Layer, Undecided, answering, difference
from probe.report.stored import Stored
from probe.report.stretch import Stretch


class Common(NamedTuple):
    """Ports `first` … `end` - 1 of a host, and how they look in both runs: None where one has not got them."""

    host: int
    first: int
    end: int
    was: int | None
    now: int | None


def compare_stored(stored: Stored, old: int, new: int) -> Diff:
    """What changed from one run to the other. Raises FieldError and sqlite3.Error."""
    comparison = Comparison()

    @cache
    def differ(was: int, now: int) -> Layer | Undecided | None:
        return difference(stored.look(was), stored.look(now))

    for part in side_by_side(stored.stretches(old), stored.stretches(new)):
        if part.was is None or part.now is None:
            _alone(stored, comparison, part)
        elif (found := differ(part.was, part.now)) is None:
            comparison.unchanged += part.end - part.first
        else:
            _see(stored, comparison, part, found)
    return comparison.diff()


def side_by_side(old: Iterator[Stretch], new: Iterator[Stretch]) -> Iterator[Common]:
    """Two runs, each by host and port, cut where a stretch of either begins or ends."""
    left, right = next(old, None), next(new, None)
    while left or right:
        if left and (right is None or left[:2] < right[:2]):
            end = _until(left, right)
            yield Common(left.host, left.first, end, left.said, None)
            left = _rest(left, end, old)
        elif right and (left is None or right[:2] < left[:2]):
            end = _until(right, left)
            yield Common(right.host, right.first, end, None, right.said)
            right = _rest(right, end, new)
        elif left and right:
            end = min(left.end, right.end)
            yield Common(left.host, left.first, end, left.said, right.said)
            left, right = _rest(left, end, old), _rest(right, end, new)


def _until(stretch: Stretch, other: Stretch | None) -> int:
    """Where it ends, or the other one begins."""
    return min(stretch.end, other.first) if other and other.host == stretch.host else stretch.end


def _rest(stretch: Stretch, end: int, others: Iterator[Stretch]) -> Stretch | None:
    return stretch._replace(first=end) if stretch.end > end else next(others, None)


def _see(stored: Stored, comparison: Comparison, part: Common, found: Layer | Undecided) -> None:
    assert part.was is not None
    assert part.now is not None
    for port in range(part.first, part.end):
        key = stored.key(part.host, port)
        if isinstance(found, Undecided):
            comparison.gap(Gap.UNDECIDED, key)
        else:
            comparison.pair(stored.verdict(part.was, key), stored.verdict(part.now, key))


def _alone(stored: Stored, comparison: Comparison, part: Common) -> None:
    gap, said = (Gap.BEFORE, part.now) if part.was is None else (Gap.NOW, part.was)
    assert said is not None
    answers = answering(stored.look(said))
    for port in range(part.first, part.end):
        key = stored.key(part.host, port)
        if answers:
            comparison.alone(gap, stored.verdict(said, key))
        else:
            comparison.gap(gap, key)
