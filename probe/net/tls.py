"""TLS over a `Link`, by OpenSSL with memory buffers, so that the raw bytes of a failed handshake are not lost.

We look at servers, we do not trust them: no certificate is verified, and old versions and weak ciphers are accepted as
far as OpenSSL still has them. What is sent inside is a request for a public page.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cache

from probe.core.dialogue import Closed, Data, Event, Sent, Spent, Timeout, TlsFailed, TlsUp
from probe.net.sockets import Link

SEEN = 16 * 1024  # raw bytes kept of an answer that may be no TLS
_CHUNK = 16 * 1024


@cache
def _context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= 0x4  # SSL_OP_LEGACY_SERVER_CONNECT; `ssl` names it from Python 3.12 on
    context.set_ciphers("ALL:@SECLEVEL=0")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _sni(name: str | None) -> str | None:
    """A name that may go into SNI: `ssl` raises on others (empty, leading dot, NUL, over-long labels)."""
    try:
        return name if name and name.encode("idna") and not name.startswith(".") and name.isprintable() else None
    except UnicodeError:
        return None


class TlsStream:
    """The same `read` and `send` as the connection below it."""

    def __init__(self, connection: Link, server_name: str | None, alpn: tuple[str, ...]) -> None:
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context(alpn).wrap_bio(self._incoming, self._outgoing, server_hostname=_sni(server_name))
        self._seen = b""
        self._clock = asyncio.get_running_loop().time

    async def handshake(self, seconds: float) -> TlsUp | TlsFailed:
        deadline = self._clock() + seconds
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                event = await self._exchange(deadline)
            except (ssl.SSLError, ValueError) as error:
                return await self._failed(error, deadline)
            else:
                await self._flush(deadline)
                return self._up()
            if not isinstance(event, Data):
                closed = event if isinstance(event, Closed) else None
                return TlsFailed("the peer ended it" if closed else "no answer in time", self._seen, closed)

    async def read(self, limit: int, seconds: float) -> Event:
        deadline = self._clock() + seconds
        while True:
            try:
                data = self._tls.read(limit)
                return Data(data) if data else Closed()
            except ssl.SSLWantReadError:
                event = await self._exchange(deadline)
            except (ssl.SSLError, ValueError):  # close_notify, an alert, or records that are none
                return Closed()
            if not isinstance(event, Data):
                return event

    async def send(self, data: bytes, seconds: float) -> Event:
        try:
            self._tls.write(data)
        except ssl.SSLError:
            return Closed()
        return await self._flush(self._clock() + seconds)

    async def _exchange(self, deadline: float) -> Event:
        """Send what OpenSSL wants sent, feed it what the peer sends next."""
        sent = await self._flush(deadline)
        if not isinstance(sent, Sent):
            return Timeout() if isinstance(sent, Spent) else sent
        event = await self._connection.read(_CHUNK, deadline - self._clock())
        if isinstance(event, Data):
            self._incoming.write(event.data)
            self._seen += event.data[: SEEN - len(self._seen)]
        return event

    async def _flush(self, deadline: float) -> Event:
        waiting = self._outgoing.read()
        return await self._connection.send(waiting, deadline - self._clock()) if waiting else Sent()

    async def _failed(self, error: Exception, deadline: float) -> TlsFailed:
        await self._flush(deadline)  # our alert: the peer's log then says why
        reason = getattr(error, "reason", None) or str(error)
        return TlsFailed(str(reason).lower().replace("_", " "), self._seen, self._connection.closed)

    def _up(self) -> TlsUp:
        der = self._tls.getpeercert(binary_form=True)
        return TlsUp(self._tls.version() or "unknown", self._tls.selected_alpn_protocol(), der or b"")
