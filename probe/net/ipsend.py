"""Raw IP sockets: the kernel routes each packet, passes it by the local firewall, and says what it would not send."""

from __future__ import annotations

import errno
import socket

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, Bytes
from probe.net.mmsg import MOST, Outbox, wait_for_room
from probe.net.wire import Sent

_IP_RECVERR, _IPV6_RECVERR = 11, 25
# struct sockaddr_in and sockaddr_in6: their sizes, and where the address stands (linux/in.h, linux/in6.h)
_NAMES = {socket.AF_INET: (16, 4, 4), socket.AF_INET6: (28, 8, 16)}


class IpSender:
    """Sends rows of either family. Raises OSError."""

    def __init__(self) -> None:
        self._ways: dict[int, _Way] = {4: _Way(socket.AF_INET, socket.IPPROTO_IP, _IP_RECVERR)}
        try:
            self._ways[6] = _Way(socket.AF_INET6, socket.IPPROTO_IPV6, _IPV6_RECVERR)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
                self.close()
                raise  # a kernel without IPv6 is none: its packets fail one by one, with an errno

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        """Send the packets of one family, in order."""
        way = self._ways.get(4 if rows["destination"].ndim == 1 else 6)
        if way is None:
            return Sent({errno.EAFNOSUPPORT: np.arange(len(rows))})
        parts = [way.send(rows[start : start + MOST]) for start in range(0, len(rows), MOST)]
        return joined(parts, MOST)

    def close(self) -> None:
        for way in self._ways.values():
            way.close()


class _Way:
    """One family."""

    def __init__(self, family: int, level: int, recverr: int) -> None:
        size, self._at, self._length = _NAMES[socket.AddressFamily(family)]
        self._size, self._family = size, family
        self._outboxes: dict[int, Outbox] = {}
        self._socket = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        wait_for_room(self._socket)
        self._socket.setsockopt(level, recverr, 1)  # without it ENOBUFS is hidden (net/ipv4/ip_output.c, ip_send_skb)

    def send(self, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        outbox = self._outboxes.get(rows.dtype.itemsize) or self._outbox(rows.dtype.itemsize)
        packets = bytes_of(rows)
        outbox.packets[: len(rows)] = packets
        to = bytes_of(np.ascontiguousarray(rows["destination"]))
        outbox.names[: len(rows), self._at : self._at + self._length] = to
        return outbox.send(self._socket.fileno(), len(rows))

    def _outbox(self, width: int) -> Outbox:
        outbox = self._outboxes[width] = Outbox(width, self._size)
        outbox.names[:, :2] = np.frombuffer(np.uint16(self._family).tobytes(), np.uint8)
        return outbox

    def close(self) -> None:
        self._socket.close()


def bytes_of(rows: npt.NDArray[np.generic]) -> Bytes:
    """Contiguous rows of anything as (rows, bytes) uint8."""
    return rows.view(np.uint8).reshape(len(rows), -1)


def joined(parts: list[dict[int, I64]], step: int) -> Sent:
    """The rows that failed in each of several calls of `step` rows, counted through."""
    failed: dict[int, list[I64]] = {}
    for number, part in enumerate(parts):
        for code, rows in part.items():
            failed.setdefault(code, []).append(rows + number * step)
    return Sent({code: np.concatenate(rows) for code, rows in failed.items()})
