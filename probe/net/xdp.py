"""Frames to devices by AF_XDP sockets, and resets from them; all other answers are left to the kernel, and to a ring.

An interface that cannot have a socket or a program of ours sends by a packet socket instead.
"""

from __future__ import annotations

import errno
import select
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, Bools, Bytes, alike, distinct, fold, sum_words
from probe.core.replies import Batch
from probe.net.devices import Devices
from probe.net.ebpf import MOST_QUEUES, Program
from probe.net.hops import HEADER
from probe.net.outlet import Outlet
from probe.net.ring import MOST_PACKETS, blanked, by_length
from probe.net.xsk import OUTLETS, SENDING, Received, Xsk

RECEIVING = 16384  # frames under way to us; a sixtieth of a second at a million a second


class XdpDevices:
    """See `probe.net.ways.FrameSender` and `probe.net.fast.Source`. `poll` becomes readable when `take` has something.

    Raises OSError: EPERM without all of root's rights, in a container too.
    """

    most = SENDING // OUTLETS

    def __init__(self, port: int, poll: select.epoll) -> None:
        Program(port).close()  # may we?
        self._port, self._poll = port, poll
        self._ports: dict[int, _Port | None] = {}
        self._opening = threading.Lock()
        self._lanes = [Devices() for _ in range(OUTLETS)]  # where an interface has no port

    def send(self, interface: int, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        """See `probe.net.devices.Devices`."""
        return self.send_by(0, interface, headers, rows)

    def send_by(self, outlet: int, interface: int, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        """The same by one of the OUTLETS ways that a thread each may use at once."""
        with self._opening:
            if interface not in self._ports:
                self._ports[interface] = self._open(interface)
            port = self._ports[interface]
            sender = port.outlet(outlet, rows["source"]) if port else None
        return sender.send(headers, rows) if sender else self._in_parts(self._lanes[outlet], interface, headers, rows)

    def _open(self, interface: int) -> _Port | None:
        try:
            port = _Port(self._port, interface)
        except OSError:
            return None
        for sock in port.sockets:
            self._poll.register(sock.socket.fileno(), select.EPOLLIN)
        return port

    @staticmethod
    def _in_parts(lane: Devices, interface: int, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        failed: dict[int, list[I64]] = {}
        for at in range(0, len(rows), lane.most):
            part = slice(at, at + lane.most)
            own = headers if headers.ndim == 1 else headers[part]
            for code, lines in lane.send(interface, own, rows[part]).items():
                failed.setdefault(code, []).append(lines + at)
        return {code: np.concatenate(lines) for code, lines in failed.items()}

    def take(self) -> list[Batch]:
        """What has come in since, at most MOST_PACKETS of each queue."""
        return [batch for sock in self._sockets() for batch in _received(sock)]

    def crowded(self) -> bool:
        """Whether a quarter of the room of any queue is taken."""
        return any(sock.crowded() for sock in self._sockets())

    def drops(self) -> int:
        """Frames for us that found no room, so far."""
        return sum(sock.drops() for sock in self._sockets())

    def _sockets(self) -> list[Xsk]:
        return [sock for port in self._ports.values() if port for sock in port.sockets]

    def close(self) -> None:
        """Twice is once."""
        for port in self._ports.values():
            if port:
                port.close()
        self._ports = {}
        for lane in self._lanes:
            lane.close()
        self._poll.close()


class Beside:
    """A second way to send by the same devices, for another thread; who closes the devices closes it too."""

    def __init__(self, devices: XdpDevices) -> None:
        self._devices, self.most = devices, devices.most

    def send(self, interface: int, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        """See `probe.net.devices.Devices`."""
        return self._devices.send_by(1, interface, headers, rows)

    def close(self) -> None:
        """Nothing is its own."""


class _Port:
    """An interface with sockets and a program of ours. Raises OSError."""

    def __init__(self, port: int, interface: int) -> None:
        self._sources: dict[int, Any] = {}  # of each family, by its number of dimensions: what was seen last
        self.sockets: list[Xsk] = []
        self._program = Program(port)
        try:
            self._open(interface)
            self._program.attach(interface)
        except BaseException:
            self.close()
            raise

    def _open(self, interface: int) -> None:
        """A socket for each receive queue: what comes by a queue without one, the kernel and so the ring gets."""
        for queue in range(MOST_QUEUES):
            try:
                sock = Xsk(interface, queue, RECEIVING if queue == 0 else RECEIVING // MOST_QUEUES)
            except OSError as error:
                if queue and error.errno == errno.EINVAL:  # it has no more queues
                    return
                raise
            self.sockets.append(sock)
            self._program.deliver(queue, sock.socket)

    def outlet(self, number: int, sources: npt.NDArray[np.generic]) -> Outlet | None:
        """A way to send packets that come from `sources`; None where the kernel has no second one."""
        self._own(sources)
        try:
            return self.sockets[0].outlet(number)
        except OSError:
            return None

    def _own(self, sources: npt.NDArray[np.generic]) -> None:
        """Have the program take resets to these addresses."""
        known = self._sources.get(sources.ndim)
        if known is None or not (sources == known).all():
            columns = (sources, sources) if sources.ndim == 1 else sources.T
            for source in sources[alike(*columns)[0]]:
                number = np.array(source, ">u4" if sources.ndim == 1 else ">u8").tobytes()
                self._program.own(number if len(number) == 16 else _MAPPED_PREFIX + number)
            self._sources[sources.ndim] = sources[0]

    def close(self) -> None:
        self._program.close()
        for sock in self.sockets:
            sock.close()


def _received(sock: Xsk) -> list[Batch]:
    """Frames begin at one and the same byte of their chunks, nearly always."""
    received = sock.received(MOST_PACKETS)
    found = [batch for start in distinct(received.start).tolist() for batch in _at(start, sock.chunks, received)]
    sock.done(received)
    return found


def _at(start: int, data: Bytes, received: Received) -> list[Batch]:
    here = received.start == start
    chunks, lengths = received.chunk[here], received.length[here] - HEADER
    found = []
    for lines, width in by_length(lengths):
        some = np.minimum(lengths[lines], width)
        rows = blanked(data[chunks[lines], start + HEADER : start + HEADER + width], some)
        found.append(Batch(rows, some, unfinished(rows, some)))
    return found


_MAPPED_PREFIX = bytes(10) + b"\xff\xff"


def unfinished(rows: Bytes, lengths: I64) -> Bools:
    """Whether a packet's TCP checksum was left to hardware that a virtual link does not have: the field then holds the
    sum of the pseudo-header alone (CHECKSUM_PARTIAL, include/linux/skbuff.h). Rows of TCP without IP options."""
    four = rows[:, 0] >> 4 == 4
    size, at = np.where(four, lengths - 20, lengths - 40), np.where(four, 36, 56)
    addresses = np.where(four, sum_words(rows[:, 12:20]), sum_words(rows[:, 8:40]))
    pseudo = ~fold(addresses + (size + 6).astype(np.uint64))
    here = np.arange(len(rows))
    left: Bools = pseudo == (rows[here, at].astype(np.uint16) << 8 | rows[here, at + 1])
    return left
