"""Two stored runs compared without reading either: what looks the same in both is counted, by the look.

A join leaves the ports that look different, and those that one run has alone. Whether two looks differ in more than
evidence is asked once for each pair of looks, however many ports have them.
"""

from __future__ import annotations

from collections import Counter

from probe.judge.diff import Comparison, Diff, Gap
from probe.judge.likeness import answering, difference
from probe.report.stored import Stored

_LOOKS = "SELECT said, count(*) FROM verdict WHERE run = ? GROUP BY said"
_NOT_ALIKE = """
    SELECT old.host, old.port, old.said, new.said FROM verdict old
    LEFT JOIN verdict new ON new.run = ? AND new.host = old.host AND new.port = old.port
    WHERE old.run = ? AND new.said IS NOT old.said
"""
_ALIKE = """
    SELECT old.host, old.port FROM verdict old
    JOIN verdict new ON new.run = ? AND new.host = old.host AND new.port = old.port AND new.said = old.said
    WHERE old.run = ? AND old.said = ?
"""
_ONLY_NEW = """
    SELECT host, port, said FROM verdict new WHERE run = ?
    AND NOT EXISTS (SELECT 1 FROM verdict old WHERE old.run = ? AND old.host = new.host AND old.port = new.port)
"""


def compare_stored(stored: Stored, old: int, new: int) -> Diff:
    """What changed from one run to the other. Raises FieldError and sqlite3.Error."""
    comparison = Comparison()
    alike = Counter(dict(stored.rows(_LOOKS, old)))
    in_both = alike.total()
    for host, port, was, now in stored.rows(_NOT_ALIKE, new, old):
        alike[was] -= 1
        in_both -= now is None
        _see(stored, comparison, (host, port), was, now)
    for said, number in alike.items():
        _count(stored, comparison, (old, new), said, number)
    if in_both < sum(number for _, number in stored.rows(_LOOKS, new)):
        for host, port, said in stored.rows(_ONLY_NEW, new, old):
            _alone(stored, comparison, Gap.BEFORE, (host, port), said)
    return comparison.diff()


def _see(stored: Stored, comparison: Comparison, place: tuple[int, int], was: int, now: int | None) -> None:
    if now is None:
        _alone(stored, comparison, Gap.NOW, place, was)
    elif difference(stored.look(was), stored.look(now)) is None:
        comparison.unchanged += 1
    else:
        key = stored.key(*place)
        comparison.pair(stored.verdict(was, key), stored.verdict(now, key))


def _alone(stored: Stored, comparison: Comparison, gap: Gap, place: tuple[int, int], said: int) -> None:
    if answering(stored.look(said)):
        comparison.alone(gap, stored.verdict(said, stored.key(*place)))
    else:
        comparison.gap(gap, stored.key(*place))


def _count(stored: Stored, comparison: Comparison, runs: tuple[int, int], said: int, number: int) -> None:
    """Ports that look the same in both runs: unchanged, or in both of them undecided."""
    look = stored.look(said)
    if difference(look, look) is None:
        comparison.unchanged += number
    elif number:
        for host, port in stored.rows(_ALIKE, runs[1], runs[0], said):
            comparison.gap(Gap.UNDECIDED, stored.key(host, port))
