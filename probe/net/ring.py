"""Receive by a ring that the kernel fills and we read in place (packet_mmap): no system call per packet or batch.

TPACKET_V2, not V3: its frames have one size, so a batch is one strided view whatever the lengths in it; and a packet is
ours at once, where V3 hands out blocks, at the latest when a timer of some jiffies has run off, which would be measured
as round-trip time. What V3 packs more tightly costs 32 MB here. The few packets that are longer than a frame are queued
beside the ring, to be read one by one.
"""

from __future__ import annotations

import contextlib
import mmap
import socket
import struct

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, Bools, Bytes
from probe.core.replies import Batch
from probe.net.bpf import answers_to, attach

SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_COPY_THRESH, PACKET_VERSION = 263, 5, 6, 7, 10  # if_packet.h
TPACKET_V2 = 1
TP_STATUS_COPY = 1 << 1
TP_STATUS_USER, TP_STATUS_CSUMNOTREADY, TP_STATUS_CSUM_VALID = 1 << 0, 1 << 3, 1 << 7
ETH_P_ALL = 3

FRAME = 512  # bytes: 80 of headers, and the longest ICMP error that can quote a SYN of ours, extensions included
FRAMES = 1 << 16  # an eighth of a second at half a million answers a second
FEWEST = 1 << 13  # two batches
_BLOCK = 1 << 16
_PAYLOAD = 80  # where the IP header begins: TPACKET2_HDRLEN aligned, and 16 (net/packet/af_packet.c, tpacket_rcv)
MOST_PACKETS = 4096  # a batch: bounds memory and the time away from sending
MOST_BYTES = 2048  # longer than any answer to a SYN, and than what fragments are joined to
LONG = FRAME - _PAYLOAD
SHORT = 80  # bytes: every TCP answer without data; the few that are longer do not widen the rest of their batch

_FRAME = np.dtype(
    {
        "names": ["status", "length", "captured", "mac", "net"],
        "formats": ["u4", "u4", "u4", "u2", "u2"],
        "offsets": [0, 4, 8, 12, 14],
        "itemsize": FRAME,
    }
)


class Ring:
    """The answers to source port `port`, from all interfaces. Raises OSError."""

    def __init__(self, port: int, frames: int = FRAMES) -> None:
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL)
        )
        self._head, self._drops = 0, 0
        try:
            attach(self._socket, answers_to(port))
            self._lay_out(frames)  # throws away what was queued before the filter was there (packet_set_ring)
        except BaseException:
            self._socket.close()
            raise

    def _lay_out(self, frames: int) -> None:
        self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        self._socket.setsockopt(SOL_PACKET, PACKET_COPY_THRESH, 1)
        # struct tpacket_req: block size, blocks, frame size, frames
        size = frames * FRAME
        request = struct.pack("4I", _BLOCK, size // _BLOCK, FRAME, frames)
        self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        memory = mmap.mmap(self._socket.fileno(), size)
        self._frames: npt.NDArray[np.void] = np.frombuffer(memory, _FRAME)
        self._bytes: Bytes = np.frombuffer(memory, np.uint8).reshape(frames, FRAME)

    def take(self) -> list[Batch]:
        """What has come in since, at most MOST_PACKETS."""
        frames = self._frames[self._head : self._head + MOST_PACKETS]
        ready = frames["status"] & TP_STATUS_USER != 0
        count = len(ready) if ready.all() else int(ready.argmin())
        if not count:
            return []
        batches = self._take(frames[:count], self._bytes[self._head : self._head + count])
        self._head = (self._head + count) % len(self._frames)
        return batches

    def crowded(self) -> bool:
        """Whether a quarter of the room is taken."""
        ahead = (self._head + len(self._frames) // 4) % len(self._frames)
        return bool(self._frames["status"][ahead] & TP_STATUS_USER)

    def _take(self, frames: npt.NDArray[np.void], data: Bytes) -> list[Batch]:
        """Copies of the packets; then the frames are the kernel's again."""
        lengths = frames["captured"].astype(np.int64)
        intact = frames["status"] & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID) != 0
        beside = frames["status"] & TP_STATUS_COPY != 0
        found = []
        for lines, width in by_length(lengths):
            lines = lines[~beside[lines]] if beside.any() else lines
            rows = blanked(data[lines, _PAYLOAD : _PAYLOAD + width], lengths[lines])
            found.append(Batch(rows, lengths[lines], intact[lines]))
        if beside.any():
            found.append(self._read(intact[beside]))
        frames["status"] = 0  # TP_STATUS_KERNEL
        return found

    def _read(self, intact: Bools) -> Batch:
        """The packets that no frame could hold. The kernel queued each before it marked its frame."""
        rows, lengths = np.zeros((len(intact), MOST_BYTES), np.uint8), np.zeros(len(intact), np.int64)
        for line in range(len(intact)):
            with contextlib.suppress(OSError):  # an interface went down: reported once, in place of a packet
                lengths[line] = self._socket.recv_into(rows[line].data)
        return Batch(rows, lengths, intact)

    def fileno(self) -> int:
        return self._socket.fileno()

    def drops(self) -> int:
        """Packets for us that found the ring full, so far."""
        # struct tpacket_stats {packets, drops}; reading resets it.
        _, drops = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._drops += int(drops)
        return self._drops

    def close(self) -> None:
        """The memory goes when the last view of it does; the kernel stops writing now."""
        self._socket.close()


def by_length(lengths: I64) -> list[tuple[I64, int]]:
    """Short packets apart from long ones: (lines, bytes to keep of each). Longer ones than that are cut."""
    parts = ((np.flatnonzero(lengths <= SHORT), SHORT), (np.flatnonzero(lengths > SHORT), LONG))
    return [(lines, width) for lines, width in parts if lines.size]


def blanked(rows: Bytes, lengths: I64) -> Bytes:
    """The rows with zeros beyond each packet's end, where an earlier packet may have left its own."""
    for length in np.flatnonzero(np.bincount(lengths)).tolist():
        rows[lengths == length, length:] = 0
    return rows
