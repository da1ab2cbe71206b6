"""YAML text -> Profile, strictly: whatever could be read in two ways is a mistake, and every mistake has its place.

    bytes ─source─> text ─document─> Node tree ─schema─> values ─expect, loader─> Profile ─resolve─> Resolution

- `source`      UTF-8, size, characters that nobody can see
- `document`    the strict YAML reader: `read(data, path) -> Map`; also for other files than profiles
- `scalars`     unquoted words: numbers, booleans, and the surprises of YAML 1.1
- `syntax`      PyYAML's complaints in plain words
- `nodes`       the tree with its places; from a pydantic error location to a place
- `values`      one value at a time;   `ports`, `targets`: the two small languages in it;   `words`: its vocabulary
- `schema`      the pydantic models, and the JSON Schema made from them;   `messages`: pydantic's errors for people
- `expect`      expectations against targets, scanned ports, and each other
- `loader`      all of it in order, all mistakes at once
- `ranges`      sets of addresses;   `resolution`: names looked up and pinned, scope and size checked

Importing this package is cheap; pydantic and PyYAML come with the first `load`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.profile.resolution import Lookup, Resolution, resolve

if TYPE_CHECKING:
    from probe.model import Profile

__all__ = ["Lookup", "Resolution", "json_schema", "load", "resolve"]


def load(data: bytes, path: str) -> Profile:
    """The profile in `data`; `path` is for messages, and `lab:` is relative to it. Raises ProfileError."""
    from probe.profile import loader

    return loader.load(data, path)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a profile, for editors."""
    from probe.profile import schema

    return schema.json_schema()
