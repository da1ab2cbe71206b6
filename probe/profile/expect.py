"""The lines of `expect` against the rest of the profile: targets that exist, ports that are scanned, no contradiction.

Works on whatever lines could be understood, so that a slip elsewhere does not hide a mistake here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from msgspec import Struct

from probe.errors import Problem
from probe.model import Expectation
from probe.profile.nodes import Map, Node, find
from probe.profile.ports import format_ports
from probe.profile.schema import ExpectKeys
from probe.profile.words import MEETINGS, UNCHANGED, meant, quoted


class Line(Struct, frozen=True):
    """What was understood of one line. `number` counts from 1, `node` is its place, `whole` that nothing is missing.

    A line with a `baseline` is several: one for each `change`, with `was`, and itself for what is `otherwise`.
    """

    number: int
    node: Map
    said: ExpectKeys
    whole: bool = True
    baseline: str | None = None
    was: tuple[str, ...] = ()

    @property
    def ports(self) -> frozenset[int]:
        """The ports that the line names itself, a service's home included."""
        named = {port for item in self.said.tcp or () for port in item or ()}
        return frozenset(named if self.said.on is None else {self.said.on})

    @property
    def met_by(self) -> frozenset[str]:
        """What would meet the line; a service at home needs an open port."""
        words = self.said.words or ["open"]
        return frozenset().union(*(MEETINGS[word] for word in words))

    @property
    def wish(self) -> str:
        return " or ".join(self.said.words) if self.said.words else f"home of {self.said.service}"

    def place(self, *location: int | str) -> Node:
        return find(self.node, location)[0]


def check(lines: Sequence[Line], path: str, targets: Iterable[str], scanned: frozenset[int] | None) -> list[Problem]:
    """Every mistake that takes more than one place to see. `scanned` is None where the scan's ports are unclear."""
    known = list(targets)
    found = [(node, message) for line in lines for node, message in _unknown_targets(line, known)]
    if scanned is not None:
        found += [(node, message) for line in lines for node, message in _unscanned(line, scanned)]
    for target, about in _by_target(line for line in lines if line.whole).items():
        found += _conflicts(about, target)
    return [Problem(path, node.line, node.column, message) for node, message in found]


def expectations(lines: Sequence[Line], scanned: frozenset[int], targets: Iterable[str]) -> tuple[Expectation, ...]:
    """The checked lines as the judge takes them: one for each target of a line, `rest` turned into ports.

    What is `otherwise` unchanged is said of all `targets`, and of every port: the judge lets announced ones out.
    """
    about = _by_target(lines)
    all_targets = list(dict.fromkeys(targets))
    named = {target: frozenset[int]().union(*(line.ports for line in found)) for target, found in about.items()}
    # A set of 65,535 ports takes 4 MB: targets about which the same is said share one.
    rests = {ports: scanned - ports for ports in set(named.values())}
    return tuple(
        expectation
        for line in lines
        for expectation in (
            _unchanged(line, all_targets, scanned)
            if line.said.otherwise
            else [_expectation(line, target, rests[named[target]]) for target in line.said.to]
        )
    )


def _unchanged(line: Line, targets: list[str], scanned: frozenset[int]) -> list[Expectation]:
    place = (line.number, line.node.line, line.node.column)
    return [Expectation(*place, target, scanned, words=(UNCHANGED,), baseline=line.baseline) for target in targets]


def _by_target(lines: Iterable[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        for target in dict.fromkeys(line.said.to):
            found.setdefault(target, []).append(line)
    return found


def _expectation(line: Line, target: str, rest: frozenset[int]) -> Expectation:
    said, node = line.said, line.node
    if said.service is not None:
        return Expectation(line.number, node.line, node.column, target, service=said.service, home=said.on)
    ports = rest if said.rest else line.ports
    return Expectation(
        *(line.number, node.line, node.column, target, ports, said.rest, tuple(said.words or ())),
        baseline=line.baseline,
        was=line.was,
        stay=said.must is not None,
    )


def _unknown_targets(line: Line, known: list[str]) -> Iterator[tuple[Node, str]]:
    seen: set[str] = set()
    for index, target in enumerate(line.said.to):
        if target not in known:
            yield line.place("to", index), f"no target is called {quoted(target)}{meant(target, known)}"
        elif target in seen:
            yield line.place("to", index), f"the target {quoted(target)} is named twice in this line"
        seen.add(target)


def _unscanned(line: Line, scanned: frozenset[int]) -> Iterator[tuple[Node, str]]:
    for index, ports in enumerate(line.said.tcp or ()):
        missing = frozenset(ports or ()) - scanned
        if missing:
            which = f"port {format_ports(missing)} is" if len(missing) == 1 else f"ports {format_ports(missing, 5)} are"
            yield line.place("tcp", index), f"{which} not scanned (add to scan: tcp, or take out here)"


def _conflicts(lines: Sequence[Line], target: str) -> Iterator[tuple[Node, str]]:
    """Two lines about one target that cannot both be met."""
    for first, second in combinations(lines, 2):
        if first.said.rest and second.said.rest:
            said = f"'rest' of {quoted(target)} is given twice (first in line {first.node.line})"
            yield second.place("tcp"), said
        elif not first.met_by & second.met_by and (both := first.ports & second.ports):
            yield second.node, _contradiction(first, second, target, both)


def _contradiction(first: Line, second: Line, target: str, ports: frozenset[int]) -> str:
    which = f"port{'s' if len(ports) > 1 else ''} {format_ports(ports, 5)} of {quoted(target)}"
    return (
        f"contradiction: {which} must be {second.wish} here (line {second.node.line}) "
        f"and {first.wish} in line {first.node.line}"
    )
