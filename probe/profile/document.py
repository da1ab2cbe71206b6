"""YAML text -> Node tree, strictly: what this reader lets through means the same to every reader, human ones included.

PyYAML's parser delivers events, one at a time and without recursion; the tree is made here. An alias is refused as an
event, so an alias bomb (306 bytes that grow to gigabytes) costs what its text costs. Anchors, tags, merge keys,
directives, several documents, duplicate keys, and YAML 1.1's surprises (see `scalars`) are refused too. All mistakes
are collected; reading stops at the first where the text ceases to be YAML.
"""

from __future__ import annotations

from typing import Any

import yaml
from msgspec import Struct

from probe.errors import Problem, ProfileError
from probe.profile import scalars, source, syntax
from probe.profile.nodes import Entry, List, Map, Node, Scalar

MAX_DEPTH = 32
_MAX_PROBLEMS = 100


class Document(Struct, frozen=True):
    """What was read. `root` is None where the text is no YAML mapping at all; then `problems` says why."""

    root: Map | None
    problems: tuple[Problem, ...]


def read(data: bytes, path: str) -> Map:
    """The mapping that a YAML file holds. Raises ProfileError with every mistake that the reader can see."""
    document = parse(data, path)
    if document.problems or document.root is None:
        raise ProfileError(document.problems)
    return document.root


def parse(data: bytes, path: str) -> Document:
    """Like `read`, but hands back what could be read beside the problems, so that a schema can go on looking."""
    try:
        text = source.text_of(data, path)
    except ProfileError as error:
        return Document(None, error.problems)
    composer = _Composer(text, path)
    return Document(composer.compose(), tuple(composer.problems))


class _HopelessError(Exception):
    """Nothing behind this place can be read with sense."""


class _Composer:
    """Events in, nodes out. One per file."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._loader: Any = yaml.SafeLoader(text)  # PyYAML's events have no types worth the name

    def compose(self) -> Map | None:
        try:
            return self._document()
        except _HopelessError:
            return None
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            self.problems.append(syntax.explain(error, self.path))
            return None
        finally:
            self._loader.dispose()

    def _refuse(self, event: Any, message: str) -> None:
        self._refuse_at(*_place(event), message)

    def _refuse_at(self, line: int, column: int, message: str) -> None:
        if len(self.problems) == _MAX_PROBLEMS:
            self.problems.append(Problem(self.path, line, column, "more mistakes follow and are not shown"))
            raise _HopelessError
        self.problems.append(Problem(self.path, line, column, message))

    def _document(self) -> Map | None:
        self._loader.get_event()
        start = self._loader.get_event()
        if isinstance(start, yaml.StreamEndEvent):
            self._refuse_at(1, 1, "the file is empty")
            return None
        if start.version or start.tags:
            self._refuse(start, "a '%' directive is not allowed (leave the line out)")
        root = self._node(1, (1, 1))
        self._loader.get_event()
        if not isinstance(after := self._loader.get_event(), yaml.StreamEndEvent):
            self._refuse(after, "a second document ('---') in one file")
        return self._mapping_only(root)

    def _mapping_only(self, root: Node) -> Map | None:
        if isinstance(root, Map):
            return root
        if isinstance(root, Scalar) and root.refused:
            return None
        empty = isinstance(root, Scalar) and root.value is None
        said = "the file is empty" if empty else "expected 'key: value' lines, not a list or a single value"
        self._refuse_at(root.line, root.column, said)
        return None

    def _node(self, depth: int, key_place: tuple[int, int] | None) -> Node:
        """The next node. An absent value gets the place of its key, for want of one of its own."""
        event = self._loader.get_event()
        usable = self._check(event, depth)
        node: Node
        if isinstance(event, yaml.MappingStartEvent):
            node = self._map(event, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(event, depth)
        else:
            node = self._scalar(event, key_place) if usable else Scalar(*_place(event), None)
        return node if usable else Scalar(node.line, node.column, None, refused=True)

    def _check(self, event: Any, depth: int) -> bool:
        """Refuse what stands for, or turns into, something else; whether the value itself can still be used."""
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
            raise _HopelessError
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, f"YAML aliases are not allowed (write out what *{event.anchor:.40} stands for)")
        elif event.anchor is not None:
            self._refuse(event, f"YAML anchors are not allowed (take &{event.anchor:.40} out)")
        if (tag := getattr(event, "tag", None)) is not None:
            self._refuse(event, f"YAML tags are not allowed (take {tag[:60]!r} out)")
            return False
        return not isinstance(event, yaml.AliasEvent)

    def _scalar(self, event: Any, key_place: tuple[int, int] | None) -> Scalar:
        place = _place(event)
        if hidden := source.invisible(event.value):
            self._refuse(event, f"an escape for the character U+{ord(hidden):04X}, which nobody can see (take it out)")
            return Scalar(*place, None, refused=True)
        if event.style is not None:
            return Scalar(*place, event.value)
        try:
            return Scalar(*(place if event.value else key_place or place), scalars.value_of(event.value))
        except scalars.SurpriseError as error:
            self._refuse(event, str(error))
            return Scalar(*place, event.value, refused=True)

    def _list(self, start: Any, depth: int) -> List:
        items = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            items.append(self._node(depth + 1, None))
        self._loader.get_event()
        return List(*_place(start), tuple(items))

    def _map(self, start: Any, depth: int) -> Map:
        entries: dict[str, Entry] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            entry = self._entry(depth)
            if entry is None:
                continue
            if (first := entries.setdefault(entry.key, entry)) is not entry:
                said = f"the key {entry.key!r} is given twice (first in line {first.line}, column {first.column})"
                self._refuse_at(entry.line, entry.column, said)
        self._loader.get_event()
        return Map(*_place(start), tuple(entries.values()))

    def _entry(self, depth: int) -> Entry | None:
        event = self._loader.peek_event()
        line, column = _place(event)
        key = self._key(depth)
        value = self._node(depth + 1, (line, column))
        return None if key is None else Entry(line, column, key, value)

    def _key(self, depth: int) -> str | None:
        """A key is text, whatever a value of that spelling would be: `on` and `22` are keys like any other."""
        event = self._loader.peek_event()
        if not isinstance(event, yaml.ScalarEvent):
            self._node(depth + 1, None)
            if not isinstance(event, yaml.AliasEvent):
                self._refuse(event, "a key must be a word, not a list or a mapping")
            return None
        self._check(self._loader.get_event(), depth)
        if event.value == "<<" and event.style is None:
            self._refuse(event, "YAML merge keys are not allowed (write out what is merged)")
            return None
        if complaint := _bad_key(event.value):
            self._refuse(event, complaint)
            return None
        return str(event.value)


def _place(event: Any) -> tuple[int, int]:
    """Line and column, from 1."""
    return event.start_mark.line + 1, event.start_mark.column + 1


def _bad_key(key: str) -> str | None:
    if not key:
        return "a key is missing before the ':'"
    if hidden := source.invisible(key):
        return f"an escape for the character U+{ord(hidden):04X}, which nobody can see (take it out)"
    return None
