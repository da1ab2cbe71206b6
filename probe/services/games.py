"""Where people meet: Minecraft by its status ping, TeamSpeak's query console, and Mumble, which greets inside TLS."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.cursor import Reader, bounded
from probe.services.text import field

_HOST = b"localhost"
_HANDSHAKE = b"\x00" + b"\xff\xff\xff\xff\x0f" + bytes((len(_HOST),)) + _HOST + b"\x63\xdd" + b"\x01"
MINECRAFT_HELLO = bytes((len(_HANDSHAKE),)) + _HANDSHAKE + b"\x01\x00"  # protocol -1, next: status; status request

_STATUS = re.compile(rb'\{[\0-\xff]*"version"\s*:\s*\{([^{}]*)\}', re.DOTALL)
_NAME = re.compile(rb'"name"\s*:\s*"([^"]{0,100})"')
_PROTOCOL = re.compile(rb'"protocol"\s*:\s*-?\d+')
_NUMBER = re.compile(rb"(?:.*?[ -])?v?(\d+\.\d+[\w.-]*)")
_TEAMSPEAK_VERSION = re.compile(rb"[\r\n]version=(\d[\w.]*) build=\d+ platform=")
_TEAMSPEAK = re.compile(rb"TS3(?:\n\r?|\r\n)Welcome to the TeamSpeak 3 ServerQuery interface")


def _varint(reader: Reader) -> int:
    """Seven bits a byte, least first, at most ten bytes."""
    number = 0
    for shift in range(0, 70, 7):
        byte = reader.number(1)
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number
    reader.demand(False)
    return 0


@bounded
def minecraft(reader: Reader) -> Service | None:
    """Packet 0 with a JSON text; a picture in it may make it longer than what was read."""
    size, _, length = _varint(reader), reader.expect(b"\0"), _varint(reader)
    reader.demand(2 <= length < size)
    status = _STATUS.match(reader.rest())
    if not status or not _PROTOCOL.search(status[1]):
        return None
    name = _NAME.search(status[1])
    number = _NUMBER.fullmatch(name[1]) if name else None
    return Service("minecraft", "Minecraft", field(number[1]) if number else None, field(name[1]) if name else None)


def teamspeak(data: bytes) -> Service | None:
    if not _TEAMSPEAK.match(data):
        return None
    found = _TEAMSPEAK_VERSION.search(data)
    return Service("teamspeak", "TeamSpeak 3", field(found[1]) if found else None, "ServerQuery")


@bounded
def mumble(reader: Reader) -> Service | None:
    """Message 0, Version, a protobuf: field 1 the number, 2 the release; 5 the number in newer servers."""
    reader.expect(b"\0\0")
    body = Reader(reader.counted(4))
    numbers, texts = dict[int, int](), dict[int, bytes]()
    while body.left:
        key = _varint(body)
        if key & 7 == 0:
            numbers[key >> 3] = _varint(body)
        else:
            body.demand(key & 7 == 2)
            texts[key >> 3] = body.take(_varint(body))
    body.demand(numbers.keys() <= {1, 5} and 1 in numbers and texts.keys() <= {2, 3, 4} and texts)
    release = re.match(rb"\d+\.\d+[\w.]*", texts.get(2, b""))
    return Service("mumble", "Murmur", field(release[0]) if release else None)
