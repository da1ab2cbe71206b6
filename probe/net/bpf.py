"""Classic BPF programs (Documentation/networking/filter.rst) that let through only what can answer us.

They run in the kernel before a packet is copied, so foreign traffic costs us nothing and cannot fill our buffer.
"""

from __future__ import annotations

import ctypes
import socket
import struct

from probe.core import extensions
from probe.core.datagram import OFFSET
from probe.core.fragments import MOST_BYTES
from probe.core.replies import ERRORS, QUOTING

SO_ATTACH_FILTER = 26  # asm-generic/socket.h

_LD_B, _LD_H, _LD_IND_B, _LD_IND_H, _LDX_MSH = 0x30, 0x28, 0x50, 0x48, 0xB1
_LD_IMM, _LD_MEM, _LDX_IMM, _ST, _TAX = 0x00, 0x60, 0x01, 0x02, 0x07
_ADD, _ADD_X, _LSH, _AND = 0x04, 0x0C, 0x64, 0x54
_JEQ, _JGT, _JSET, _RET = 0x15, 0x25, 0x45, 0x06
_AD_PKTTYPE = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE (linux/filter.h)
_WHOLE = 0xFFFF

LAST_START = MOST_BYTES - 8  # a fragment that begins beyond could not be joined to anything

_Step = tuple[int, int | str, int | str, int] | str
_Program = list[tuple[int, int, int, int]]


_BY_FAMILY: list[_Step] = [
    (_LD_B, 0, 0, 0),
    (_AND, 0, 0, 0xF0),
    (_JEQ, "ipv4", "", 0x40),
    (_JEQ, "ipv6", "drop", 0x60),
]
_ENDS: list[_Step] = ["take", (_RET, 0, 0, _WHOLE), "drop", (_RET, 0, 0, 0)]


def answers_to(port: int) -> _Program:
    """Instructions (code, jt, jf, k) that take TCP to `port`, later fragments of TCP, and ICMP and ICMPv6 errors.

    Byte 0 is the IP header's. A later fragment has no ports, so those of others pass too, as far as they are addressed
    to this host; `core.fragments` looks at their sender.
    """
    return _assemble(
        [
            (_LD_B, 0, 0, _AD_PKTTYPE),
            (_JEQ, "", "drop", 0),  # PACKET_HOST: not what we sent, not what others get
            *_BY_FAMILY,
            "ipv4",
            *_ipv4(port),
            "ipv6",
            (_LDX_IMM, 0, 0, 40),
            (_LD_B, 0, 0, 6),
            *(step for depth in range(extensions.MOST) for step in _extension_header(depth)),
            (_JEQ, "tcp", "", socket.IPPROTO_TCP),
            (_JEQ, "", "drop", socket.IPPROTO_ICMPV6),
            *_error(ERRORS[6]),
            "tcp",
            (_LD_IND_H, 0, 0, 2),
            (_JEQ, "take", "drop", port),
            *_ENDS,
        ]
    )


def between(ours: int, theirs: int) -> _Program:
    """Instructions that take TCP between these two ports, both ways, and every ICMP and ICMPv6 error."""
    return _assemble(
        [
            (_LD_B, 0, 0, _AD_PKTTYPE),
            (_JEQ, "ours", "", 0),  # PACKET_HOST
            (_JEQ, "ours", "drop", 4),  # PACKET_OUTGOING
            "ours",
            *_BY_FAMILY,
            "ipv4",
            (_LDX_MSH, 0, 0, 0),
            (_LD_B, 0, 0, 9),
            (_JEQ, "icmp4", "", socket.IPPROTO_ICMP),
            (_JEQ, "", "drop", socket.IPPROTO_TCP),
            (_LD_H, 0, 0, 6),
            (_JSET, "drop", "ports", OFFSET),
            "icmp4",
            *_error(QUOTING[4]),
            "ipv6",
            (_LDX_IMM, 0, 0, 40),
            (_LD_B, 0, 0, 6),
            (_JEQ, "ports", "", socket.IPPROTO_TCP),
            (_JEQ, "", "drop", socket.IPPROTO_ICMPV6),
            *_error(QUOTING[6]),
            "ports",
            (_LD_IND_H, 0, 0, 0),
            (_JEQ, "out", "", ours),
            (_JEQ, "", "drop", theirs),
            (_LD_IND_H, 0, 0, 2),
            (_JEQ, "take", "drop", ours),
            "out",
            (_LD_IND_H, 0, 0, 2),
            (_JEQ, "take", "drop", theirs),
            *_ENDS,
        ]
    )


