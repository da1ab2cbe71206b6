"""IMAP (RFC 9051): greets with an untagged `* OK`, `* PREAUTH` or `* BYE`."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.lines import named, products, text_of

_READY = re.compile(r"\A\* (?:OK|PREAUTH|BYE)[ \r\n][^\n]*", re.IGNORECASE)
_PRODUCTS = products(
    ("Dovecot", r"Dovecot"),
    ("Courier", r"Courier-IMAP"),
    ("Cyrus", r"Cyrus IMAP v?(\d[\w.]*)?"),
    ("Microsoft Exchange", r"Microsoft Exchange(?: Server \d{4})? IMAP4"),
    ("Google", r"Gimap ready"),
    ("Twisted", r"Twisted IMAP4rev1"),
    ("UW imapd", r"IMAP4rev1 (\d{4}\.\d+) at"),
)


def greeting(data: bytes) -> Service | None:
    found = _READY.match(text_of(data))
    return named("imap", found.group(), _PRODUCTS) if found else None
