"""Answers to SYNs, made in columns. `frames` and results are (n, bytes) uint8 from the IP header on, one family each.

`seal` makes all checksums right, so a forgery is: build, bend, seal. test_core_fakes holds every builder against scapy,
test_net_raw against a real kernel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from probe.core.columns import U64, Bytes

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ROUTER4, ROUTER6 = bytes([198, 18, 255, 1]), bytes.fromhex("fd18ffff000000000000000000000001")


def header_size(frames: Bytes) -> int:
    """Bytes of the IP header: the fakes use neither IP options nor extension headers."""
    return 20 if frames[0, 0] >> 4 == 4 else 40


def read(rows: Bytes, at: int, size: int) -> U64:
    total = np.zeros(len(rows), np.uint64)
    for column in range(at, at + size):
        total = total << np.uint64(8) | rows[:, column].astype(np.uint64)
    return total


def write(rows: Bytes, at: int, size: int, values: npt.ArrayLike) -> None:
    numbers = np.broadcast_to(np.asarray(values).astype(np.uint64), len(rows))
    for n in range(size):
        rows[:, at + n] = (numbers >> np.uint64(8 * (size - 1 - n)) & np.uint64(0xFF)).astype(np.uint8)


def tcp(frames: Bytes, flags: int, *, ttl: npt.ArrayLike = 63, window: int = 65160) -> Bytes:
    """What the probed host answers to each SYN: its ports swapped, its sequence number acknowledged."""
    start = header_size(frames)
    rows = _answer(frames, start + 20, protocol=6, ttl=ttl)
    rows[:, start : start + 2], rows[:, start + 2 : start + 4] = (
        frames[:, start + 2 : start + 4],
        frames[:, start : start + 2],
    )
    write(rows, start + 4, 4, 0 if flags & RST else read(frames, start + 4, 4) * np.uint64(2654435761))
    write(rows, start + 8, 4, read(frames, start + 4, 4) + np.uint64(1))
    rows[:, start + 12], rows[:, start + 13] = 0x50, flags
    write(rows, start + 14, 2, 0 if flags & RST else window)
    return seal(rows)


def icmp(frames: Bytes, kind: int, code: int, *, ttl: npt.ArrayLike = 62, sender: bytes | None = None) -> Bytes:
    """An ICMP or ICMPv6 error that quotes each SYN whole, from a router or from `sender` (4 or 16 bytes)."""
    start = header_size(frames)
    rows = _answer(frames, start + 8 + frames.shape[1], protocol=1 if start == 20 else 58, ttl=ttl)
    source = sender or (ROUTER4 if start == 20 else ROUTER6)
    place = 12 if start == 20 else 8
    rows[:, place : place + len(source)] = np.frombuffer(source, np.uint8)
    rows[:, start], rows[:, start + 1] = kind, code
    rows[:, start + 8 :] = frames
    return seal(rows)


def _answer(frames: Bytes, size: int, *, protocol: int, ttl: npt.ArrayLike) -> Bytes:
    rows = np.zeros((len(frames), size), np.uint8)
    if header_size(frames) == 20:
        rows[:, 0], rows[:, 6], rows[:, 8], rows[:, 9] = 0x45, 0x40, ttl, protocol
        write(rows, 2, 2, size)
        rows[:, 12:16], rows[:, 16:20] = frames[:, 16:20], frames[:, 12:16]
    else:
        rows[:, 0], rows[:, 6], rows[:, 7] = 0x60, protocol, ttl
        write(rows, 4, 2, size - 40)
        rows[:, 8:24], rows[:, 24:40] = frames[:, 24:40], frames[:, 8:24]
    return rows


def seal(rows: Bytes) -> Bytes:
    """Make both checksums right, in place."""
    start = header_size(rows)
    protocol = int(rows[0, 9] if start == 20 else rows[0, 6])
    at = start + (16 if protocol == 6 else 2)
    if start == 20:
        rows[:, 10:12] = 0
        write(rows, 10, 2, _complement(_sum(rows[:, :20])))
    rows[:, at : at + 2] = 0
    total = _sum(rows[:, start:])
    if protocol != 1:
        total = total + _sum(rows[:, 12:20] if start == 20 else rows[:, 8:40])
        total = total + np.uint64(rows.shape[1] - start + protocol)
    write(rows, at, 2, _complement(total))
    return rows


def _sum(rows: Bytes) -> U64:
    total: U64 = (rows[:, ::2].astype(np.uint64) << np.uint64(8)).sum(axis=1) + rows[:, 1::2].sum(
        axis=1, dtype=np.uint64
    )
    return total


def _complement(total: U64) -> U64:
    remainder = total % np.uint64(0xFFFF)  # ones' complement sums are sums modulo 65535, but for the two zeros
    return np.where((remainder == 0) & (total > 0), np.uint64(0), np.uint64(0xFFFF) - remainder)
