"""SSH: the identification string of RFC 4253, section 4.2: `SSH-protoversion-softwareversion SP comments CR LF`."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

# A server may send other lines first (RFC 4253, 4.2). They are few: a page of text with such a line in it is no server.
_IDENTIFICATION = re.compile(rb"\A(?:[^\n]*\n){0,8}?SSH-(1\.\d{1,2}|2\.0)-([^\s\x00]{1,200})(?: ([^\r\n]*))?")
_SOFTWARE = re.compile(rb"([A-Za-z]\S*?)[-_]v?(\d[\w.:~+-]*)")
_NAMES = {b"Cisco": "Cisco SSH", b"mod_sftp": "mod_sftp", b"ROSSSH": "MikroTik RouterOS"}


def greeting(data: bytes) -> Service | None:
    found = _IDENTIFICATION.match(data[:4096])
    if not found:
        return None
    _, software, comment = found.groups()
    parts = _SOFTWARE.fullmatch(software)
    product, version = parts.groups() if parts else (software, None)
    return Service("ssh", _NAMES.get(product) or field(product), field(version), field(comment))
