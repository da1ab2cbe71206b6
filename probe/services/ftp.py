"""FTP (RFC 959): greets with `220`. So does SMTP; what the text does not tell, the answer to NOOP does."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.lines import named, products, text_of

NOOP = b"NOOP\r\n"
_READY = re.compile(r"\A(?:220|120|421|500)[ -]")
_PRODUCTS = products(
    ("vsftpd", r"\(vsFTPd (\d[\w.+-]*)\)"),
    ("ProFTPD", r"ProFTPD (?:(\d[\w.]*)|Server)"),
    ("ProFTPD", r"\A500 Sorry, no server available to handle request on "),
    ("Pure-FTPd", r"Pure-FTPd"),
    ("FileZilla Server", r"FileZilla Server(?: version)? ?(\d[\w.]*)?"),
    ("pyftpdlib", r"pyftpdlib (\d[\w.]*)"),
    ("Twisted", r"Twisted (\d[\w.]*) FTP"),
    ("Microsoft FTP Service", r"Microsoft FTP Service(?: \(Version (\d[\w.]*)\))?"),
    ("Serv-U", r"Serv-U FTP Server v(\d[\w.]*)"),
    ("bftpd", r"\bbftpd (\d[\w.]*)"),
    ("WU-FTPD", r"Version wu-(\d[\w.]*)"),
    ("MikroTik RouterOS", r"FTP server \(MikroTik (\d[\w.]*)\)"),
)
_WORD = re.compile(r"\S+")
_DOT = re.compile(r"\w\.\w")


def greeting(data: bytes) -> Service | None:
    """By a product that we know, or the word FTP outside of a host name; never where it says SMTP."""
    text = text_of(data)
    if not _READY.match(text) or re.search(r"\bE?SMTP\b", text):
        return None
    service = named("ftp", text, _PRODUCTS)
    said = "\n" in text and re.search(r"\bS?FTP", _without_hosts(text), re.IGNORECASE)
    return service if service.product or said else None


def _without_hosts(text: str) -> str:
    """One look at each word: a pattern for the host itself would try every start, and a peer may send 4096 dots."""
    return _WORD.sub(lambda word: "" if _DOT.search(word[0]) else word[0], text)


def ambiguous(data: bytes) -> bool:
    """A `220` greeting, which may be FTP's or SMTP's."""
    return re.match(rb"220[ -]", data) is not None


def noop_reply(data: bytes) -> Service | None:
    """RFC 5321, 4.3.2 has 250 for NOOP, RFC 959 has 200; FTP servers that want a login first say 530."""
    if re.match(rb"250[ -]", data):
        return Service("smtp")
    return Service("ftp") if re.match(rb"(?:200|530|332)[ -]", data) else None
