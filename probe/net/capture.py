"""Watches one connection through a packet socket, both ways, from before its first packet on.

The socket stands between the device and the firewall: it sees what arrives before a local rule may drop it, and what
leaves after the rules have let it go.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Iterator

from msgspec import Struct

from probe.errors import WireError
from probe.net import raw
from probe.net.bpf import attach, between

PACKET_OUTGOING = 4  # linux/if_packet.h
ARPHRD_LOOPBACK = 772  # linux/if_arp.h
SO_TIMESTAMPNS = 35  # asm-generic/socket.h
LARGEST = 1 << 16
_NO_RIGHT = "packet sockets are not allowed here: run as root, or give the interpreter the capability CAP_NET_RAW"


class Captured(Struct, frozen=True):
    """A packet from its IP header on; `intact` as for `core.replies.Batch`."""

    time_ns: int
    data: bytes
    intact: bool


class Capture:
    """Packets between two TCP ports, and ICMP errors. Raises WireError where the right to packet sockets is missing."""

    def __init__(self, ours: int, theirs: int) -> None:
        try:
            kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_PACKET, kind, socket.htons(raw.ETH_P_ALL))
        except PermissionError as error:
            raise WireError(_NO_RIGHT) from error
        except OSError as error:
            raise WireError(f"no packet socket: {error.strerror}") from error
        try:
            self._prepare(ours, theirs)
        except BaseException:
            self._socket.close()
            raise

    def _prepare(self, ours: int, theirs: int) -> None:
        self._socket.setsockopt(raw.SOL_PACKET, raw.PACKET_AUXDATA, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        attach(self._socket, between(ours, theirs))
        raw._drain(self._socket)

    def fileno(self) -> int:
        return self._socket.fileno()

    def packets(self) -> Iterator[Captured]:
        """What has come in since, without waiting."""
        while True:
            try:
                data, ancillary, _, address = self._socket.recvmsg(LARGEST, 256)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENETDOWN:  # told once; the silence after it is silence like any other
                    continue
                raise
            _, _, kind, hardware, *_ = address
            if kind == PACKET_OUTGOING and hardware == ARPHRD_LOOPBACK:
                continue  # on loopback each packet is seen once more, as it arrives
            # What leaves has no checksum yet where the device makes it.
            intact = kind == PACKET_OUTGOING or raw._vouched_for(ancillary)
            yield Captured(_time(ancillary), data, intact)

    def close(self) -> None:
        self._socket.close()


def _time(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The kernel's own time of the packet, nanoseconds since 1970; ours where it told none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack_from("qq", data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return time.time_ns()
