"""Is this the same server as that one? By host key, by certificate, or by product where there is neither.

A name fits every server of its kind; what a server can prove fits one. A certificate is renewed every few months:
another one for the same subject, by the same issuer, proves neither the one nor the other.
"""

from __future__ import annotations

from enum import Enum

from probe.model import Service, Tls


class Likeness(Enum):
    """What a comparison came to. `UNTOLD`: there is nothing in both that could be compared."""

    SAME = "same"
    OTHER = "other"
    UNTOLD = "untold"


def identity(service: Service) -> str | None:
    """What tells this server from others of its kind, for people and records; None where nothing does."""
    if service.key:
        return service.key.fingerprint
    return service.tls.sha256 if service.tls else None


def likeness(known: Service, seen: Service) -> Likeness:
    """Whether these are the same server; product decides only where neither has shown a key or a certificate."""
    if identity(known) or identity(seen):
        return _by_key(known, seen)
    if not (known.product and seen.product):
        return Likeness.UNTOLD
    return Likeness.SAME if known.product == seen.product else Likeness.OTHER


def _by_key(known: Service, seen: Service) -> Likeness:
    if known.key and seen.key:
        return Likeness.SAME if known.key == seen.key else Likeness.OTHER
    if known.key or seen.key or not (known.tls and seen.tls and known.tls.sha256 and seen.tls.sha256):
        return Likeness.UNTOLD
    if known.tls.sha256 == seen.tls.sha256:
        return Likeness.SAME
    return Likeness.UNTOLD if _renewed(known.tls, seen.tls) else Likeness.OTHER


def _renewed(known: Tls, seen: Tls) -> bool:
    names = (seen.subject, seen.issuer, seen.names)
    return any(names) and (known.subject, known.issuer, known.names) == names
