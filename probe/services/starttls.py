"""From plain words to TLS on the same connection: how each protocol is asked, up to the moment when TLS may begin.

Each function speaks on a connection that nobody has spoken on yet, gets what the server greeted with (nothing where it
waits to be asked), and returns whether the server agreed. Nothing is asked but the capabilities and TLS itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator

from probe.core.dialogue import Command, Event, ask

PATIENCE = 1.5  # seconds for each answer
_QUIET = 0.3  # seconds after which an answer counts as complete though it does not look like it
_MOST = 16 * 1024

Agreed = Generator[Command, Event, bool]

_LDAP = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"  # RFC 4511, 4.14.1: an ExtendedRequest
_LDAP_YES = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x84....)\x02\x01\x01\x78.{1,5}?\x0a\x01\x00", re.DOTALL)
_XMPP = (
    b"<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
)
# MS-RDPBCGR 2.2.1.1: an X.224 Connection Request that offers TLS (1) and CredSSP, which starts with TLS too (2).
_RDP = b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"
_RDP_YES = re.compile(rb"\x03\x00\x00\x13\x0e\xd0.{5}\x02.\x08\x00[\x01\x02\x03]\x00\x00\x00", re.DOTALL)
_MYSQL_SSL = 0x800
# Protocol 4.1, TLS, secure connection; then the largest packet, the character set, and 23 reserved bytes.
_MYSQL_REQUEST = b"\x20\x00\x00\x01" + (0x8A00).to_bytes(4, "little") + b"\x00\x00\x00\x01\x08" + bytes(23)


def _said(request: bytes, end: str) -> Generator[Command, Event, bytes]:
    """The answer to a request, complete where the pattern `end` is found in it."""
    pattern = re.compile(end.encode(), re.MULTILINE | re.DOTALL)
    heard = yield from ask(request, PATIENCE, _QUIET, _MOST, lambda data: pattern.search(data) is not None)
    return b"" if heard.closed else heard.data


def _line(request: bytes, yes: str) -> Callable[[bytes], Agreed]:
    """One line, answered by one line."""

    def agreed(_greeting: bytes) -> Agreed:
        reply = yield from _said(request, r"\n\Z")
        return re.match(yes.encode(), reply) is not None

    return agreed


def _mail(hello: bytes) -> Callable[[bytes], Agreed]:
    """RFC 3207: offered in the answer to EHLO, or to the LHLO of LMTP."""

    def agreed(_greeting: bytes) -> Agreed:
        offers = yield from _said(hello + b" probe.invalid\r\n", r"^\d{3}(?: [^\n]*)?\r?\n\Z")
        if not re.search(rb"^250[ -]STARTTLS\b", offers, re.MULTILINE | re.IGNORECASE):
            return False
        return (yield from _line(b"STARTTLS\r\n", r"220[ -]")(b""))

    return agreed


def _xmpp(_greeting: bytes) -> Agreed:
    """RFC 6120, 5.4."""
    features = yield from _said(_XMPP, r"</(?:stream:)?features>|<(?:stream:)?features\s*/>|<(?:stream:)?error")
    if b"urn:ietf:params:xml:ns:xmpp-tls" not in features:
        return False
    reply = yield from _said(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", r">\Z")
    return reply.lstrip().startswith(b"<proceed")


def _ldap(_greeting: bytes) -> Agreed:
    reply = yield from _said(_LDAP, r"\x0a\x01.\x04")
    return _LDAP_YES.match(reply) is not None


def _rdp(_greeting: bytes) -> Agreed:
    reply = yield from _said(_RDP, r"\A.{11,}")
    return _RDP_YES.match(reply) is not None


def _mysql(greeting: bytes) -> Agreed:
    """Its initial packet tells what it can, and to the request it answers with TLS."""
    end = greeting.find(b"\0", 5)
    able = int.from_bytes(greeting[end + 14 : end + 16], "little")
    if end < 0 or greeting[4] != 10 or not able & _MYSQL_SSL:
        return False
    yield from ask(_MYSQL_REQUEST, 0, 0, 0)
    return True


UPGRADES: dict[str, Callable[[bytes], Agreed]] = {
    "smtp": _mail(b"EHLO"),
    "lmtp": _mail(b"LHLO"),
    "imap": _line(b"a STARTTLS\r\n", r"a OK\b"),
    "pop3": _line(b"STLS\r\n", r"\+OK"),
    "ftp": _line(b"AUTH TLS\r\n", r"234[ -]"),
    "managesieve": _line(b"STARTTLS\r\n", r"OK\b"),
    "nntp": _line(b"STARTTLS\r\n", r"382[ -]"),
    "mysql": _mysql,
    "ldap": _ldap,
    "xmpp": _xmpp,
    "rdp": _rdp,
}
# These wait to be asked: there is no greeting of theirs to wait for.
SILENT = frozenset({"ldap", "xmpp", "rdp"})
