"""Ways to somewhere else: SOCKS, PPTP, OpenVPN, TURN, Tor's control port. Nothing is ever sent through them."""

from __future__ import annotations

import re
import struct

from probe.model import Service
from probe.services.cursor import Reader, bounded
from probe.services.text import field

SOCKS5_HELLO = b"\x05\x01\x00"  # RFC 1928: one method, no authentication
SOCKS5_STRANGE_HELLO = b"\x05\x01\xfe"  # a private method that nobody has: for who hangs up on the command
_NO_SUCH_COMMAND = b"\x05\x7f\x00\x01" + bytes(6)  # command 127 to 0.0.0.0:0: can only be refused
SOCKS4_HELLO = b"\x04\x7f" + bytes(6) + b"\0"
# RFC 2637, 2.1: Start-Control-Connection-Request, version 1.0, both framings and bearers. Calls would come after it.
PPTP_HELLO = struct.pack(">HHIHHHHIIHH64s64s", 156, 1, 0x1A2B3C4D, 1, 0, 0x0100, 0, 3, 3, 0, 0, b"", b"probe")
_SESSION = b"probe\0\0\0"
OPENVPN_HELLO = b"\x00\x0e\x38" + _SESSION + bytes(5)  # P_CONTROL_HARD_RESET_CLIENT_V2, key 0, no acks, packet 0
_COOKIE, _TRANSACTION = b"\x21\x12\xa4\x42", b"probe-binding"[:12]
STUN_HELLO = b"\0\x01\0\0" + _COOKIE + _TRANSACTION  # RFC 8489: a binding request
TOR_CONTROL_HELLO = b"PROTOCOLINFO 1\r\n"  # the one command that needs no authentication

_TOR = re.compile(rb"250-PROTOCOLINFO 1\r\n")
_TOR_VERSION = re.compile(rb'\n250-VERSION Tor="(\d[^"\r\n]*)"')
_MANAGEMENT = re.compile(rb">INFO:OpenVPN Management Interface Version (\d+)")
_SOFTWARE = re.compile(rb"([A-Za-z][\w ]*?)[-/ ]v?(\d[\w.]*)(.*)", re.DOTALL)


def socks5_command(answer: bytes) -> bytes:
    """Two bytes are little. Who takes us without authentication also says what it thinks of a command."""
    return _NO_SUCH_COMMAND if answer == b"\x05\x00" else b""


@bounded
def socks5(reader: Reader) -> Service | None:
    """`No acceptable methods`, and nothing else; or the refusal of our command, with an address.

    Some say the first to anything, so it does not tell that a login is needed.
    """
    if reader.data == b"\x05\xff":
        return Service("socks5")
    reader.expect(b"\x05\0\x05")
    code = reader.number(1)
    reader.expect(b"\0")
    size = {1: 4, 4: 16}.get(reader.number(1), -1)
    reader.take(size + 2)
    return Service("socks5", info="no authentication") if 1 <= code <= 8 and not reader.left else None


def socks4(data: bytes) -> Service | None:
    """A version byte of 0, a refusal, an address that means nothing."""
    return Service("socks4") if len(data) == 8 and data[0] == 0 and data[1] in (91, 92, 93) else None


@bounded
def pptp(reader: Reader) -> Service | None:
    """Start-Control-Connection-Reply: length, type, magic cookie; the vendor's name and the firmware are at its end."""
    reader.expect(b"\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x02")
    reader.take(16)
    firmware = reader.number(2)
    reader.take(64)
    vendor = reader.take(64).partition(b"\0")[0]
    return Service("pptp", field(vendor), info=f"firmware {firmware}" if firmware else None)


@bounded
def openvpn(reader: Reader) -> Service | None:
    """A hard reset from the server that acknowledges packet 0 of our session."""
    body = Reader(reader.counted(2))
    body.demand(body.number(1) >> 3 == 8)
    body.take(8)
    body.expect(b"\x01" + bytes(4))
    body.expect(_SESSION)
    return Service("openvpn")


def openvpn_management(data: bytes) -> Service | None:
    found = _MANAGEMENT.match(data)
    return Service("openvpn-management", info=field(b"interface version " + found[1])) if found else None


@bounded
def stun(reader: Reader) -> Service | None:
    """A response to our transaction, success or error; attribute 0x8022 is the software."""
    reader.expect(b"\x01\x01", b"\x01\x11")
    size = reader.number(2)
    reader.expect(_COOKIE + _TRANSACTION)
    body, told = Reader(reader.take(size)), b""
    while body.left >= 4:
        kind, value = body.number(2), body.counted(2)
        body.take(min(-len(value) % 4, body.left))
        told = value if kind == 0x8022 else told
    found = _SOFTWARE.fullmatch(told.rstrip(b"\0"))
    if not found:
        return Service("stun", field(told))
    return Service("stun", field(found[1]), field(found[2]), field(found[3]))


def tor_control(data: bytes) -> Service | None:
    if not _TOR.match(data):
        return None
    found = _TOR_VERSION.search(data)
    return Service("tor-control", "Tor", field(found[1]) if found else None)
