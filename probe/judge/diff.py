"""What changed between two runs, and what cannot be compared. Nothing is lost and nothing is invented.

A port is compared only where both runs decided it. That the second scan was wider is no change, and neither is a port
that one of them could not decide; both are counted and named as not compared. `likeness` says what is a change,
`relocation` which changes are one move.

    comparison = Comparison()
    comparison.pair(old, new) …            # a port of both runs
    comparison.alone(Gap.BEFORE, verdict) …
    comparison.diff()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from probe.judge import exits
from probe.judge.likeness import Layer, Undecided, answering, difference
from probe.judge.relocation import Move, Pair, lost, moves
from probe.judge.wording import look_in_words, place, service_in_words, some
from probe.model import Address, PortKey, Verdict


class Kind(StrEnum):
    """What a change is about: the strongest layer in which the two verdicts differ, or a move."""

    STATE = Layer.STATE.value
    CAUSE = Layer.CAUSE.value
    SERVICE = Layer.SERVICE.value
    IDENTITY = Layer.IDENTITY.value
    MOVED = "moved"


class Gap(StrEnum):
    """Why a port is not compared."""

    BEFORE = "not scanned before"
    NOW = "not scanned now"
    UNDECIDED = "undecided"


class Change(Struct, frozen=True):
    """One event. For a move `old` is the verdict of the old place then, `new` that of the new place now."""

    kind: Kind
    old: Verdict
    new: Verdict
    message: str


class Diff(Struct, frozen=True):
    """`gaps` has the ports that are not compared, by reason and by (address, transport); `unchanged` counts ports."""

    changes: tuple[Change, ...]
    unchanged: int
    gaps: dict[Gap, dict[tuple[Address, str], list[int]]]

    def not_compared(self, gap: Gap) -> int:
        return sum(map(len, self.gaps[gap].values()))

    def exit_code(self, *, complete: bool) -> int:
        """As SPEC has it for `diff`; `complete` says that both runs were."""
        if self.changes:
            return exits.VIOLATED
        return exits.INCOMPLETE if self.gaps[Gap.UNDECIDED] or not complete else exits.OK


@dataclass
class Comparison:
    """Feed it every port of either run once, in any order, then ask for the diff."""

    unchanged: int = 0
    _changed: list[tuple[Layer, Pair]] = field(default_factory=list)
    _newcomers: list[Verdict] = field(default_factory=list)
    _gaps: dict[Gap, dict[tuple[Address, str], list[int]]] = field(default_factory=lambda: {gap: {} for gap in Gap})

    def pair(self, old: Verdict, new: Verdict) -> None:
        """A port that both runs have a verdict of."""
        found = difference(old, new)
        if isinstance(found, Layer):
            self._changed.append((found, Pair(old, new)))
        elif isinstance(found, Undecided):
            self.gap(Gap.UNDECIDED, new.key)
        else:
            self.unchanged += 1

    def alone(self, gap: Gap, verdict: Verdict) -> None:
        """A port that only one run has a verdict of: `gap` says which one has none."""
        self.gap(gap, verdict.key)
        if gap is Gap.BEFORE and answering(verdict):
            self._newcomers.append(verdict)

    def gap(self, gap: Gap, key: PortKey) -> None:
        """A port that is not compared, and that nothing more is to be said of."""
        self._gaps[gap].setdefault((key.address, key.transport), []).append(key.port)

    def diff(self) -> Diff:
        layers = {id(pair): layer for layer, pair in self._changed}
        moved, rest = moves(pair for _, pair in self._changed)
        changes = [Change(Kind.MOVED, move.origin.old, move.goal.new, _moved(move)) for move in moved]
        changes += [
            Change(Kind(layers[id(pair)]), pair.old, pair.new, _changed(pair) + self._perhaps_moved(pair))
            for pair in rest
        ]
        return Diff(tuple(sorted(changes, key=_order)), self.unchanged, self._gaps)

    def _perhaps_moved(self, pair: Pair) -> str:
        """Where a service that is gone answers now, though that port cannot be compared."""
        who = answering(pair.old)
        if who is None or not lost(pair):
            return ""
        here = [seen for seen in self._newcomers if seen.key.address == pair.old.key.address]
        spots = [_port(seen) for seen in here if (found := answering(seen)) and found.name == who.name]
        return f"; {who.name} answers at {some(spots)} now, which was not scanned before" if spots else ""


def compare(old: Mapping[PortKey, Verdict], new: Mapping[PortKey, Verdict]) -> Diff:
    """What changed from `old` to `new`."""
    comparison = Comparison()
    for key, verdict in old.items():
        if key in new:
            comparison.pair(verdict, new[key])
        else:
            comparison.alone(Gap.NOW, verdict)
    for key, verdict in new.items():
        if key not in old:
            comparison.alone(Gap.BEFORE, verdict)
    return comparison.diff()


def _changed(pair: Pair) -> str:
    was, now = look_in_words(pair.old), look_in_words(pair.new)
    return f"{pair.new.target} {place(pair.new.key)}: was {was}; is {now}"


def _moved(move: Move) -> str:
    was, now = move.origin.old, move.goal.new
    service = answering(now)
    assert service
    moved = f"{service_in_words(service)} moved from {_port(was)} to {_port(now)}"
    return f"{now.target} {now.key.address}: {moved}; {_port(was)} is now {look_in_words(move.origin.new)}"


def _port(verdict: Verdict) -> str:
    return f"{verdict.key.transport}/{verdict.key.port}"


def _order(change: Change) -> tuple[int, int, str, int]:
    key = change.old.key
    return (key.address.version, int(key.address), key.transport, key.port)
