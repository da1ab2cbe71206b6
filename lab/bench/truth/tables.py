"""The scores as text for people and as Markdown for the README."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from lab.bench.truth.score import PROBE, SCANNERS, Score
from tests.cases.corpus import Case
from tests.cases.marks import Mark

Table = Mapping[str, Mapping[str, Score]]  # case -> scanner -> score

_WORDS = {Mark.RIGHT: "right", Mark.UNDETERMINED: "undetermined", Mark.WRONG: "wrong", None: "–"}


def word(score: Score | None) -> str:
    if score is None:
        return ""
    told = _WORDS[score.mark]
    return f"{told} ({score.ports})" if score.mark is Mark.WRONG and score.ports > 1 else told


def lines(cases: list[Case], table: Table) -> Iterator[str]:
    """Case by case, with the number of wrong ports where there is more than one; then the totals."""
    scanners = _scanners(table)
    width = max(len(case.id) for case in cases) + 2
    yield "".join([f"{'':{width}}", *(f"{name:16}" for name in scanners)]).rstrip()
    family = ""
    for case in cases:
        if case.family != family:
            family = case.family
            yield f"{family}:"
        yield "".join([f"{case.id:{width}}", *(f"{word(table[case.id].get(name)):16}" for name in scanners)]).rstrip()
    for told in ("right", "undetermined", "wrong", "–"):
        counts = [_counts(cases, table, name)[told] for name in scanners]
        if any(counts):
            yield "".join([f"{told:>{width - 2}}  ", *(f"{count:<16}" for count in counts)]).rstrip()


def markdown(cases: list[Case], table: Table) -> Iterator[str]:
    """One row for each family of cases, right of how many; the undetermined and the wrong of probe apart."""
    scanners = _scanners(table)
    others = [name for name in scanners if name != PROBE]
    heads = ["cases", "number", "probe: right", "undetermined", "wrong", *(f"{name}: right" for name in others)]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    families = list(dict.fromkeys(case.family for case in cases))
    for family in families:
        yield _row(family, [case for case in cases if case.family == family], table, others)
    yield _row("all", cases, table, others)


def _row(name: str, cases: list[Case], table: Table, others: list[str]) -> str:
    ours = _counts(cases, table, PROBE)
    cells = [name, str(len(cases)), *(str(ours[told]) for told in ("right", "undetermined", "wrong"))]
    for other in others:
        counts = _counts(cases, table, other)
        asked = counts.total() - counts["–"]
        cells.append(f"{counts['right']}" if asked == len(cases) else f"{counts['right']} of {asked}")
    return f"| {' | '.join(cells)} |"


def case_by_case(cases: list[Case], table: Table) -> Iterator[str]:
    """Every case as a row of Markdown."""
    scanners = _scanners(table)
    yield f"| case | {' | '.join(scanners)} |"
    yield "|---" * (1 + len(scanners)) + "|"
    for case in cases:
        yield f"| {case.id} | {' | '.join(word(table[case.id].get(name)) for name in scanners)} |"


def measured(cases: list[Case], table: Table) -> Iterator[str]:
    """Wrong ports and seconds of the large jobs, as Markdown."""
    scanners = _scanners(table)
    yield f"| job | {' | '.join(scanners)} |"
    yield "|---" * (1 + len(scanners)) + "|"
    for case in cases:
        cells = [_measure(table[case.id].get(name), len(case.truth)) for name in scanners]
        yield f"| {case.id.replace('-', ' ')} | {' | '.join(cells)} |"


def _measure(score: Score | None, ports: int) -> str:
    if score is None or score.mark is None:
        return "–"
    return f"{score.ports} wrong, {score.seconds:.0f} s" if score.ports or score.mark is not Mark.WRONG else score.note


def _scanners(table: Table) -> list[str]:
    return [name for name in SCANNERS if any(name in row for row in table.values())]


def _counts(cases: list[Case], table: Table, scanner: str) -> Counter[str]:
    return Counter(_WORDS[table[case.id][scanner].mark] for case in cases if scanner in table[case.id])
