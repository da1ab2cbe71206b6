"""Routers: BGP, whose speakers open by themselves where they know us, and the API of MikroTik's RouterOS."""

from __future__ import annotations

import ipaddress

from probe.model import Service
from probe.services.cursor import Reader, bounded

_MARKER = b"\xff" * 16
_OPEN, _NOTIFICATION = 1, 3
_AS_TRANS = 23456  # RFC 6793: the number does not fit, and stands in a capability

MIKROTIK_HELLO = b"\x05/quit\0"  # a sentence of one word; without a login all it does is to end the session


@bounded
def bgp(reader: Reader) -> Service | None:
    """RFC 4271, 4.1: a marker of ones, a length, an OPEN of version 4 or the NOTIFICATION that turns us away."""
    reader.expect(_MARKER)
    body = Reader(reader.take(reader.number(2) - 18))
    kind = body.number(1)
    if kind == _NOTIFICATION:
        return Service("bgp") if 1 <= body.number(1) <= 8 else None
    body.demand(kind == _OPEN and body.number(1) == 4)
    number, _, router = body.number(2), body.take(2), ipaddress.IPv4Address(body.take(4))
    body.counted(1)
    return Service("bgp", info=f"router {router}" + ("" if number == _AS_TRANS else f", AS {number}"))


@bounded
def mikrotik_api(reader: Reader) -> Service | None:
    """Words of counted length: `!fatal`, then why."""
    reader.demand(
        reader.counted(1) == b"!fatal" and reader.counted(1) in (b"session terminated on request", b"not logged in")
    )
    return Service("mikrotik-api", "MikroTik RouterOS")
