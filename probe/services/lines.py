"""Helpers for protocols that greet in lines of text: the reply, and the product that it names."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

Products = tuple[tuple[str, "re.Pattern[str]"], ...]


def products(*table: tuple[str, str]) -> Products:
    """(product, pattern) pairs; a group in the pattern is the version."""
    return tuple((product, re.compile(pattern, re.IGNORECASE)) for product, pattern in table)


def text_of(data: bytes) -> str:
    """Latin-1 keeps bytes and characters one to one, so no greeting fails to decode; fields are escaped later."""
    return data[:4096].decode("latin-1")


def named(name: str, text: str, known: Products, info: str | None = None) -> Service:
    """The service, with product and version where the text names one that we know."""
    for product, pattern in known:
        found = pattern.search(text)
        if found:
            version = next((group for group in found.groups() if group), None)
            return Service(name, product, field(version), field(info))
    return Service(name, info=field(info))
