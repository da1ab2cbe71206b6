"""A closer look at what has identified itself: whose SSH server it is, and which certificate waits behind STARTTLS."""

from __future__ import annotations

from collections.abc import Generator

from msgspec.structs import replace

from probe.core.dialogue import Command, Connect, Connected, Event, StartTLS, TlsFailed, TlsUp, listen
from probe.model import Service, Tls
from probe.services import hints, ssh_key, starttls, tls
from probe.services.matchers import match

_GREETING = 4096

Closer = Generator[Command, Event, Service]


def look(service: Service, greeting: bytes, nonce: bytes, server_name: str | None, *, secure: bool) -> Closer:
    """The same service, with its key or TLS layer where it has one. The connection is one on which the server has just
    said `greeting`, and we nothing; `secure` where that is inside of TLS."""
    if service.name == "ssh":
        return replace(service, key=(yield from ssh_key.host_key(greeting, nonce)))
    upgrade = None if secure else starttls.UPGRADES.get(service.name or "")
    if upgrade is None or not (yield from upgrade(greeting)):
        return service
    event = yield StartTLS(server_name, (), hints.TLS)
    return replace(service, tls=_layer(event))


def look_again(service: Service, server_name: str | None) -> Closer:
    """The same on a connection of its own, for a service that was recognised by something else than its greeting."""
    known = service.name == "ssh" or service.name in starttls.UPGRADES
    event = (yield Connect()) if known and service.tls is None else None
    if not isinstance(event, Connected):
        return service
    greeting = b""
    if service.name not in starttls.SILENT:
        heard = yield from listen(hints.SLOW_GREETING, hints.QUIET, _GREETING)
        again = match(heard.data)
        if heard.closed or again is None or again.name != service.name:
            return service
        greeting = heard.data
    return (yield from look(service, greeting, event.nonce, server_name, secure=False))


def _layer(event: Event) -> Tls | None:
    layer = tls.layer(event) if isinstance(event, TlsUp) else None
    if isinstance(event, TlsFailed):
        layer = tls.failed(event.seen)
    return replace(layer, starttls=True) if layer else None
