"""SSH on the wire before keys are in use: data types (RFC 4251, section 5), packets (RFC 4253, section 6), KEXINIT."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from msgspec import Struct

from probe.core.dialogue import Command, Data, Event, Read

MOST_PACKET = 35000  # RFC 4253, 6.1: every implementation must manage this much; nobody needs more before a login
MOST_SKIPPED = 16  # packets of other types that a server may put before the one that we wait for
MSG_KEXINIT = 20


class MalformedError(Exception):
    """The peer's bytes are no SSH. Never leaves the services room."""


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def mpint(number: int) -> bytes:
    """A number that is not negative: big-endian, with a zero byte in front where the first bit is set."""
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big") if number else b"")


@dataclass(slots=True)
class Fields:
    """Reads one payload from left to right. Every method raises MalformedError where the bytes run out."""

    data: bytes
    at: int = 0

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        if len(part) != size:
            raise MalformedError
        self.at += size
        return part

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(4), "big"))

    def mpint(self) -> int:
        return int.from_bytes(self.string(), "big", signed=True)

    def names(self) -> tuple[str, ...]:
        return tuple(self.string().decode("ascii", "replace").split(","))


class KexInit(Struct, frozen=True):
    """What a side offers, as far as it concerns the host key. `payload` is what gets signed."""

    payload: bytes
    kex: tuple[str, ...]
    host_keys: tuple[str, ...]

    @classmethod
    def parse(cls, payload: bytes) -> KexInit:
        """RFC 4253, 7.1: message, cookie, then ten lists of names, of which the first two matter here."""
        fields = Fields(payload, 17)
        return cls(payload, fields.names(), fields.names())


def packet(payload: bytes) -> bytes:
    """Unencrypted: length, padding length, payload, padding to a multiple of eight, at least four bytes of it."""
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return (len(payload) + padding + 1).to_bytes(4, "big") + bytes([padding]) + payload + bytes(padding)


@dataclass(slots=True)
class Incoming:
    """The packets of a server, from bytes cut in any way. `rest` are those that came and were not read yet."""

    rest: bytes
    patience: float

    def payload(self, kind: int) -> Generator[Command, Event, bytes]:
        """The next message of this kind. Raises MalformedError where none comes: the end, silence, other packets."""
        for _ in range(MOST_SKIPPED):
            payload = yield from self._next()
            if payload[:1] == bytes([kind]):
                return payload
        raise MalformedError

    def _next(self) -> Generator[Command, Event, bytes]:
        size = int.from_bytes((yield from self._take(4)), "big")
        if not 5 < size <= MOST_PACKET:
            raise MalformedError
        body = yield from self._take(size)
        return body[1 : size - body[0]]

    def _take(self, size: int) -> Generator[Command, Event, bytes]:
        while len(self.rest) < size:
            event = yield Read(self.patience, MOST_PACKET)
            if not isinstance(event, Data):
                raise MalformedError
            self.rest += event.data
        data, self.rest = self.rest[:size], self.rest[size:]
        return data
