"""One TCP connection of the kernel's, spoken to in events: nothing that a remote host does raises here.

Plain non-blocking sockets and asyncio's `sock_*` calls, not its streams: nothing is read ahead, so a peer that floods
fills the kernel's window and stops; and RST and FIN stay apart (`ECONNRESET` against an empty read).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from typing import Protocol

from probe.core.dialogue import Closed, Data, Event, Failed, Sent, Spent, Timeout

CHUNK = 16 * 1024
_SEGS_OUT = 136


class Stream(Protocol):
    """What a dialogue is driven over: a connection, or TLS on top of one."""

    async def read(self, limit: int, seconds: float) -> Event:
        """Data | Closed | Timeout | Spent: at most `limit` bytes, within `seconds`."""

    async def send(self, data: bytes, seconds: float) -> Event:
        """Sent | Closed | Spent."""


class Link(Stream, Protocol):
    """A `Stream` that can be closed, and that remembers how the peer ended it, if it did."""

    closed: Closed | None

    def close(self) -> int:
        """At once and for good; returns how many packets we have sent over it, those of the closing included."""


class Dial(Protocol):
    """How connections are made; tests have networks of their own."""

    async def __call__(self, address: str, port: int, seconds: float, allowance: int) -> Link | Failed:
        """A connection that brings at most `allowance` bytes, made within `seconds`."""


class Connection:
    """A `Link` over one socket."""

    def __init__(self, sock: socket.socket, allowance: int) -> None:
        self.closed: Closed | None = None
        self._sock, self._allowance = sock, allowance
        self._send_failed = False

    def close(self) -> int:
        packets = _packets_sent(self._sock)
        self._sock.close()
        return packets

    async def read(self, limit: int, seconds: float) -> Event:
        if self._allowance <= 0 or seconds <= 0:
            return Spent()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                data = await loop.sock_recv(self._sock, min(limit, self._allowance, CHUNK))
        except TimeoutError:
            return Timeout()
        except OSError:  # ECONNRESET; also ETIMEDOUT, EHOSTUNREACH …: the path broke the connection
            return self._end(reset=True)
        self._allowance -= len(data)
        return Data(data) if data else self._end(reset=self._send_failed)

    async def send(self, data: bytes, seconds: float) -> Event:
        """A reset that comes while we send is told by the next read, after what the peer had said before it."""
        if seconds <= 0:
            return Spent()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except TimeoutError:
            return Spent()
        except OSError:
            self._send_failed = True
        return Sent()

    def _end(self, reset: bool) -> Closed:
        self.closed = Closed(reset)
        return self.closed


def _packets_sent(sock: socket.socket) -> int:
    """`tcpi_segs_out` of struct tcp_info (linux/tcp.h, since Linux 4.2), and two for the closing: FIN, last ACK."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SEGS_OUT + 4)
    except OSError:
        return 0
    return int.from_bytes(info[_SEGS_OUT:], sys.byteorder) + 2


def kernel_dial(source: str | None = None) -> Dial:
    """Connections that this machine's kernel makes, from the address `source` if it is given."""

    async def dial(address: str, port: int, seconds: float, allowance: int) -> Link | Failed:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            return Failed(_name(error))
        try:
            await _connect(sock, (address, port), seconds, source)
        except BaseException as error:
            sock.close()
            if isinstance(error, TimeoutError) and not error.errno:  # ours has no errno, the kernel's has
                return Failed("ETIMEDOUT")
            if isinstance(error, OSError):
                return Failed(_name(error))
            raise
        return Connection(sock, allowance)

    return dial


async def _connect(sock: socket.socket, peer: tuple[str, int], seconds: float, source: str | None) -> None:
    if source:
        sock.bind((source, 0))
    async with asyncio.timeout(seconds):
        await asyncio.get_running_loop().sock_connect(sock, peer)


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "EIO")
