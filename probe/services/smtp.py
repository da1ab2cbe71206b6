"""SMTP (RFC 5321): greets with `220 domain text`, `554` where it serves nobody; the text mostly says SMTP or ESMTP."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.lines import named, products, text_of
from probe.services.text import field

EHLO = b"EHLO probe.invalid\r\n"
LHLO = b"LHLO probe.invalid\r\n"

_READY = re.compile(r"\A(?:220|421|554)[ -]")
_WORD = re.compile(r"\bE?SMTP\b")
_LMTP = re.compile(r"220[ -]\S+ LMTP\b(?: (?!ready|server)([A-Za-z][\w-]+)(?: v?(\d[\w.+-]*))?)?\s")
_PRODUCTS = products(
    ("Postfix", r"ESMTP Postfix"),
    ("Exim", r"ESMTP Exim (\d[\w.]*)"),
    ("Sendmail", r"ESMTP Sendmail (\d[\w.]*)"),
    ("OpenSMTPD", r"ESMTP OpenSMTPD"),
    ("Microsoft Exchange", r"Microsoft ESMTP MAIL Service(?:, Version: (\d[\w.]*))?"),
    ("aiosmtpd", r"Python SMTP (\d[\w.]*)"),
    ("Haraka", r"ESMTP Haraka/?(\d[\w.]*)?"),
    ("MailEnable", r"MailEnable Service, Version: (\d[\w.]*)?"),
    ("hMailServer", r"hMailServer"),
    ("Twisted", r"NO UCE NO UBE NO RELAY PROBES"),
    ("Google", r"ESMTP \S+ - gsmtp"),
)
_LMTP_PRODUCTS = products(("Dovecot", r"\A220 \S+ Dovecot (?:\(\S+\) )?ready\."))


def greeting(data: bytes) -> Service | None:
    """By the word SMTP in capitals (a host may be called smtp), or a product that we know."""
    text = text_of(data)
    if not _READY.match(text):
        return None
    service = named("smtp", text, _PRODUCTS)
    return service if service.product or _WORD.search(text) else None


def lmtp_greeting(data: bytes) -> Service | None:
    """RFC 2033: the same greeting, and the word LMTP in its place."""
    found = _LMTP.match(text_of(data))
    return Service("lmtp", field(found[1]), field(found[2])) if found else None


def by_lhlo(greeting: bytes, reply: bytes) -> Service:
    """Who has refused EHLO: RFC 2033, 4.1 has LMTP do so, and take LHLO in its place."""
    taken = reply.startswith((b"250-", b"250 "))
    return named("lmtp", text_of(greeting), _LMTP_PRODUCTS) if taken else Service("smtp")
