"""Which mutation led where: the coverage of a fuzz run, as a table."""

from __future__ import annotations

from tests.fuzz.frames import KINDS
from tests.fuzz.run import Outcomes

NAMES = [kind.__name__ for kind in KINDS]


def table(outcomes: Outcomes) -> str:
    """Markdown: a row for each outcome, a column for each mutation, frames in the cells."""
    found = sorted({outcome for outcome, _ in outcomes if outcome})
    lines = [["outcome", *(name.replace("_", " ") for name in NAMES), "all"]]
    for outcome in found:
        counts = [outcomes[outcome, name] for name in NAMES]
        lines.append([outcome, *(f"{count:,}" if count else "" for count in counts), f"{sum(counts):,}"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "".join("| " + " | ".join(map(str.ljust, line, widths)) + " |\n" for line in lines)
