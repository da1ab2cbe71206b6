"""TLS is a layer, not a service: what its handshake shows, or, where it failed, what the server had said before.

Certificates are hostile input: each field is read by itself, and one that cannot be read is left out.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from probe.core.dialogue import TlsUp
from probe.model import Tls
from probe.services.text import clean, field

if TYPE_CHECKING:
    from cryptography import x509

T = TypeVar("T")
MOST_NAMES = 50
_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
_ALERT, _HANDSHAKE, _SERVER_HELLO, _CERTIFICATE = 21, 22, 2, 11
_SUPPORTED_VERSIONS = 43  # RFC 8446, 4.2.1: a ServerHello of TLS 1.3 tells its real version there


def layer(up: TlsUp) -> Tls:
    """What a handshake that came up showed."""
    alpn = field(up.alpn)
    if not up.der:
        return Tls(up.version, alpn)
    digest = hashlib.sha256(up.der).hexdigest()
    certificate = _load(up.der)
    if certificate is None:
        return Tls(up.version, alpn, sha256=digest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography warns about certificates that break the RFC; we only look
        return Tls(
            up.version,
            alpn,
            subject=_tried(lambda: clean(certificate.subject.rfc4514_string())),
            issuer=_tried(lambda: clean(certificate.issuer.rfc4514_string())),
            names=_tried(lambda: _names(certificate)) or (),
            not_before=_tried(lambda: certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")),
            not_after=_tried(lambda: certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")),
            sha256=digest,
        )


def failed(seen: bytes) -> Tls | None:
    """TLS that was spoken but did not come up (it wants our certificate, or another name): by its first records.

    Up to TLS 1.2 they hold the server's certificate, in the clear.
    """
    kind, major, length = seen[:1], seen[1:2], int.from_bytes(seen[3:5], "big")
    if major != b"\x03" or len(seen) < 7:
        return None
    if kind == bytes([_ALERT]) and length == 2 and seen[5] in (1, 2):
        return Tls("unknown")
    if kind == bytes([_HANDSHAKE]) and 42 <= length <= 16640 and seen[5] == _SERVER_HELLO:
        return layer(TlsUp(_hello_version(seen[9 : 5 + length]), der=_certificate(seen)))
    return None


def refused_alpn(seen: bytes) -> bool:
    """The server knows none of the protocols that we offered: the alert no_application_protocol (RFC 7301, 3.2)."""
    return seen[:1] == bytes([_ALERT]) and seen[6:7] == b"\x78" and failed(seen) is not None


def _certificate(seen: bytes) -> bytes:
    """The first of the Certificate message (RFC 5246, 7.4.2) if it is there whole; messages may span records."""
    messages = b""
    while seen[:1] == bytes([_HANDSHAKE]) and len(seen) >= 5:
        end = 5 + int.from_bytes(seen[3:5], "big")
        messages, seen = messages + seen[5:end], seen[end:]
    while len(messages) >= 4:
        kind, size = messages[0], int.from_bytes(messages[1:4], "big")
        body, messages = messages[4 : 4 + size], messages[4 + size :]
        if kind == _CERTIFICATE:
            length = int.from_bytes(body[3:6], "big")
            return body[6 : 6 + length] if len(body) >= 6 + length else b""
    return b""


def _hello_version(hello: bytes) -> str:
    """ServerHello (RFC 8446, 4.1.3): version, 32 random bytes, session id, cipher suite, compression, extensions."""
    version = int.from_bytes(hello[:2], "big")
    at = 35 + (hello[34] if len(hello) > 34 else 0) + 3 + 2
    while at + 4 <= len(hello):
        kind, size = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
        if kind == _SUPPORTED_VERSIONS and size == 2:
            version = int.from_bytes(hello[at + 4 : at + 6], "big")
        at += 4 + size
    return _VERSIONS.get(version, "unknown")


def _load(der: bytes) -> x509.Certificate | None:
    from cryptography import x509  # 30 ms, and only where there is a certificate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _tried(lambda: x509.load_der_x509_certificate(der))


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    names: list[str] = []
    for name in extension.value:
        if isinstance(name, x509.DNSName | x509.IPAddress | x509.UniformResourceIdentifier | x509.RFC822Name):
            names.append(clean(str(name.value)))
    return tuple(names[:MOST_NAMES])


def _tried(read: Callable[[], T]) -> T | None:
    """The parser's errors are many (ValueError, TypeError, its own); each means that the field cannot be read."""
    try:
        return read()
    except Exception:
        return None
