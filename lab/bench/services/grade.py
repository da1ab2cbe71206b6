"""Right, silent or wrong: what a scanner says, held against the truth. The same rule for both.

What is true and less exact than the truth (`15`, `2.3.3 - 2.3.5`, `9.6.0 or later`; the name of a protocol in place of
a product) is neither right nor wrong: it counts as silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lab.bench.services.catalog import Entry
from lab.bench.services.scanners import Seen


class Mark(StrEnum):
    RIGHT = "✓"
    SILENT = "–"
    WRONG = "✗"


COLUMNS = ("name", "product", "version")


@dataclass(frozen=True, slots=True)
class Grade:
    """One daemon, one scanner."""

    name: Mark
    product: Mark
    version: Mark

    @property
    def false(self) -> bool:
        return Mark.WRONG in (self.name, self.product, self.version)


def grade(entry: Entry, version: str, seen: Seen) -> Grade:
    return Grade(_name(entry.name, seen.name), _product(entry, seen.product), _version(version, seen.version))


def total(grades: Iterable[Grade], column: str, mark: Mark) -> int:
    return sum(getattr(each, column) is mark for each in grades)


def _name(accepted: list[str], said: str | None) -> Mark:
    return Mark.SILENT if said is None else Mark.RIGHT if said.casefold() in accepted else Mark.WRONG


def _product(entry: Entry, said: str | None) -> Mark:
    """A spelling of ours may stand among further words: `Apache` is in `Apache httpd`. `VNC` is no product of vnc."""
    if said is None:
        return Mark.SILENT
    if any(_stands_in(spelling.casefold(), said.casefold()) for spelling in entry.product):
        return Mark.RIGHT
    vague = {word.casefold() for word in (*entry.vague, *entry.name)}
    return Mark.SILENT if said.casefold() in vague else Mark.WRONG


def _version(truth: str, said: str | None) -> Mark:
    if said is None:
        return Mark.SILENT
    if _stands_in(truth, said):
        return Mark.RIGHT
    vague = re.search(r" - | or (?:later|earlier|newer|older)\b", said) or truth.startswith(f"{said}.")
    return Mark.SILENT if vague else Mark.WRONG


def _stands_in(word: str, text: str) -> bool:
    """As a whole word: `2.4` does not stand in `2.4.57`, `9.2p1` does in `9.2p1 Debian 2+deb12u1`."""
    return re.search(rf"(?<![\w.])v?{re.escape(word)}(?!\.?\w)", text) is not None
