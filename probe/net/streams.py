"""Drives a dialogue over kernel TCP: connections made with `connect()`, read without a buffer of our own, bounded.

Plain non-blocking sockets and asyncio's `sock_*` calls, not its streams: nothing is read ahead, so a peer that floods
fills the kernel's window and stops; and RST and FIN stay apart (`ECONNRESET` against an empty read). Nothing that a
remote host does raises here. Sockets are closed whatever happens, cancellation included.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable

from probe.core.dialogue import (
    Close,
    Closed,
    Command,
    Connect,
    Connected,
    Data,
    Dialogue,
    Event,
    Failed,
    Limits,
    Read,
    Send,
    Sent,
    Spent,
    StartTLS,
    Timeout,
    TlsFailed,
)
from probe.model import Conversation
from probe.net.tls import TlsStream

CHUNK = 16 * 1024


async def converse(
    address: str,
    port: int,
    dialogue: Dialogue,
    *,
    timeout: float = 3.0,
    limits: Limits | None = None,
    source: str | None = None,
    before_connect: Callable[[], Awaitable[None]] | None = None,
) -> Conversation:
    """The dialogue's result against `address` (IPv4 or IPv6, no names) and `port`.

    `timeout` bounds each connect, `limits` everything; time spent in `before_connect`, awaited before every connection,
    does not count. `source` is the local address to connect from.
    """
    driver = _Driver(address, port, timeout, limits or Limits(), source, before_connect)
    try:
        command = next(dialogue)
        while True:
            command = dialogue.send(await driver.perform(command))
    except StopIteration as stop:
        result: Conversation = stop.value
        return result
    finally:
        driver.drop()


class Connection:
    """One socket and what was read from it. `raw_read` and `raw_send` return events, never raise OSError."""

    def __init__(self, sock: socket.socket, allowance: int) -> None:
        self.sock, self.allowance = sock, allowance
        self.closed: Closed | None = None
        self._send_failed = False

    async def read(self, limit: int, seconds: float) -> Event:
        if self.allowance <= 0 or seconds <= 0:
            return Spent()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                data = await loop.sock_recv(self.sock, min(limit, self.allowance, CHUNK))
        except TimeoutError:
            return Timeout()
        except OSError:  # ECONNRESET; also ETIMEDOUT, EHOSTUNREACH …: the path broke the connection
            return self._end(reset=True)
        self.allowance -= len(data)
        return Data(data) if data else self._end(reset=self._send_failed)

    async def send(self, data: bytes, seconds: float) -> Event:
        """A reset that comes while we send is told by the next read, after what the peer had said before it."""
        if seconds <= 0:
            return Spent()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_sendall(self.sock, data)
        except TimeoutError:
            return Spent()
        except OSError:
            self._send_failed = True
        return Sent()

    def _end(self, reset: bool) -> Closed:
        self.closed = Closed(reset)
        return self.closed


class _Driver:
    def __init__(
        self,
        address: str,
        port: int,
        connect_timeout: float,
        limits: Limits,
        source: str | None,
        before_connect: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._address, self._port, self._source = address, port, source
        self._connect_timeout, self._limits, self._before_connect = connect_timeout, limits, before_connect
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + limits.seconds
        self._connection: Connection | None = None
        self._tls: TlsStream | None = None

    def drop(self) -> None:
        if self._connection:
            self._connection.sock.close()
        self._connection = self._tls = None

    async def perform(self, command: Command) -> Event:
        if isinstance(command, Connect):
            return await self._connect()
        if isinstance(command, Close) or self._connection is None:
            self.drop()
            return TlsFailed("not connected") if isinstance(command, StartTLS) else Closed()
        stream = self._tls or self._connection
        match command:
            case Send(data):
                return await stream.send(data, self._left())
            case Read(seconds, limit):
                event = await stream.read(limit, min(seconds, self._left()))
                return Spent() if isinstance(event, Timeout) and self._left() <= 0 else event
            case StartTLS():
                return await self._start_tls(self._connection, command)

    def _left(self) -> float:
        return self._deadline - self._clock()

    async def _start_tls(self, connection: Connection, command: StartTLS) -> Event:
        if self._tls:
            return TlsFailed("already inside TLS")
        stream = TlsStream(connection, command.server_name, command.alpn)
        event = await stream.handshake(min(command.timeout, self._left()))
        self._tls = stream
        return event

    async def _connect(self) -> Event:
        self.drop()
        if self._left() <= 0:
            return Failed("ETIMEDOUT")
        await self._wait_for_leave()
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            return Failed(_name(error))
        self._connection = Connection(sock, self._limits.received)
        try:
            if self._source:
                sock.bind((self._source, 0))
            async with asyncio.timeout(min(self._connect_timeout, self._left())):
                await loop.sock_connect(sock, (self._address, self._port))
        except TimeoutError as error:  # ours has no errno, the kernel's has
            self.drop()
            return Failed(_name(error) if error.errno else "ETIMEDOUT")
        except OSError as error:
            self.drop()
            return Failed(_name(error))
        return Connected(self._address)

    async def _wait_for_leave(self) -> None:
        if self._before_connect:
            asked = self._clock()
            await self._before_connect()
            self._deadline += self._clock() - asked


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "EIO")
