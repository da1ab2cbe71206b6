"""What leaves: SYN packets, stamped into a template row by row.

The offset of every field is declared once, in a dtype; the template comes from `net.craft`, so no option byte is
written here. Frames begin at the IP header: IPv4 rows are 60 bytes (20 + 20 + 20 of options), IPv6 rows 80.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from probe.core.columns import U64, Bytes, Halves, fold, sum_halves

_TCP = [
    ("sport", ">u2"),
    ("dport", ">u2"),
    ("seq", ">u4"),
    ("ack", ">u4"),
    ("offset", "u1"),
    ("flags", "u1"),
    ("window", ">u2"),
    ("checksum", ">u2"),
    ("urgent", ">u2"),
    ("mss", "u1", 4),
    ("sack_permitted", "u1", 2),
    ("timestamp", "u1", 2),
    ("tsval", ">u4"),
    ("tsecr", ">u4"),
    ("nop", "u1"),
    ("window_scale", "u1", 3),
]
SYN4 = np.dtype(
    [
        ("version_ihl", "u1"),
        ("tos", "u1"),
        ("length", ">u2"),
        ("id", ">u2"),
        ("fragment", ">u2"),
        ("ttl", "u1"),
        ("protocol", "u1"),
        ("header_checksum", ">u2"),
        ("source", ">u4"),
        ("destination", ">u4"),
        *_TCP,
    ]
)
SYN6 = np.dtype(
    [
        ("version_class_flow", ">u4"),
        ("length", ">u2"),
        ("next_header", "u1"),
        ("hop_limit", "u1"),
        ("source", ">u8", 2),
        ("destination", ">u8", 2),
        *_TCP,
    ]
)
_ACK = 16
_IPV4_BYTES, _IPV6_BYTES = 20, 40
_TCP_BYTES = 40  # header and options
_PSEUDO = 6 + _TCP_BYTES  # the pseudo-header's protocol and length


class Templates(Struct, frozen=True):
    """One SYN of each family, addresses, ports, sequence number and checksums zero."""

    ipv4: bytes
    ipv6: bytes

    def __post_init__(self) -> None:
        assert len(self.ipv4) == SYN4.itemsize
        assert len(self.ipv6) == SYN6.itemsize


class Stamp(Struct, frozen=True):
    """What differs from probe to probe, one row each: halves of both addresses, ports and sequence number.

    `tsval` is the same for the whole batch: a kernel's timestamp clock ticks once a millisecond (RFC 7323 section 5.4).
    `tos` is the DSCP and ECN byte of each row, `ttl` its TTL or hop limit, where they are not the template's. With
    `ack` the segment is no SYN but an ACK of that number.
    """

    source: Halves
    destination: Halves
    sport: int
    dport: npt.NDArray[np.uint16]
    seq: npt.NDArray[np.uint32]
    tsval: int
    tos: Bytes | None = None
    ttl: Bytes | None = None
    ack: npt.NDArray[np.uint32] | None = None


def syn4(template: bytes, stamp: Stamp) -> npt.NDArray[np.void]:
    """IPv4 SYNs, (n,) of SYN4, both checksums right."""
    model = _model(template, SYN4, stamp)
    if stamp.tos is not None:
        model["tos"] = 0
    if stamp.ttl is not None:
        model["ttl"] = 0
    model["id"], model["header_checksum"] = 0, 0
    rows = _copies(model, stamp)
    source, destination = (half & np.uint64(0xFFFFFFFF) for half in (stamp.source[1], stamp.destination[1]))
    rows["source"], rows["destination"] = source, destination
    addresses = _sum_of_32(source) + _sum_of_32(destination)
    number = stamp.seq & np.uint32(0xFFFF)  # anything will do for an atomic datagram (RFC 6864 section 4.1)
    rows["id"] = number
    header = addresses + number + _sum_of_model(model, 0, _IPV4_BYTES)
    if stamp.tos is not None:
        rows["tos"] = stamp.tos
        header += stamp.tos
    if stamp.ttl is not None:
        rows["ttl"] = stamp.ttl
        header += stamp.ttl.astype(np.uint64) << np.uint64(8)
    rows["header_checksum"] = fold(header)
    rows["checksum"] = fold(addresses + _sum_of_stamp(stamp) + _sum_of_model(model, _IPV4_BYTES) + np.uint64(_PSEUDO))
    return rows


def syn6(template: bytes, stamp: Stamp) -> npt.NDArray[np.void]:
    """IPv6 SYNs, (n,) of SYN6, checksum right."""
    model = _model(template, SYN6, stamp)
    rows = _copies(model, stamp)
    rows["source"] = np.column_stack(stamp.source)
    rows["destination"] = np.column_stack(stamp.destination)
    if stamp.ttl is not None:
        rows["hop_limit"] = stamp.ttl
    if stamp.tos is not None:  # RFC 8200 section 3: version (4 bits), traffic class (8), flow label (20)
        rows["version_class_flow"] = rows["version_class_flow"] & 0xF00FFFFF | stamp.tos.astype(np.uint32) << 20
    # The pseudo-header (RFC 8200 section 8.1) wants both addresses, their length and the protocol.
    total = _sum_of_stamp(stamp) + _sum_of_model(model, _IPV6_BYTES) + np.uint64(_PSEUDO)
    for half in (*stamp.source, *stamp.destination):
        total += sum_halves(half)
    rows["checksum"] = fold(total)
    return rows


def _model(template: bytes, dtype: np.dtype[np.void], stamp: Stamp) -> npt.NDArray[np.void]:
    """The one row that all others begin as: what they share, and zeros where each has its own."""
    model = np.frombuffer(bytearray(template), dtype)
    model["sport"], model["tsval"], model["checksum"] = stamp.sport, stamp.tsval, 0
    if stamp.ack is not None:
        model["flags"] = _ACK
    return model


def _copies(model: npt.NDArray[np.void], stamp: Stamp) -> npt.NDArray[np.void]:
    rows = np.empty(len(stamp.seq), model.dtype)
    whole = f"V{model.dtype.itemsize}"  # as one lump: numpy copies a structure field by field
    rows.view(whole)[:] = model.view(whole)
    rows["dport"], rows["seq"] = stamp.dport, stamp.seq
    if stamp.ack is not None:
        rows["ack"] = stamp.ack
    return rows


# A checksum is a sum, so what all rows share is summed once, and each row only adds its own (RFC 1624).


def _sum_of_model(model: npt.NDArray[np.void], start: int, end: int | None = None) -> np.uint64:
    words = model.view(np.uint8)[start:end].view(">u2")
    return np.uint64(words.sum(dtype=np.uint64))


def _sum_of_stamp(stamp: Stamp) -> U64:
    total = _sum_of_32(stamp.seq.astype(np.uint64)) + stamp.dport
    return total if stamp.ack is None else total + _sum_of_32(stamp.ack.astype(np.uint64))


def _sum_of_32(numbers: U64) -> U64:
    total: U64 = (numbers & np.uint64(0xFFFF)) + (numbers >> np.uint64(16))
    return total
