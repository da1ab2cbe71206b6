"""Text that stands for itself: XMPP, ManageSieve, DICT, ident, VMware's console; Erlang's port mapper beside them."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

# A stream that says nobody's name (RFC 6120, 4.7): the server opens its own, with an id, and mostly an error in it.
XMPP_HELLO = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client'"
    b" xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
)
IDENT_HELLO = b"0, 0\r\n"  # RFC 1413: no connection has such ports, and nobody can be told of
EPMD_HELLO = b"\0\x01n"  # NAMES_REQ

_XMPP = re.compile(rb"\s*(?:<\?xml[^<>]*\?>\s*)?<stream:stream\s([^<>]*)>")
# How each of them puts it that our header names nobody.
_COMPLAINTS = {
    b">A &apos;to&apos; attribute is required on stream headers<": "Prosody",
    b">Missing &apos;to&apos; attribute<": "ejabberd",
}
_SIEVE = re.compile(rb'(?:"[A-Z]+"(?: [^\r\n]*)?\r\n)*?"IMPLEMENTATION" "([^"\r\n]*)"\r\n')
_SOFTWARE = re.compile(rb"(.*?)(?: v?(\d+\.\d[\w.+-]*))?")
_DICT = re.compile(rb"220 \S+ (?:(\w*dictd) (\d[\w.+-]*))?[^\r\n]*<(?:\w+(?:\.\w+)*)?> <[^<>@\s]+@[^<>\s]+>\r\n")
_IDENT = re.compile(rb"\s*0\s*,\s*0\s*:\s*(?:ERROR|USERID)\s*:\s*\S")
_VMWARE = re.compile(rb"220 VMware Authentication Daemon Version (\d[\w.]*):")
_EPMD = re.compile(rb"\0\0[\0-\xff]{2}((?:name \S+ at port \d+\n)+)\Z", re.DOTALL)
_EPMD_NODE = re.compile(rb"name (\S+) at")


def xmpp(data: bytes) -> Service | None:
    """A stream header with an id: that is the server's to give, so an echo of ours has none."""
    found = _XMPP.match(data)
    if (
        not found
        or b"http://etherx.jabber.org/streams" not in found[1]
        or not re.search(rb"\sid=['\"]", b" " + found[1])
    ):
        return None
    product = next((name for words, name in _COMPLAINTS.items() if words in data), None)
    return Service("xmpp", product, info="server to server" if b"jabber:server" in found[1] else None)


def managesieve(data: bytes) -> Service | None:
    found = _SIEVE.match(data)
    if not found or b'"SIEVE" ' not in data:
        return None
    software = _SOFTWARE.fullmatch(found[1])
    return Service("managesieve", field(software[1]), field(software[2])) if software else Service("managesieve")


def dict_(data: bytes) -> Service | None:
    """RFC 2229, 3.1: a greeting that ends in capabilities and a message id."""
    found = _DICT.match(data)
    return Service("dict", field(found[1]), field(found[2])) if found else None


def ident(data: bytes) -> Service | None:
    return Service("ident") if _IDENT.match(data) else None


def vmware(data: bytes) -> Service | None:
    found = _VMWARE.match(data)
    return Service("vmware-auth", "VMware Authentication Daemon", field(found[1])) if found else None


def epmd(data: bytes) -> Service | None:
    """Its own port in four bytes, then a line per node; without nodes only the usual port is proof enough."""
    found = _EPMD.match(data)
    if not found:
        return Service("epmd") if data == b"\0\0\x11\x11" else None
    return Service("epmd", info=field(b"nodes " + b", ".join(_EPMD_NODE.findall(found[1]))))
