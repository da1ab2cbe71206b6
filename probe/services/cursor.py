"""Reading binary answers: every length is checked before a byte is taken, so a peer that lies about one gets nowhere.

A matcher is written as if the bytes were all there and right; `bounded` turns the first one that is missing into "not
mine". No read copies or waits for more than what came.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Literal

from probe.model import Service


class Short(Exception):  # noqa: N818 - no error of ours: the bytes ended before the message did
    """The message claims more than there is, or is not of the shape that was asked for."""


class Reader:
    """A place in some bytes. Each method takes what it returns, or raises `Short`."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise Short
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int, order: Literal["big", "little"] = "big") -> int:
        return int.from_bytes(self.take(size), order)

    def little(self, size: int) -> int:
        return self.number(size, "little")

    def counted(self, size: int, order: Literal["big", "little"] = "big") -> bytes:
        """Bytes behind a length of `size` bytes."""
        return self.take(self.number(size, order))

    def until(self, end: bytes) -> bytes:
        """Up to `end`, which is taken too and not returned."""
        place = self.data.find(end, self.at)
        found = self.take(place - self.at)
        self.take(len(end))
        return found

    def rest(self) -> bytes:
        return self.take(self.left)

    def expect(self, *alternatives: bytes) -> bytes:
        """One of these, all of the same length."""
        found = self.take(len(alternatives[0]))
        if found not in alternatives:
            raise Short
        return found

    def demand(self, condition: object) -> None:
        """What must hold for the rest to mean anything."""
        if not condition:
            raise Short


def bounded(matcher: Callable[[Reader], Service | None]) -> Callable[[bytes], Service | None]:
    """A matcher over bytes, from one over a `Reader` that does not care for their end."""

    @wraps(matcher)
    def over(data: bytes) -> Service | None:
        try:
            return matcher(Reader(data))
        except Short:
            return None

    return over
