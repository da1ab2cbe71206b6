"""Servers that speak first and whose first words say it all: VNC, MySQL, rsync, telnet, IRC, NNTP."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.lines import named, products, text_of
from probe.services.text import field

_RFB = re.compile(rb"RFB (\d{3})\.(\d{3})\n")  # RFC 6143, 7.1.1: twelve bytes
_RSYNC = re.compile(rb"@RSYNCD: (\d{1,4})((?:\.\d{1,4})?)[^\n]*\n")
_TELNET = re.compile(rb"(?:\xff[\xfb-\xfe][\x00-\x31\xff])+")  # RFC 854: IAC, WILL/WONT/DO/DONT, option
# A notice while our name is looked up; to a line before NICK and USER, the errors 451 or 461 (RFC 2812, 5.2).
_IRC = re.compile(
    rb"(?::[^ \r\n]+ )?NOTICE (?:AUTH|\*) :[^\r\n]*|:[^ \r\n]+ (?:451|461) [^ \r\n]+ (?:[A-Z]+ )?:[^\r\n]+|"
    rb"ERROR :\"Oops, HTTP request received\? This is IRC!\""
)
# Only ngIRCd has something to say to a web browser, and only InspIRCd ends its complaints with a full stop.
_CHATS = products(
    ("ngIRCd", r"\AERROR :.*This is IRC!"),
    ("InspIRCd", r"\A:\S+ 4\d\d \S+ [A-Z]+ :(?:You have not registered|Not enough parameters)\.\Z"),
    ("BitlBee", r" :BitlBee-IRCd initialized, please go on\Z"),
)
_NNTP = re.compile(rb"20[01] [^\r\n]*\b(?:NNTP|InterNetNews|INN)\b[^\r\n]*", re.IGNORECASE)
_NEWS = products(
    ("Leafnode", r"\bLeafnode NNTP Daemon, version (\d[\w.]*)\s"),
    ("INN", r"\bInterNetNews (?:NNRP )?server(?: INN (\d[\w.]*)\s)?"),
)
_MYSQL_VERSION = re.compile(rb"\d{1,2}\.\d{1,2}[\x21-\x7e]{0,80}")
_MARIADB = re.compile(r"(?:5\.5\.5-)?(\d[\d.]*)-MariaDB-?(.*)")  # 5.5.5- was put before 10.x for old replicas


def vnc(data: bytes) -> Service | None:
    found = _RFB.match(data)
    return Service("vnc", info=f"RFB {int(found[1])}.{int(found[2])}") if found else None


def rsync(data: bytes) -> Service | None:
    """openrsync stopped at protocol 29 and others at 27; from 30 on it is rsync's own."""
    found = _RSYNC.match(data)
    if not found:
        return None
    return Service("rsync", "rsync" if int(found[1]) >= 30 else None, info=field(b"protocol " + found[1] + found[2]))


def telnet(data: bytes) -> Service | None:
    return Service("telnet") if _TELNET.match(data) else None


def irc(data: bytes) -> Service | None:
    found = _IRC.match(data)
    return named("irc", text_of(found[0]), _CHATS) if found else None


def nntp(data: bytes) -> Service | None:
    found = _NNTP.match(data)
    return named("nntp", text_of(found[0]), _NEWS) if found else None


def mysql(data: bytes) -> Service | None:
    """The initial handshake packet: 3 bytes length, sequence 0, protocol 10, version, NUL; or an error in its place."""
    length = int.from_bytes(data[:3], "little")
    if len(data) < 9 or data[3] != 0 or not 5 <= length <= 1024:
        return None
    if data[4] == 0xFF:
        return _mysql_refusal(data[5 : 4 + length])
    version, end, _ = data[5 : 4 + length].partition(b"\0")
    return _mysql_version(version) if data[4] == 10 and end and _MYSQL_VERSION.fullmatch(version) else None


def _mysql_version(version: bytes) -> Service:
    maria = _MARIADB.fullmatch(version.decode("ascii"))
    if maria:
        return Service("mysql", "MariaDB", field(maria[1]), field(maria[2]))
    number, _, rest = version.partition(b"-")
    return Service("mysql", "MySQL", field(number), field(rest))


def _mysql_refusal(error: bytes) -> Service | None:
    """Error 1130, `Host '…' is not allowed to connect to this MariaDB server`; 1040, 1129: too many of something."""
    code, text = int.from_bytes(error[:2], "little"), error[2:]
    if code not in (1040, 1129, 1130) or len(text) < 8:
        return None
    product = "MariaDB" if b"MariaDB" in text else "MySQL" if b"MySQL" in text else None
    return Service("mysql", product, info="connection refused by the server")
