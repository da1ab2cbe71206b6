"""The tree that a YAML file is read into: every key, value and list item knows its line and column, from 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from probe.profile.scalars import Value

# Stands in for a scalar that was already complained about. No schema accepts it, so nothing is built on it.
REFUSED: Final = object()


class Scalar(Struct, frozen=True):
    """One value. An absent one (`key:`) is None and has the place of its key. `refused`: a Problem names it already."""

    line: int
    column: int
    value: Value
    refused: bool = False


class List(Struct, frozen=True):
    line: int
    column: int
    items: tuple[Node, ...]


class Entry(Struct, frozen=True):
    """A key with its own place, and what stands behind it."""

    line: int
    column: int
    key: str
    value: Node


class Map(Struct, frozen=True):
    line: int
    column: int
    entries: tuple[Entry, ...]

    def get(self, key: str) -> Node | None:
        entry = self.entry(key)
        return entry.value if entry else None

    def entry(self, key: object) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)


Node = Scalar | List | Map


def plain(node: Node, *, nulls: bool = True) -> Any:
    """The tree as dict, list, str, int, float, bool, None. Without `nulls`, an absent value is REFUSED too."""
    if isinstance(node, Map):
        return {entry.key: plain(entry.value, nulls=nulls) for entry in node.entries}
    if isinstance(node, List):
        return [plain(item, nulls=nulls) for item in node.items]
    return REFUSED if node.refused or (node.value is None and not nulls) else node.value


def find(root: Node, location: Sequence[int | str]) -> tuple[Node, Entry | None]:
    """The node that a pydantic error location means, and the entry that it was reached by, if any.

    Goes as deep as the tree does: a missing key is found at its mapping, item 0 of a scalar (which stood in for a
    list of one) at the scalar.
    """
    node, entry = root, None
    for step in location:
        below = _below(node, step)
        if below is None:
            break
        entry = below if isinstance(below, Entry) else None
        node = below.value if isinstance(below, Entry) else below
    return node, entry


def _below(node: Node, step: int | str) -> Entry | Node | None:
    if isinstance(node, Map):
        return node if step == 0 else node.entry(step)  # a mapping may stand in for a list of one, as a scalar does
    if isinstance(node, List) and isinstance(step, int) and step < len(node.items):
        return node.items[step]
    return None


def items_of(node: Node | None) -> tuple[Node, ...]:
    """The items of a list, or the single value that stands in for a list of one."""
    if node is None:
        return ()
    return node.items if isinstance(node, List) else (node,)


def absent_values(node: Node, name: str = "this") -> Iterator[tuple[Scalar, str]]:
    """Every value that is missing behind its key or its dash, with the key that it belongs to."""
    if isinstance(node, Map):
        for entry in node.entries:
            yield from absent_values(entry.value, entry.key)
    elif isinstance(node, List):
        for item in node.items:
            yield from absent_values(item, name)
    elif node.value is None and not node.refused:
        yield node, name
