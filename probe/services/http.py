"""HTTP (RFC 9112): one GET of `/`, never following a redirect, and a tolerant reading of the head that comes back.

The head is parsed here and not by h11: h11 refuses what the RFC forbids, as a client should, and just those odd and
broken servers are what a scanner has to name. Nothing of the body is interpreted.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from probe import __version__
from probe.model import Service
from probe.services import products
from probe.services.lines import software
from probe.services.text import field

_STATUS = re.compile(rb"HTTP/(\d(?:\.\d)?) +([1-5]\d\d)(?![0-9])")
_SERVER = re.compile(rb"\r?\nserver[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_POWERED_BY = re.compile(rb"\r?\nx-powered-by[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)[\s>]", re.IGNORECASE)


def request(host: str, port: int, tls: bool, path: str = "/") -> bytes:
    """GET with the Host that a browser would send; `host` is a name or an address."""
    name = f"[{host}]" if ":" in host else host
    if port != (443 if tls else 80):
        name = f"{name}:{port}"
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: probe/{__version__}\r\n"
        "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii", "ignore")


def reply(data: bytes) -> Service | None:
    """A response by its status line; an HTML page without one is what HTTP/0.9 answers."""
    if not _STATUS.match(data):
        return Service("http", info="HTTP/0.9") if _PAGE.match(data) else None
    head, body = _parts(data)
    found = _SERVER.search(head) or _POWERED_BY.search(head)
    server = software("http", found.group(1).strip()) if found else Service("http")
    product = products.recognised(head, body)
    if not product or product.name != "http" or product.info or not found:
        return product or server
    return replace(product, info=field(found.group(1).strip()))


def further(data: bytes) -> str | None:
    """Where a response to `/` says too little: the path to ask for, if there is one."""
    return products.further(_parts(data)[0])


def _parts(data: bytes) -> tuple[bytes, bytes]:
    """Head and body. Of a head that is cut short its last line is left out, of a body the size of its first chunk."""
    head, *body = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
    if not body:
        head = head[: head.rfind(b"\n") + 1]
    return head, re.sub(rb"\A[0-9A-Fa-f]{1,8}\r?\n", b"", b"".join(body))


def status(data: bytes) -> int | None:
    """The status code, for whoever needs to know that it was 400."""
    found = _STATUS.match(data)
    return int(found.group(2)) if found else None
