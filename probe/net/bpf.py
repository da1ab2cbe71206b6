"""A classic BPF program (Documentation/networking/filter.rst) that lets through only what can answer a scan.

It runs in the kernel before a packet is copied, so foreign traffic costs us nothing and cannot fill our buffer.
"""

from __future__ import annotations

import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26  # asm-generic/socket.h

_LD_B, _LD_H, _LD_IND_H, _LDX_MSH = 0x30, 0x28, 0x48, 0xB1
_JEQ, _JSET, _RET, _AND = 0x15, 0x45, 0x06, 0x54
_AD_PKTTYPE = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE (linux/filter.h)
_WHOLE = 0xFFFF

_Step = tuple[int, int | str, int | str, int] | str


def answers_to(port: int) -> list[tuple[int, int, int, int]]:
    """Instructions (code, jt, jf, k) that take TCP to `port`, and ICMP and ICMPv6 errors; byte 0 is the IP header's."""
    return _assemble(
        [
            (_LD_B, 0, 0, _AD_PKTTYPE),
            (_JEQ, "ours", "drop", 0),  # PACKET_HOST: not what we sent, not what others get
            "ours",
            (_LD_B, 0, 0, 0),
            (_AND, 0, 0, 0xF0),
            (_JEQ, "ipv4", "", 0x40),
            (_JEQ, "ipv6", "drop", 0x60),
            "ipv4",
            (_LD_B, 0, 0, 9),
            (_JEQ, "icmp4", "", socket.IPPROTO_ICMP),
            (_JEQ, "", "drop", socket.IPPROTO_TCP),
            (_LD_H, 0, 0, 6),
            (_JSET, "drop", "", 0x1FFF),  # a later fragment has no ports
            (_LDX_MSH, 0, 0, 0),
            (_LD_IND_H, 0, 0, 2),
            (_JEQ, "take", "drop", port),
            "icmp4",
            (_LDX_MSH, 0, 0, 0),
            (0x50, 0, 0, 0),  # ldb [x + 0]: the ICMP type
            (_JEQ, "take", "", 3),
            (_JEQ, "take", "drop", 11),
            "ipv6",
            (_LD_B, 0, 0, 6),
            (_JEQ, "icmp6", "", socket.IPPROTO_ICMPV6),
            (_JEQ, "", "drop", socket.IPPROTO_TCP),
            (_LD_H, 0, 0, 42),
            (_JEQ, "take", "drop", port),
            "icmp6",
            (_LD_B, 0, 0, 40),
            (_JEQ, "take", "", 1),
            (_JEQ, "take", "drop", 3),
            "take",
            (_RET, 0, 0, _WHOLE),
            "drop",
            (_RET, 0, 0, 0),
        ]
    )


def _assemble(steps: list[_Step]) -> list[tuple[int, int, int, int]]:
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


def attach(sock: socket.socket, program: list[tuple[int, int, int, int]]) -> None:
    """Set the filter on a socket. Raises OSError."""
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(buffer)))
