"""Protocols in frames that carry something else's words: HTTP/2 by prior knowledge, FastCGI; and X11's set-up."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.cursor import Reader, bounded

# RFC 9113, 3.4: the preface and an empty SETTINGS frame. No request follows.
H2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
_PAIRS = b"".join(bytes((len(name), 0)) + name for name in (b"FCGI_MAX_CONNS", b"FCGI_MAX_REQS", b"FCGI_MPXS_CONNS"))
FASTCGI_HELLO = b"\x01\x09\0\0" + len(_PAIRS).to_bytes(2, "big") + b"\0\0" + _PAIRS  # FCGI_GET_VALUES
X11_HELLO = b"l\0" + bytes(10)  # protocol version 0: refused with the version that there is, before any authority

_REASON = re.compile(rb"[\x20-\x7e\n]+\0*")


@bounded
def h2(reader: Reader) -> Service | None:
    """The server's connection preface is a SETTINGS frame: stream 0, no flags, six bytes a setting."""
    size = reader.number(3)
    reader.expect(b"\x04\0" + bytes(4))
    reader.demand(size % 6 == 0 and size <= 96)
    body = Reader(reader.take(size))
    while body.left:
        reader.demand(0 < body.number(2) < 0x20)
        body.take(4)
    return Service("http", info="HTTP/2") if size or reader.left >= 9 else None


@bounded
def fastcgi(reader: Reader) -> Service | None:
    """FCGI_GET_VALUES_RESULT (type 10) of the management record 0, with at least one of the names we asked for."""
    reader.expect(b"\x01\x0a\0\0")
    size = reader.number(2)
    reader.take(2)
    return Service("fastcgi") if re.search(rb"FCGI_(?:MAX|MPXS)_", reader.take(size)) else None


@bounded
def x11(reader: Reader) -> Service | None:
    """Refused: length of the reason, protocol 11.0, length of it all in words, the reason."""
    reader.expect(b"\0")
    length = reader.number(1)
    reader.expect(b"\x0b\0\0\0")
    text = reader.take(reader.little(2) * 4)
    reader.demand(length and -length % 4 + length == len(text) and not reader.left and _REASON.fullmatch(text))
    return Service("x11", info="X11")
