"""Directories: LDAP tells about itself in its root entry, without a bind; Kerberos in an error about a length.

BER (X.690): a tag, a length in one byte or in the 1-4 bytes that its low bits count, the value. Only what both
protocols use of it is read here.
"""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.cursor import Reader, Short, bounded
from probe.services.text import field


def _ber(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((tag, len(body))) + body


_ATTRIBUTES = (b"vendorName", b"vendorVersion", b"objectClass", b"dnsHostName", b"supportedCapabilities")
_MESSAGE_ID = b"\x02\x01\x07"
# RFC 4511, 4.5.1: base "", this entry only, no aliases followed, at most one entry in five seconds, (objectClass=*).
LDAP_HELLO = _ber(
    0x30,
    _MESSAGE_ID,
    _ber(
        0x63,
        _ber(0x04) + _ber(0x0A, b"\0") + _ber(0x0A, b"\0") + _ber(0x02, b"\1") + _ber(0x02, b"\5") + _ber(0x01, b"\0"),
        _ber(0x87, b"objectClass"),
        _ber(0x30, *(_ber(0x04, name) for name in _ATTRIBUTES)),
    ),
)
# RFC 4120, 7.2.2: with the high bit of the length set, the answer must be KRB_ERR_FIELD_TOOLONG; nobody is named.
KERBEROS_HELLO = b"\x80\0\0\0"

_ENTRY, _DONE, _EXTENDED = 0x64, 0x65, 0x78
_NOTICE = b"1.3.6.1.4.1.1466.20036"  # Notice of Disconnection, RFC 4511, 4.4.1
_ACTIVE_DIRECTORY = b"1.2.840.113556.1.4.800"
_VENDORS = {
    b"389 Project": "389 Directory Server",
    b"Apache Software Foundation": "ApacheDS",
    b"Samba Team (https://www.samba.org)": "Samba",
    b"Samba Team (https://samba.org)": "Samba",
}
_VERSION = re.compile(rb"(?:.*?[/ ])?v?(\d+\.\d[\w.+-]*)")


def _value(reader: Reader, *tags: int) -> Reader:
    """What is inside the next element, whose tag must be one of these."""
    reader.demand(reader.number(1) in tags)
    size = reader.number(1)
    if size > 0x80:
        reader.demand(size <= 0x84)
        size = reader.number(size - 0x80)
    return Reader(reader.take(size))


def _bytes(reader: Reader, tag: int) -> bytes:
    return _value(reader, tag).data


@bounded
def ldap(reader: Reader) -> Service | None:
    """The answer to our message id, or the notice that a server sends before it hangs up."""
    message = _value(reader, 0x30)
    number = _bytes(message, 0x02)
    kind = message.data[message.at] if message.left else 0
    body = _value(message, _ENTRY, _DONE, _EXTENDED)
    if kind == _EXTENDED:
        return Service("ldap") if number == b"\0" and _NOTICE in body.data else None
    body.demand(number == _MESSAGE_ID[2:])
    if kind == _ENTRY:
        return _entry(body)
    _bytes(body, 0x0A), _bytes(body, 0x04), _bytes(body, 0x04)  # result code, matched name, diagnostic message
    return Service("ldap")


def _entry(reader: Reader) -> Service:
    reader.demand(not _bytes(reader, 0x04))  # the root has no name
    told = _attributes(_value(reader, 0x30))
    version = _VERSION.match(told.get(b"vendorversion", [b""])[0])
    host = field(told.get(b"dnshostname", [None])[0])
    return Service("ldap", _product(told), field(version[1]) if version else None, host)


def _product(told: dict[bytes, list[bytes]]) -> str | None:
    vendor = told.get(b"vendorname", [b""])[0]
    if vendor:
        return _VENDORS.get(vendor) or field(vendor)
    if b"OpenLDAProotDSE" in told.get(b"objectclass", []):
        return "OpenLDAP"
    return "Microsoft Active Directory" if _ACTIVE_DIRECTORY in told.get(b"supportedcapabilities", []) else None


def _attributes(reader: Reader) -> dict[bytes, list[bytes]]:
    """Names in lower case (they are case-insensitive) and their values; those without a value are left out."""
    told: dict[bytes, list[bytes]] = {}
    while reader.left:
        attribute = _value(reader, 0x30)
        name, values = _bytes(attribute, 0x04), _value(attribute, 0x31)
        while values.left:
            told.setdefault(name.lower(), []).append(_bytes(values, 0x04))
    return told


@bounded
def kerberos(reader: Reader) -> Service | None:
    """A KRB-ERROR (RFC 4120, 5.9.1), as long as it says, of protocol version 5 and message type 30."""
    error = _value(_value(Reader(reader.counted(4)), 0x7E), 0x30)
    error.expect(b"\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e")
    return Service("kerberos", info=_realm(error))


def _realm(error: Reader) -> str | None:
    try:
        while error.left:
            tag = error.data[error.at]
            part = _value(error, tag)
            if tag == 0xA9:
                return field(b"realm " + _bytes(part, 0x1B))
    except Short:
        pass
    return None
