"""The plain wire: raw IP sockets to send, a packet socket to receive.

Raw sockets pass the local firewall and the local routes like any program's packets, and say so by errno. The packet
socket sees each answer before the local firewall does, with what the kernel knows of its checksum.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct

import numpy as np
import numpy.typing as npt

from probe.core.replies import Batch
from probe.errors import WireError
from probe.net.bpf import answers_to, attach
from probe.net.rights import NO_RAW
from probe.net.wire import Sent

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, PACKET_STATISTICS = 263, 8, 6  # linux/if_packet.h
TP_STATUS_CSUMNOTREADY, TP_STATUS_CSUM_VALID = 1 << 3, 1 << 7
SO_RCVBUFFORCE = 33
IP_RECVERR = 11
IPV6_RECVERR = 25

BUFFER_BYTES = 32 << 20
MOST_PACKETS = 512  # a batch: bounds memory and the time away from sending
MOST_BYTES = 2048  # longer than any answer to a SYN; what is cut off fails its length check
SEND_TIMEOUT = 1.0  # seconds; a full send buffer empties at the device's speed, a dead device never


def open_wire(port: int) -> RawWire:
    """A wire for the answers to source port `port`. Raises WireError where the right to raw sockets is missing."""
    try:
        return RawWire(port)
    except PermissionError as error:
        raise WireError(NO_RAW) from error
    except OSError as error:
        raise WireError(f"no raw socket: {error.strerror}") from error


class RawWire:
    """See `probe.net.wire.Wire`."""

    name = "raw"
    threaded = False

    def __init__(self, port: int) -> None:
        self._sockets: list[socket.socket] = []
        try:
            self._open(port)
        except BaseException:
            self.close()
            raise
        self._rows = np.zeros((MOST_PACKETS, MOST_BYTES), np.uint8)
        self._drops = 0
        self._names: dict[bytes, str] = {}

    def _open(self, port: int) -> None:
        self._four = self._sender(socket.AF_INET, socket.IPPROTO_IP, IP_RECVERR)
        try:
            self._six: socket.socket | None = self._sender(socket.AF_INET6, socket.IPPROTO_IPV6, IPV6_RECVERR)
        except PermissionError:
            raise
        except OSError:  # a kernel without IPv6: its packets fail one by one, with an errno
            self._six = None
        self._packets = self._receiver(port)

    def _sender(self, family: int, level: int, recverr: int) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._sockets.append(sock)
        sock.settimeout(SEND_TIMEOUT)
        sock.setsockopt(level, recverr, 1)  # without it a raw socket hides ENOBUFS (net/ipv4/ip_output.c, ip_send_skb)
        return sock

    def _receiver(self, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL))
        self._sockets.append(sock)
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:  # root of a user namespace only: the kernel's limit holds
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        attach(sock, answers_to(port))
        _drain(sock)
        return sock

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        four = rows["destination"].ndim == 1
        sock = self._four if four else self._six
        if sock is None:
            return Sent({errno.EAFNOSUPPORT: np.arange(len(rows))})
        width, payload = rows.dtype.itemsize, rows.tobytes()
        start, end = (16, 20) if four else (24, 40)
        failed: dict[int, list[int]] = {}
        for row in range(len(rows)):
            packet = payload[row * width : (row + 1) * width]
            code = self._send_one(sock, packet, packet[start:end])
            if code:
                failed.setdefault(code, []).append(row)
        return Sent({code: np.array(lines, np.int64) for code, lines in failed.items()})

    def _send_one(self, sock: socket.socket, packet: bytes, destination: bytes) -> int:
        name = self._names.get(destination)
        if name is None:
            if len(self._names) >= 1 << 17:
                self._names.clear()
            name = self._names[destination] = str(ipaddress.ip_address(destination))
        try:
            sock.sendto(packet, (name, 0))
        except TimeoutError:
            return errno.EAGAIN
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def receive(self) -> Batch | None:
        lengths, intact = [], []
        for row in range(MOST_PACKETS):
            try:
                size, ancillary, _, _ = self._packets.recvmsg_into([self._rows[row].data], 64)
            except BlockingIOError:
                break
            except OSError:  # the interface went down, or there is no memory: packets are lost, nobody says how many
                self._drops += 1
                break
            self._rows[row, size:] = 0
            lengths.append(size)
            intact.append(_vouched_for(ancillary))
        if not lengths:
            return None
        width = max(lengths)
        count = len(lengths)
        return Batch(self._rows[:count, :width].copy(), np.array(lengths, np.int64), np.array(intact, np.bool_))

    def fileno(self) -> int:
        return self._packets.fileno()

    def drops(self) -> int:
        # struct tpacket_stats {packets, drops}; reading resets it.
        _, drops = struct.unpack("II", self._packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._drops += int(drops)
        return self._drops

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


def _drain(sock: socket.socket) -> None:
    """Throw away what was queued before the filter was attached; nothing of ours was sent yet."""
    with contextlib.suppress(BlockingIOError):
        for _ in range(BUFFER_BYTES // 256):
            sock.recv(1)


def _vouched_for(ancillary: list[tuple[int, int, bytes]]) -> bool:
    """Whether the kernel checked the checksum, or left it to hardware that a virtual link does not have."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA and len(data) >= 4:
            status = struct.unpack_from("I", data)[0]
            return bool(status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID))
    return False
