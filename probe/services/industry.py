"""Controllers: Modbus, S7, OPC UA, EtherNet/IP, IEC 60870-5-104. Each is asked who it is, and no more."""

from __future__ import annotations

import re
import struct

from probe.model import Service
from probe.services.cursor import Reader, bounded
from probe.services.text import field

MODBUS_HELLO = b"pr\0\0\0\x05\xff\x2b\x0e\x01\0"  # read device identification, basic, from object 0 on
# ISO transport (RFC 1006): connection request from reference 1, TPDU of 1024 bytes, rack 0 slot 2.
S7_HELLO = b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02"
_S7_SETUP = (
    b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0pr\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0"  # agree on sizes, nothing else
)
_URL = b"opc.tcp://localhost/"
OPCUA_HELLO = b"HELF" + struct.pack("<IIIIIII", 32 + len(_URL), 0, 65535, 65535, 0, 0, len(_URL)) + _URL
_CONTEXT = b"probe\0\0\0"
ETHERNET_IP_HELLO = b"\x63\0" + bytes(10) + _CONTEXT + bytes(4)  # ListIdentity
IEC104_HELLO = b"\x68\x04\x43\0\0\0"  # TESTFR act

_CONFIRM = re.compile(rb"\x03\0\0[\x0b-\x20].\xd0\0\x01..\0", re.DOTALL)


@bounded
def modbus(reader: Reader) -> Service | None:
    """Our transaction, protocol 0, a length that fits: the identification, or an exception instead of it."""
    reader.expect(b"pr\0\0")
    body = Reader(reader.counted(2))
    body.take(1)
    if body.expect(b"\x2b", b"\xab") == b"\xab":
        return Service("modbus") if 1 <= body.number(1) <= 11 and not body.left else None
    body.expect(b"\x0e\x01")
    body.take(3)
    objects = {body.number(1): body.counted(1) for _ in range(body.number(1))}
    vendor, code = objects.get(0, b""), objects.get(1, b"")
    return Service("modbus", field((vendor + b" " + code).strip()), field(objects.get(2)))


def s7_setup(answer: bytes) -> bytes:
    """Any ISO transport confirms a connection; what runs on it shows in its answer to this."""
    return _S7_SETUP if _CONFIRM.match(answer) else b""


@bounded
def s7comm(reader: Reader) -> Service | None:
    """Behind the connection confirm: data, with an acknowledgement (type 3) of our set-up (function 0xF0)."""
    reader.demand(_CONFIRM.match(reader.data))
    reader.take(reader.data[3])
    reader.expect(b"\x03\0")
    body = Reader(reader.take(reader.number(2) - 4))
    body.expect(b"\x02\xf0\x80\x32\x03\0\0pr")
    return Service("s7comm")


@bounded
def opcua(reader: Reader) -> Service | None:
    """ACK is 28 bytes; ERR has a code and a reason, and a status code whose top bits say `bad`."""
    kind = reader.expect(b"ACKF", b"ERRF")
    size = reader.little(4)
    body = Reader(reader.take(size - 8))
    if kind == b"ACKF":
        return Service("opcua") if size == 28 and body.little(4) == 0 else None
    code, length = body.little(4), body.little(4)
    return Service("opcua") if code >> 30 == 2 and length in (body.left, 0xFFFFFFFF) else None


@bounded
def ethernet_ip(reader: Reader) -> Service | None:
    """ListIdentity with our context: one item of type 12, which ends in the name of the product."""
    reader.expect(b"\x63\0")
    size = reader.little(2)
    reader.take(8)
    reader.expect(_CONTEXT)
    reader.take(4)
    body = Reader(reader.take(size))
    body.expect(b"\x01\0\x0c\0")
    item = Reader(body.counted(2, "little"))
    item.take(18 + 6)  # protocol version, socket address; vendor, type and code are numbers
    version = f"{item.number(1)}.{item.number(1)}"
    item.take(6)
    return Service("ethernet-ip", field(item.counted(1)), version)


def iec104(data: bytes) -> Service | None:
    return Service("iec-104") if data == b"\x68\x04\x83\0\0\0" else None  # TESTFR con
