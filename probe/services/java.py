"""What Java brings along: RMI, the AJP connector behind web servers, and the debugger's door."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.cursor import Reader, bounded
from probe.services.text import field

RMI_HELLO = b"JRMI\x00\x02\x4b"  # version 2, stream protocol
AJP_HELLO = b"\x12\x34\x00\x01\x0a"  # CPing
JDWP_HELLO = b"JDWP-Handshake"
_VERSION_COMMAND = b"\0\0\0\x0bprob\0\1\1"  # VirtualMachine.Version, which only reads

_HOST = re.compile(rb"[\w.:%-]+")
_VM = re.compile(rb"JVM version ([\w.+-]+)")


@bounded
def rmi(reader: Reader) -> Service | None:
    """ProtocolAck, then our own address as the server sees it: a host of 16-bit length, a port of four bytes."""
    reader.expect(b"\x4e")
    host, port = reader.counted(2), reader.number(4)
    return Service("rmi") if _HOST.fullmatch(host) and 0 < port < 65536 and not reader.left else None


def ajp(data: bytes) -> Service | None:
    return Service("ajp13") if data == b"AB\x00\x01\x09" else None  # CPong


def jdwp_version(answer: bytes) -> bytes:
    """The handshake is an echo, which proves nothing: a command does."""
    return _VERSION_COMMAND if answer.startswith(JDWP_HELLO) else b""


@bounded
def jdwp(reader: Reader) -> Service | None:
    """The handshake and packets behind it: events (which come unasked), and the reply to our command."""
    reader.expect(JDWP_HELLO)
    for _ in range(8):
        packet = Reader(reader.take(reader.number(4) - 4))
        ours, reply = packet.take(4) == b"prob", packet.number(1) == 0x80
        if ours and reply and packet.take(2) == b"\0\0":
            return _machine(packet.counted(4))
    return None


def _machine(description: bytes) -> Service:
    found = _VM.search(description)
    return Service("jdwp", "Java", field(found[1]) if found else None)
