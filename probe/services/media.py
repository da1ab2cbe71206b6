"""Sound, pictures and calls: MPD, RTMP, Asterisk's and FreeSWITCH's consoles. RTSP and SIP are in `queries`."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

# RTMP 1.0, 5.2: version 3, then 1536 bytes: time, four zeros, anything. The server repeats them in its S2.
_C1 = bytes(8) + b"probe" * 305 + b"\0\0\0"
RTMP_HELLO = b"\x03" + _C1

_MPD = re.compile(rb"OK MPD (\d+\.\d+[\d.]*)\n")
_ASTERISK = re.compile(rb"Asterisk Call Manager(?:/(\d[\w.]*))?\r\n")
_FREESWITCH = re.compile(rb"Content-Type: auth/request\n\n")


def mpd(data: bytes) -> Service | None:
    """The version is the protocol's: MPD itself is mostly newer."""
    found = _MPD.match(data)
    return Service("mpd", "Music Player Daemon", info=field(b"protocol " + found[1])) if found else None


def rtmp(data: bytes) -> Service | None:
    """S0, S1, and S2 with what we said after its two times."""
    return Service("rtmp") if len(data) >= 3073 and data[0] == 3 and data[1545:3073] == _C1[8:] else None


def asterisk(data: bytes) -> Service | None:
    """The version is that of the manager interface."""
    found = _ASTERISK.match(data)
    info = field(b"manager interface " + found[1]) if found and found[1] else None
    return Service("asterisk-ami", "Asterisk", info=info) if found else None


def freeswitch(data: bytes) -> Service | None:
    return Service("freeswitch-esl", "FreeSWITCH") if _FREESWITCH.match(data) else None
