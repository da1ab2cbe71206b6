"""A capture file for Wireshark and tcpdump (the classic libpcap format), packets from their IP header on."""

from __future__ import annotations

import struct

_NANOSECONDS = 0xA1B23C4D  # the magic number of the variant that counts in nanoseconds
_LINKTYPE_RAW = 101  # the first four bits tell IPv4 from IPv6
_SNAP = 1 << 16


def header() -> bytes:
    """What the file begins with: magic, version 2.4, UTC, snap length, link type."""
    return struct.pack("<IHHiIII", _NANOSECONDS, 2, 4, 0, 0, _SNAP, _LINKTYPE_RAW)


def record(time_ns: int, packet: bytes) -> bytes:
    """One packet; `time_ns` counts from 1970 (UTC)."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    kept = packet[:_SNAP]
    return struct.pack("<IIII", seconds & 0xFFFFFFFF, nanoseconds, len(kept), len(packet)) + kept
