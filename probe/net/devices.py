"""Frames to network devices, by one packet socket each: past queues and filters, so ask `rules` first."""

from __future__ import annotations

import errno
import socket

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, Bytes
from probe.net.hops import HEADER
from probe.net.ipsend import bytes_of
from probe.net.mmsg import MOST, Outbox, wait_for_room

_SOL_PACKET, _PACKET_QDISC_BYPASS = 263, 20  # linux/if_packet.h


class Devices:
    """Opens what it needs when it is needed. `most` frames are sent at once."""

    most = MOST

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._outboxes: dict[int, Outbox] = {}

    def send(self, interface: int, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        """Send at most `most` packets from one interface, each behind its header; those that failed, by errno.

        `headers` is (rows, HEADER), or (HEADER,) where all packets have the same.
        """
        try:
            sock = self._sockets.get(interface) or self._open(interface)
        except OSError as error:  # the interface went away
            return {error.errno or errno.ENXIO: np.arange(len(rows))}
        width = rows.dtype.itemsize + HEADER
        outbox = self._outboxes.get(width) or self._outboxes.setdefault(width, Outbox(width))
        outbox.packets[: len(rows), :HEADER] = headers
        outbox.packets[: len(rows), HEADER:] = bytes_of(rows)
        return outbox.send(sock.fileno(), len(rows))

    def _open(self, interface: int) -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # protocol 0: it receives nothing
        try:
            sock.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
            wait_for_room(sock)
            sock.bind((socket.if_indextoname(interface), 0))
        except BaseException:
            sock.close()
            raise
        self._sockets[interface] = sock
        return sock

    def close(self) -> None:
        for sock in self._sockets.values():
            sock.close()
        self._sockets = {}
