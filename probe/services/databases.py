"""Databases that wait to be asked: MongoDB, Oracle's listener, Cassandra; Tarantool, which does not wait."""

from __future__ import annotations

import re
import struct

from probe.model import Service
from probe.services.cursor import Reader, Short, bounded
from probe.services.text import field

_IDS = (0x70726F62, 0x70726F63)
_QUERY, _REPLY, _MSG = 2004, 1, 2013


def _bson(*elements: bytes) -> bytes:
    body = b"".join(elements) + b"\0"
    return struct.pack("<i", len(body) + 4) + body


def _one(name: bytes) -> bytes:
    return b"\x10" + name + b"\0" + struct.pack("<i", 1)


def _message(number: int, opcode: int, body: bytes) -> bytes:
    return struct.pack("<iiii", len(body) + 16, number, 0, opcode) + body


# `isMaster` the old way, which every version answers, then `buildInfo`, which tells the version and needs no login.
MONGODB_HELLO = _message(
    _IDS[0], _QUERY, bytes(4) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + _bson(_one(b"isMaster"))
) + _message(_IDS[1], _MSG, bytes(5) + _bson(_one(b"buildInfo"), b"\x02$db\0" + struct.pack("<i", 6) + b"admin\0"))
_FIXED = {
    0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0,
}  # fmt: skip

# An Oracle listener's `ping`: connect packet, version 1.2 to 3.14, data at offset 58. It is refused, with the version.
_PING = b"(CONNECT_DATA=(COMMAND=ping))"
_CONNECT = (
    struct.pack(">HHHHHHHHHHI", 314, 300, 0, 2048, 32767, 0x7F08, 0, 1, len(_PING), 58, 0) + b"\x41\x41" + bytes(24)
)
_TNS = b"\0\0\x01\0\0\0" + _CONNECT + _PING
ORACLE_HELLO = (len(_TNS) + 2).to_bytes(2, "big") + _TNS
_RESEND = b"\0\x08\0\0\x0b\0\0\0"
_VSNNUM = re.compile(rb"\(VSNNUM=(\d{1,10})\)")

CASSANDRA_HELLO = b"\x04\0\0\0\x05" + bytes(4)  # OPTIONS in version 4 of the native protocol
_TARANTOOL = re.compile(rb"Tarantool (\d[\w.+-]*) \((?:Binary|Lua console)\)")


def mongodb(data: bytes) -> Service | None:
    """Replies to our two questions, in any order; documents are read as far as they came."""
    reader, told = Reader(data), dict[bytes, bytes]()
    try:
        while reader.left:
            told |= _reply(reader)
    except Short:
        pass
    if b"ok" not in told and b"maxBsonObjectSize" not in told:
        return None
    return Service("mongodb", _mongo(told), field(told.get(b"version")))


def _mongo(told: dict[bytes, bytes]) -> str | None:
    if any(name.lower().startswith(b"ferretdb") for name in told):
        return "FerretDB"
    return "MongoDB" if b"gitVersion" in told else None


def _reply(reader: Reader) -> dict[bytes, bytes]:
    size = reader.little(4)
    reader.take(4)
    reader.demand(16 <= size < 1 << 26 and reader.little(4) in _IDS)
    opcode = reader.little(4)
    reader.demand(opcode in (_REPLY, _MSG))
    reader.take(20 if opcode == _REPLY else 5)
    body = Reader(reader.data[reader.at : reader.at + size - (36 if opcode == _REPLY else 21)])
    reader.take(min(reader.left, len(body.data)))
    return _document(body)


def _document(reader: Reader) -> dict[bytes, bytes]:
    """Names of the elements, with their values where those are strings; of a document cut short, what there is."""
    told: dict[bytes, bytes] = {}
    try:
        reader.take(4)
        while kind := reader.number(1):
            name = reader.until(b"\0")
            told[name] = _element(reader, kind)
    except Short:
        pass
    return told


def _element(reader: Reader, kind: int) -> bytes:
    if kind in _FIXED:
        reader.take(_FIXED[kind])
    elif kind in (0x02, 0x0D, 0x0E):
        return reader.counted(4, "little").rstrip(b"\0")
    elif kind in (0x03, 0x04):
        reader.take(reader.little(4) - 4)
    elif kind == 0x05:
        reader.take(reader.little(4) + 1)
    elif kind == 0x0B:
        reader.until(b"\0"), reader.until(b"\0")
    else:
        reader.demand(False)
    return b""


def oracle_again(answer: bytes) -> bytes:
    """A listener may ask for the same packet once more."""
    return ORACLE_HELLO if answer == _RESEND else b""


@bounded
def oracle(reader: Reader) -> Service | None:
    """A refusal, maybe behind a request to resend: length, checksum 0, type 4, and a description with the version."""
    if reader.data.startswith(_RESEND):
        reader.take(8)
    size = reader.number(2)
    reader.expect(b"\0\0\x04")
    packet = reader.take(size - 5)
    reader.demand(b"(DESCRIPTION=" in packet)
    found = _VSNNUM.search(packet)
    return Service("oracle-tns", "Oracle TNS listener", _oracle_version(int(found[1])) if found else None)


def _oracle_version(number: int) -> str:
    """8.4.8.4.8 bits up to release 12, 8.8.4.8.4 since 18."""
    widths = (24, 16, 12, 4, 0) if number >> 24 >= 18 else (24, 20, 12, 8, 0)
    tops = (32, *widths)
    return ".".join(str(number >> low & (1 << top - low) - 1) for top, low in zip(tops, widths, strict=False))


@bounded
def cassandra(reader: Reader) -> Service | None:
    """SUPPORTED, a map from names to lists of strings; or an ERROR about the protocol version."""
    reader.expect(b"\x83", b"\x84", b"\x85")
    reader.take(3)
    kind = reader.expect(b"\x06", b"\x00")
    body = Reader(reader.counted(4))
    if kind == b"\x00":
        body.expect(b"\0\0\0\x0a")
        return Service("cassandra") if b"protocol version" in body.counted(2) else None
    options = {body.counted(2): [body.counted(2) for _ in range(body.number(2))] for _ in range(body.number(2))}
    version = options.get(b"CQL_VERSION") or [b""]
    reader.demand(version[0])
    product = "ScyllaDB" if any(name.startswith(b"SCYLLA_") for name in options) else None
    return Service("cassandra", product, info=field(b"CQL " + version[0]))


def tarantool(data: bytes) -> Service | None:
    found = _TARANTOOL.match(data)
    return Service("tarantool", "Tarantool", field(found[1])) if found else None
