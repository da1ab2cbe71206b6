"""AMQP 0-9-1 and 1.0, and RabbitMQ's stream protocol: the broker describes itself before it asks who we are."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.cursor import Reader, Short, bounded
from probe.services.text import field

AMQP_HELLO = b"AMQP\x00\x00\x09\x01"
_CORRELATION = b"prob"
_PEER_PROPERTIES = b"\x00\x11\x00\x01" + _CORRELATION + bytes(4)  # key, version, correlation, no properties of ours
STREAM_HELLO = len(_PEER_PROPERTIES).to_bytes(4, "big") + _PEER_PROPERTIES

# Protocol id, major, minor, revision: what a broker offers that does not speak what we asked for.
_HEADER = re.compile(rb"AMQP([\x00-\x03])([\x00\x01])([\x00-\x0a])([\x00-\x0a])\Z", re.DOTALL)
_METHOD, _END = b"\x01", b"\xce"
_START = b"\x00\x0a\x00\x0a"  # Connection.Start
_SIZES = {
    b"t": 1, b"b": 1, b"B": 1, b"s": 2, b"U": 2, b"u": 2, b"I": 4, b"i": 4, b"f": 4, b"D": 5, b"l": 8, b"L": 8,
    b"d": 8, b"T": 8, b"V": 0,
}  # fmt: skip
MOST_PROPERTIES = 64


def amqp(data: bytes) -> Service | None:
    """Connection.Start, or the header of another version; our own header again is what an echo service sends."""
    header = _HEADER.match(data)
    if header and data != AMQP_HELLO:
        return Service("amqp", info=f"AMQP {data[5]}.{data[6]}" if data[5] else f"AMQP 0-{data[6]}-{data[7]}")
    return _start(data)


@bounded
def _start(reader: Reader) -> Service | None:
    reader.expect(_METHOD + b"\x00\x00")  # channel 0
    size = reader.number(4)
    reader.expect(_START)
    major, minor = reader.number(1), reader.number(1)
    reader.demand(major == 0 and minor in (8, 9) and size >= 10)
    told = _table(Reader(reader.counted(4)))
    return Service("amqp", field(told.get(b"product")), field(told.get(b"version")))


def _table(reader: Reader) -> dict[bytes, bytes]:
    """The strings of a field table; it is read as far as its types are known."""
    told: dict[bytes, bytes] = {}
    try:
        for _ in range(MOST_PROPERTIES):
            name, kind = reader.counted(1), reader.take(1)
            if kind in b"SxAF":
                value = reader.counted(4)
                if kind == b"S":
                    told[name] = value
            else:
                reader.take(_SIZES.get(kind, -1))
    except Short:
        pass
    return told


@bounded
def rabbitmq_stream(reader: Reader) -> Service | None:
    """PeerProperties: response bit and key, version 1, our correlation id, code 1 (OK), then pairs of strings."""
    body = Reader(reader.counted(4))
    body.expect(b"\x80\x11\x00\x01" + _CORRELATION + b"\x00\x01")
    count = body.number(4)
    body.demand(count <= MOST_PROPERTIES)
    told = {body.counted(2): body.counted(2) for _ in range(count)}
    return Service("rabbitmq-stream", field(told.get(b"product")), field(told.get(b"version")))