def _ipv4(port: int) -> list[_Step]:
    return [
        (_LDX_MSH, 0, 0, 0),
        (_LD_B, 0, 0, 9),
        (_JEQ, "icmp4", "", socket.IPPROTO_ICMP),
        (_JEQ, "", "drop", socket.IPPROTO_TCP),
        (_LD_H, 0, 0, 6),
        (_AND, 0, 0, OFFSET),
        (_JEQ, "tcp", "", 0),
        (_JGT, "drop", "take", LAST_START // 8),
        "icmp4",
        *_error(ERRORS[4]),
    ]


def _error(kinds: tuple[int, ...]) -> list[_Step]:
    """The ICMP type is at X."""
    return [(_LD_IND_B, 0, 0, 0), *((_JEQ, "take", "", kind) for kind in kinds[:-1]), (_JEQ, "take", "drop", kinds[-1])]


def _extension_header(depth: int) -> list[_Step]:
    """With an extension header at X and its number in A: both of the next one. Any other number changes nothing."""
    atomic, sized, moved, after = (f"{name} {depth}" for name in ("atomic", "sized", "moved", "after"))
    return [
        (_JEQ, sized, "", extensions.HOP_BY_HOP),
        (_JEQ, sized, "", extensions.ROUTING),
        (_JEQ, sized, "", extensions.DESTINATION),
        (_JEQ, "", after, extensions.FRAGMENT),
        (_LD_IND_H, 0, 0, 2),
        (_AND, 0, 0, 0xFFF8),
        (_JEQ, atomic, "", 0),
        (_JGT, "drop", "", LAST_START),
        (_LD_IND_B, 0, 0, 0),
        (_JEQ, "take", "", socket.IPPROTO_TCP),
        (_JEQ, "take", "", extensions.ROUTING),  # the kernel asks the first fragment only what is in the datagram
        (_JEQ, "take", "drop", extensions.DESTINATION),
        atomic,  # or the first of several
        (_LD_IND_B, 0, 0, 0),
        (_ST, 0, 0, 0),
        (_LD_IMM, 0, 0, 8),
        (_JEQ, moved, moved, 8),
        sized,
        (_LD_IND_B, 0, 0, 0),
        (_ST, 0, 0, 0),
        (_LD_IND_B, 0, 0, 1),
        (_ADD, 0, 0, 1),
        (_LSH, 0, 0, 3),
        moved,
        (_ADD_X, 0, 0, 0),
        (_TAX, 0, 0, 0),
        (_LD_MEM, 0, 0, 0),
        after,
    ]


def _assemble(steps: list[_Step]) -> _Program:
    """Turn labels into the relative jumps that BPF wants; an empty label falls through."""
    labels: dict[str, int] = {}
    code: list[tuple[int, int | str, int | str, int]] = []
    for step in steps:
        if isinstance(step, str):
            labels[step] = len(code)
        else:
            code.append(step)

    def jump(at: int, to: int | str) -> int:
        return to if isinstance(to, int) else (labels[to] - at - 1 if to else 0)

    return [(op, jump(at, jt), jump(at, jf), k) for at, (op, jt, jf, k) in enumerate(code)]


def attach(sock: socket.socket, program: _Program) -> None:
    """Set the filter on a socket. Raises OSError."""
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(buffer)))
