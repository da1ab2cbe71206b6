"""POP3 (RFC 1939): greets with `+OK text`."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.lines import named, products, text_of

_READY = re.compile(r"\A\+OK(?: [^\n]*|\r?\n)")
_PRODUCTS = products(
    ("Dovecot", r"Dovecot"),
    ("Courier", r"Hello there\."),
    ("Cyrus", r"Cyrus POP3 v?(\d[\w.]*)?"),
    ("Qpopper", r"Qpopper \(version (\d[\w.]*)\)"),
    ("Microsoft Exchange", r"Microsoft Exchange(?: Server \d{4})? POP3"),
    ("Google", r"Gpop ready"),
)


def greeting(data: bytes) -> Service | None:
    text = text_of(data)
    found = _READY.match(text)
    return named("pop3", found.group(), _PRODUCTS) if found else None
