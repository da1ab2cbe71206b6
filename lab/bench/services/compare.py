"""Both scanners over the same daemons, one after the other; what each said, graded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab.bench.services.grade import grade
from lab.bench.services.scanners import Result, Seen, nmap, probe
from lab.bench.services.stage import ADDRESS, Actor
from lab.bench.services.table import Row
from lab.bench.services.truth import version_of

SCANNERS: dict[str, Callable[[str, Sequence[int]], Result]] = {"probe": probe, "nmap -sV": nmap}

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """`seconds`, by scanner, are those of one scan of all daemons."""

    rows: list[Row]
    seconds: dict[str, float]


def compare(actors: Sequence[Actor], *, each: bool) -> Comparison:
    """With `each`, every daemon is scanned once more alone, for the time that it takes."""
    results = {name: _scan(name, actors) for name in SCANNERS}
    alone = {name: _alone(name, actors) for name in SCANNERS} if each else {}
    rows = [_row(actor, results, {name: times[actor.port] for name, times in alone.items()}) for actor in actors]
    return Comparison(rows, {name: result.seconds for name, result in results.items()})


def _alone(name: str, actors: Sequence[Actor]) -> dict[int, float]:
    """Seconds by port. A few at a time: scanners of one port mostly wait."""
    print(f"{name}: {len(actors)} daemons, each alone …", file=sys.stderr)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        times = pool.map(lambda actor: SCANNERS[name](ADDRESS, [actor.port]).seconds, actors)
        return dict(zip((actor.port for actor in actors), times, strict=True))


def _scan(name: str, actors: Sequence[Actor]) -> Result:
    print(f"{name}: {len(actors)} daemons …", file=sys.stderr)
    result = SCANNERS[name](ADDRESS, [actor.port for actor in actors])
    for actor in actors:
        if actor.process.poll() is not None:
            print(f"{actor.entry.key} did not survive {name}; it wrote:\n{actor.log}\n", file=sys.stderr)
    return result


def _row(actor: Actor, results: dict[str, Result], seconds: dict[str, float]) -> Row:
    version = version_of(actor.entry)
    seen = {name: result.seen.get(actor.port, Seen()) for name, result in results.items()}
    grades = {name: grade(actor.entry, version, it) for name, it in seen.items()}
    return Row(actor.entry, version, seen, grades, seconds)
