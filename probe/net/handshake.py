"""One connection by the kernel, step by step, while a packet socket watches: `probe trace`.

Nothing is sent but the handshake and the end. Where the peer speaks first a little of it is read; the rest is left to
the kernel's window. Everything is bounded: time by the caller, packets and bytes here.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import Callable

from msgspec import Struct

from probe.core.conclusion import Word
from probe.core.story import Tuple4
from probe.errors import WireError
from probe.model import Address
from probe.net.capture import Capture, Captured
from probe.net.routes import source_for

MOST_PACKETS = 200  # a peer that floods is cut off
MOST_BYTES = 4096
GREETING = 1.5  # seconds for a server that speaks first
FAREWELL = 1.0  # seconds for the other half of the close
SETTLE = 0.05  # seconds for the last packets to be seen

See = Callable[[Captured], None]


class Ends(Struct, frozen=True):
    """The socket, bound but not connected, and both ends of its connection to be."""

    sock: socket.socket
    ends: Tuple4


def prepare(address: Address, port: int) -> Ends:
    """A socket with a local address and port of its own. Raises WireError where this machine has no way to there."""
    try:
        source = source_for(address)
        sock = socket.socket(_family(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise WireError(f"no way from here to {address}: {error.strerror}") from error
    try:
        sock.bind((str(source), 0))
        # What is still there when we close is reset: no half of a connection stays behind, here or at the peer.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return Ends(sock, Tuple4(source, int(sock.getsockname()[1]), address, port))
    except OSError as error:
        sock.close()
        raise WireError(f"no socket at {source}: {error.strerror}") from error


class Handshake:
    """Connects, waits for a greeting, and closes in both directions. `see` gets every packet as it is captured."""

    def __init__(self, made: Ends, capture: Capture | None, see: See, timeout: float) -> None:
        self._sock, self._ends = made.sock, made.ends
        self._capture, self._see, self._timeout = capture, see, timeout
        self._packets = 0
        self.heard = 0  # bytes read

    def run(self) -> Word:
        """The kernel's word. Raises nothing that a remote host could cause."""
        began = time.monotonic()
        code = self._connect()
        word = Word(code, time.monotonic() - began)
        settle = min(FAREWELL, SETTLE + 2 * word.waited) if code == 0 else SETTLE
        with self._sock:
            if code == 0 and self._greeting():
                self._farewell()
                self._watch(settle)
        self._watch(settle)
        return word

    def _connect(self) -> int:
        code = self._sock.connect_ex((str(self._ends.target), self._ends.dport))
        if code not in (0, errno.EINPROGRESS):
            return code
        if not self._watch(self._timeout, select.POLLOUT):
            return errno.ETIMEDOUT
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def _greeting(self) -> bool:
        """Waits for the peer to speak; False if the connection was reset, or it says too much."""
        return not self._watch(GREETING, select.POLLIN) or self._read() is not None

    def _farewell(self) -> None:
        """Our FIN, and the wait for theirs."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        until = time.monotonic() + FAREWELL
        while (left := until - time.monotonic()) > 0 and self._watch(left, select.POLLIN):
            if not self._read():
                return

    def _read(self) -> bytes | None:
        """What there is, empty once the peer has closed; None after a reset, and where it says too much."""
        try:
            data = self._sock.recv(MOST_BYTES)
        except OSError:
            return None
        self.heard += len(data)
        return data if self.heard < MOST_BYTES and self._packets < MOST_PACKETS else None

    def _watch(self, seconds: float, events: int = 0) -> bool:
        """Passes on packets until the socket has one of these events, at most `seconds`; whether it has."""
        poll, until = select.poll(), time.monotonic() + seconds
        if events:
            poll.register(self._sock, events)
        if self._capture:
            poll.register(self._capture, select.POLLIN)
        ready = False
        while not ready and (left := until - time.monotonic()) > 0 and self._packets < MOST_PACKETS:
            happened = poll.poll(left * 1000)
            ready = any(descriptor == self._sock.fileno() for descriptor, _ in happened)
            self._take()
        return ready

    def _take(self) -> None:
        for packet in self._capture.packets() if self._capture else ():
            self._packets += 1
            if self._packets <= MOST_PACKETS:
                self._see(packet)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
