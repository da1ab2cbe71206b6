"""SMB: one negotiation of the protocol version, and no session. Also what the NetBIOS session service says about it."""

from __future__ import annotations

import re
import struct

from probe.model import Service
from probe.services.cursor import Reader, bounded
from probe.services.text import field

_DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)
_GUID = b"probe" + bytes(11)


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message  # RFC 1002, 4.3.1: type 0 is a session message


def _negotiate() -> bytes:
    """MS-SMB2, 2.2.3. Dialect 3.1.1 must come with a context that names a hash: SHA-512, salted."""
    header = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ16s", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, b"")
    dialects = struct.pack(f"<{len(_DIALECTS)}H", *_DIALECTS)
    context = struct.pack("<HHIHHH", 1, 38, 0, 1, 32, 1) + bytes(32)
    fixed = 64 + 36 + len(dialects)
    start = -fixed % 8
    body = struct.pack("<HHHHI16sIHH", 36, len(_DIALECTS), 1, 0, 0, _GUID, fixed + start, 1, 0)
    return header + body + dialects + bytes(start) + context


SMB_HELLO = _framed(_negotiate())
# MS-CIFS, 2.2.4.52: for servers that know nothing newer than `NT LM 0.12`.
SMB1_HELLO = _framed(
    b"\xffSMB\x72" + bytes(4) + b"\x08\x01\xc8" + bytes(20) + b"\x00" + struct.pack("<H", 12) + b"\x02NT LM 0.12\x00"
)

_NAMES = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1", 0x02FF: "2"}
_REFUSED = re.compile(rb"\x83\x00\x00\x01[\x80-\x83\x8f]\Z")  # NEGATIVE SESSION RESPONSE
_SIGNING_REQUIRED = 2
# Samba makes its GUID of its NetBIOS name, padded with NUL: no other server's is text.
_SAMBA_GUID = re.compile(rb"([A-Za-z0-9][A-Za-z0-9_-]{0,14})\0+")


@bounded
def smb(reader: Reader) -> Service | None:
    reader.expect(b"\0")
    message = Reader(reader.counted(3))
    if message.expect(b"\xfeSMB", b"\xffSMB") == b"\xffSMB":
        return _smb1(message)
    message.expect(b"\x40\0")
    message.take(2)
    status, command = message.little(4), message.little(2)
    message.take(2)
    flags = message.little(4)
    message.demand(command == 0 and flags & 1)
    message.take(44)
    return Service("smb") if status else _dialect(message)


def _dialect(message: Reader) -> Service | None:
    """MS-SMB2, 2.2.4: structure size 65, security mode, dialect, contexts, server GUID."""
    message.expect(b"\x41\0")
    mode, dialect = message.little(2), message.little(2)
    message.take(2)
    guid = message.take(16)
    if dialect not in _NAMES:
        return None
    info = f"SMB {_NAMES[dialect]}" + (", signing required" if mode & _SIGNING_REQUIRED else "")
    samba = _SAMBA_GUID.fullmatch(guid)
    return (
        Service("smb", "Samba", None, field(f"{info}, name {samba[1].decode()}"))
        if samba
        else Service("smb", info=info)
    )


def _smb1(message: Reader) -> Service | None:
    """A reply to our negotiation, whatever its status."""
    message.expect(b"\x72")
    message.take(4)
    message.demand(message.number(1) & 0x80)
    return Service("smb", info="SMB 1")


def netbios(data: bytes) -> Service | None:
    """RFC 1002, 4.3.4: the session service wants to be called by its name first."""
    return Service("netbios-ssn") if _REFUSED.match(data) else None
