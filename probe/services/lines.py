"""Helpers for protocols that greet in lines of text: the reply, and the product that it names."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

Products = tuple[tuple[str, "re.Pattern[str]"], ...]

_VERSIONED = re.compile(rb"([A-Za-z][A-Za-z ._-]*?)[ -]v?(\d+\.[\w.+-]+)(?: - .*)?")
_UPNP = re.compile(rb".*\bUPnP/\d\.\d,? +([^\s/][^/]*)/v?(\d[^\s]*).*")  # UPnP DA 1.0, 1.1.2: OS, UPnP, product
_SOFTWARE = re.compile(rb"([^\s/(]+)(?:/([^\s(]+)|[ \t]?\((\d+\.[\w.+-]*)(?=[\s)]))?[ \t]*(.*)")


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


def software(name: str, value: bytes) -> Service:
    """By a Server header: `nginx/1.22.1`, `Apache/2.4.57 (Debian) mod_x/1.0`, `Jetty(9.4.43)`, `a 1.2`, `Caddy`."""
    versioned = _UPNP.fullmatch(value) or _VERSIONED.fullmatch(value)
    if versioned:
        return Service(name, field(versioned.group(1)), field(versioned.group(2)))
    found = _SOFTWARE.fullmatch(value)
    if not found:
        return Service(name, field(value))
    product, version, bracketed, rest = found.groups()
    if bracketed:
        return Service(name, field(product), field(bracketed))
    if not version and rest and not rest.startswith(b"("):
        return Service(name, field(value))
    return Service(name, field(product), field(version), field(rest))
