"""Scanners of mail and files: ClamAV's daemon and SpamAssassin's. Each is asked its version, or if it lives."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

CLAMD_HELLO = b"nVERSION\n"
SPAMD_HELLO = b"PING SPAMC/1.2\r\n\r\n"

_CLAMD = re.compile(rb"ClamAV (\d[\w.+-]*)(?:/\d+)?(?:/[^\n\0]*)?[\n\0]")
_COMPLAINT = re.compile(rb"SPAMD/1\.0 76 Bad header line: ")
_SPAMD = re.compile(rb"SPAMD/(\d+\.\d+) \d+ \S")


def clamd(data: bytes) -> Service | None:
    found = _CLAMD.match(data)
    return Service("clamd", "ClamAV", field(found[1])) if found else None


def spamd(data: bytes) -> Service | None:
    found = _SPAMD.match(data)
    product = "SpamAssassin" if _COMPLAINT.match(data) else None
    return Service("spamd", product, info=field(b"protocol " + found[1])) if found else None
