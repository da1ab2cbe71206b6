"""JSON objects that somebody else wrote, taken apart strictly: what has the wrong shape is told by its name.

    fields = Fields(record)
    state = fields.required("state", word(State))
    ttl = fields.optional("ttl", whole(0, 255))

A reader is a function from a JSON value to what it means; it raises FieldError. Keys that nobody asks for are ignored:
a later version may write more.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import Struct

from probe.judge.wording import printable
from probe.model import Address

Value = TypeVar("Value")
Word = TypeVar("Word", bound=StrEnum)
_SHOWN = 60


class FieldError(ValueError):
    """What is wrong with a record; its text names the field."""


class Fields(Struct, frozen=True):
    """One JSON object."""

    record: dict[str, Any]

    def required(self, name: str, read: Callable[[object], Value]) -> Value:
        if name not in self.record:
            raise FieldError(f"{name!r} is missing")
        try:
            return read(self.record[name])
        except FieldError as error:
            raise FieldError(f"{name!r}: {error}") from None

    def optional(self, name: str, read: Callable[[object], Value]) -> Value | None:
        """None where the field is absent; `null` is a value, and wrong."""
        return self.required(name, read) if name in self.record else None


def shown(value: object) -> str:
    """A value as a message quotes it: never long, never more than one line."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def text(value: object) -> str:
    """Text, fit for a terminal: probe writes none that is not, but others may have."""
    if not isinstance(value, str):
        raise FieldError(f"text is expected, not {shown(value)}")
    return printable(value)


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise FieldError(f"true or false is expected, not {shown(value)}")
    return value


def number(value: object) -> float:
    """A finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300:
        raise FieldError(f"a number is expected, not {shown(value)}")
    return float(value)


def whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise FieldError(f"a whole number from {low} to {high} is expected, not {shown(value)}")
        return value

    return read


def word(kind: type[Word]) -> Callable[[object], Word]:
    """One of the words of an enumeration."""
    known = {str(each): each for each in kind}

    def read(value: object) -> Word:
        if not isinstance(value, str) or value not in known:
            raise FieldError(f"{shown(value)} is none of {', '.join(known)}")
        return known[value]

    return read


def address(value: object) -> Address:
    return _address(text(value))


@lru_cache(4096)
def _address(written: str) -> Address:
    try:
        found = ipaddress.ip_address(written)
    except ValueError:
        raise FieldError(f"{shown(written)} is no address") from None
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id:
        raise FieldError(f"{shown(written)} means something on one machine only")
    return found


def listed(read: Callable[[object], Value]) -> Callable[[object], tuple[Value, ...]]:
    """A list, every item of which `read` understands."""

    def read_all(value: object) -> tuple[Value, ...]:
        if not isinstance(value, list):
            raise FieldError(f"a list is expected, not {shown(value)}")
        return tuple(read(item) for item in value)

    return read_all


def nested(build: Callable[[Fields], Value]) -> Callable[[object], Value]:
    """An object inside the object."""

    def read(value: object) -> Value:
        if not isinstance(value, dict):
            raise FieldError(f"an object is expected, not {shown(value)}")
        return build(Fields(value))

    return read
