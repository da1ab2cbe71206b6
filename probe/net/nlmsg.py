"""Netlink's framing (linux/netlink.h): requests out, messages and attributes back, by the standard library alone.

pyroute2 does this and much more, and costs 0.2 s to import; a scan asks the kernel three things and cannot wait for it.
What is cut off or garbled ends the parse of what holds it: a parser's caller gets less, never an exception.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from types import TracebackType

from msgspec import Struct

NLMSG_ERROR, NLMSG_DONE = 2, 3
F_REQUEST, F_MULTI, F_ACK, F_DUMP_INTR, F_DUMP = 0x1, 0x2, 0x4, 0x10, 0x300

_SOL_NETLINK, _CAP_ACK = 270, 10
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_MOST = 1 << 16  # bytes of one datagram; the kernel makes dumps of at most 32 KiB (net/netlink/af_netlink.c)
_PATIENCE = 5  # seconds; the kernel answers at once, so silence that long is a fault and not a wait
_TRIES = 5  # a dump that is changed while it is read is read again


class Message(Struct, frozen=True):
    """One netlink message without its header."""

    kind: int
    flags: int
    sequence: int
    payload: bytes

    @property
    def error(self) -> int | None:
        """The errno of an NLMSG_ERROR or NLMSG_DONE, 0 for success; None for every other kind."""
        if self.kind not in (NLMSG_ERROR, NLMSG_DONE):
            return None
        if len(self.payload) < 4:
            return 0 if self.kind == NLMSG_DONE else errno.EBADMSG
        return -int(struct.unpack_from("=i", self.payload)[0])


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram, up to the first whose length cannot be true."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= length <= len(data) - at:
            return
        yield Message(kind, flags, sequence, data[at + _HEADER.size : at + length])
        at += _aligned(length)


def attributes(data: bytes, at: int) -> dict[int, bytes]:
    """The attributes from offset `at` on by type, up to the first whose length cannot be true; the last of a type."""
    found = {}
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= len(data) - at:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def request(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    """One request, padded, so that several may follow each other in one datagram."""
    length = _HEADER.size + len(payload)
    header = _HEADER.pack(length, kind, flags | F_REQUEST, sequence, 0)
    return header + payload + bytes(_aligned(length) - length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


class Netlink:
    """A socket to the kernel that forgets nothing and keeps nothing. Raises OSError."""

    def __init__(self, protocol: int, groups: int = 0) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._sequence = 0
        try:
            # By the kernel and not by settimeout, which would have `heard` wait as well.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", _PATIENCE, 0))
            self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)  # an error need not repeat what was asked
            self._socket.bind((0, groups))
        except BaseException:
            self._socket.close()
            raise

    def ask(self, kind: int, payloads: list[bytes], flags: int = 0) -> list[Message]:
        """One answer to each request, in order; the requests of one call share a datagram, so keep them few."""
        first = self._sequence + 1
        self._sequence += len(payloads)
        parts = [request(kind, flags, first + n, payload) for n, payload in enumerate(payloads)]
        self._socket.send(b"".join(parts))
        answers: dict[int, Message] = {}
        while len(answers) < len(payloads):
            for message in self._receive():
                if first <= message.sequence <= self._sequence:
                    answers.setdefault(message.sequence, message)
        return [answers[first + n] for n in range(len(payloads))]

    def dump(self, kind: int, payload: bytes) -> list[Message]:
        """Everything that the kernel lists, as one consistent picture where it can be had within a few tries."""
        found: list[Message] = []
        for _ in range(_TRIES):
            try:
                found, torn = self._dump_once(kind, payload)
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # our queue ran over, so parts are missing (netlink(7))
                    raise
                continue
            if not torn:
                return found
        return found

    def _dump_once(self, kind: int, payload: bytes) -> tuple[list[Message], bool]:
        self._sequence += 1
        self._socket.send(request(kind, F_DUMP, self._sequence, payload))
        found: list[Message] = []
        torn = False
        while True:
            for message in self._receive():
                if message.sequence != self._sequence:
                    continue
                torn |= bool(message.flags & F_DUMP_INTR)
                if message.error:
                    raise OSError(message.error, os.strerror(message.error))
                if message.error == 0:
                    return found, torn
                found.append(message)

    def heard(self) -> bool:
        """Whether anything was announced to our groups since the last call; what it was is thrown away."""
        anything = False
        while True:
            try:
                self._socket.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return anything
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
            anything = True

    def _receive(self) -> list[Message]:
        """One datagram of the kernel's; those of other senders are no answer to anything."""
        while True:
            data, (sender, _) = self._socket.recvfrom(_MOST)
            if sender == 0:
                return list(messages(data))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
