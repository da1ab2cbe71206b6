"""The XDP program that hands our answers over before the kernel makes packets of them, and how it gets into the kernel.

It takes resets to our port at one of our addresses, and nothing else: a SYN-ACK must reach the kernel, which resets it,
so that no half-open connection stays on the target; an ICMP error may be another program's, and tells the kernel about
paths. What passes is seen by the ring, as is everything on a receive queue without a socket. The program is held by a
link that is a file descriptor (bpf(2), BPF_LINK_CREATE): it goes with this process, however that ends.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

_SYSCALL = {"x86_64": 321}  # of others the rings in `xsk` would want memory barriers that Python has none of
_MAP_CREATE, _MAP_UPDATE, _PROG_LOAD, _LINK_CREATE = 0, 2, 5, 28
_MAP_HASH, _MAP_XSK, _PROG_XDP, _ATTACH_XDP = 1, 17, 6, 37
_SKB_MODE = 1 << 1  # XDP_FLAGS_SKB_MODE: any device has it, and attaching does not reset a link
XDP_PASS = 2
_ADDRESSES, MOST_QUEUES = 4096, 16

_libc = ctypes.CDLL(None, use_errno=True)
_Step = tuple[int, int, int, int | str, int] | str


def _bpf(command: int, attributes: bytes) -> int:
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"AF_XDP is not used on {platform.machine()}")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = int(_libc.syscall(number, command, buffer, len(attributes)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class Program:
    """The program for source port `port` and one interface. Raises OSError."""

    def __init__(self, port: int) -> None:
        self._open: list[int] = []
        self._known: set[bytes] = set()
        try:
            self._own = self._keep(_bpf(_MAP_CREATE, struct.pack("5I", _MAP_HASH, 16, 4, _ADDRESSES, 0)))
            self._sockets = self._keep(_bpf(_MAP_CREATE, struct.pack("5I", _MAP_XSK, 4, 4, MOST_QUEUES, 0)))
            self.descriptor = self._keep(load(assemble(port, self._own, self._sockets, XDP_PASS)))
        except BaseException:
            self.close()
            raise

    def _keep(self, descriptor: int) -> int:
        self._open.append(descriptor)
        return descriptor

    def attach(self, interface: int) -> None:
        """Raises OSError; EBUSY: the interface has an XDP program of somebody else's."""
        self._keep(_bpf(_LINK_CREATE, struct.pack("4I", self.descriptor, interface, _ATTACH_XDP, _SKB_MODE)))

    def own(self, address: bytes) -> None:
        """Takes resets to this address, sixteen bytes, IPv4 in its mapped form."""
        if address not in self._known:
            update(self._own, address, b"\1\0\0\0")
            self._known.add(address)

    def deliver(self, queue: int, sock: socket.socket) -> None:
        """Hands over what comes on a receive queue to an AF_XDP socket that is bound to it."""
        update(self._sockets, struct.pack("=I", queue), struct.pack("=I", sock.fileno()))

    def close(self) -> None:
        """Twice is once."""
        for descriptor in reversed(self._open):
            os.close(descriptor)
        self._open = []


def update(table: int, key: bytes, value: bytes) -> None:
    """Enters a value in a map. Raises OSError."""
    key_, value_ = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    _bpf(_MAP_UPDATE, struct.pack("=IxxxxQQQ", table, ctypes.addressof(key_), ctypes.addressof(value_), 0))


def load(code: bytes) -> int:
    """A descriptor of the program. Raises OSError; EPERM where this user may not."""
    text = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    # type, instructions: number and address; licence; no log; kernel version and flags; name; device; attach type
    what = struct.pack("=IIQQ", _PROG_XDP, len(code) // 8, ctypes.addressof(text), ctypes.addressof(licence))
    return _bpf(_PROG_LOAD, what + struct.pack("=IIQII16sII", 0, 0, 0, 0, 0, b"probe", 0, _ATTACH_XDP))


# Instructions (Documentation/bpf/standardization/instruction-set.rst); r10 is the stack, calls spoil r1 to r5.
_MOV, _MOV_R, _ADD, _AND, _EXIT, _CALL, _MAP = 0xB7, 0xBF, 0x07, 0x57, 0x95, 0x85, 0x18
_LD_W, _LD_H, _LD_B, _ST_W, _STX_W, _ST_DW = 0x61, 0x69, 0x71, 0x62, 0x63, 0x7A
_JGT_R, _JNE, _JEQ, _JA = 0x2D, 0x55, 0x15, 0x05
_LOOKUP, _REDIRECT = 1, 51  # bpf_map_lookup_elem, bpf_redirect_map
_ETHERNET, _RST = 14, 4


def assemble(port: int, own: int, sockets: int, otherwise: int) -> bytes:
    """The program. `own` and `sockets` are descriptors of its maps, `otherwise` the fate of ours without a socket."""
    return _link([*_start(), *_tcp4(port), "ipv6", *_tcp6(port), "ours", *_redirect(own, sockets, otherwise)])


def _start() -> list[_Step]:
    return [
        (_MOV_R, 6, 1, 0, 0),
        (_LD_W, 7, 6, 0, 0),  # struct xdp_md: data, data_end
        (_LD_W, 8, 6, 4, 0),
        *_at_least(_ETHERNET + 40),
        (_LD_H, 2, 7, 12, 0),
        (_JEQ, 2, 0, "ipv6", _be(0x86DD)),
        (_JNE, 2, 0, "pass", _be(0x0800)),
    ]


def _tcp4(port: int) -> list[_Step]:
    return [
        (_LD_B, 2, 7, _ETHERNET, 0),
        (_JNE, 2, 0, "pass", 0x45),
        (_LD_H, 2, 7, _ETHERNET + 6, 0),
        (_AND, 2, 0, 0, _be(0x3FFF)),  # a fragment
        (_JNE, 2, 0, "pass", 0),
        (_LD_B, 2, 7, _ETHERNET + 9, 0),
        *_reset_to(port, _ETHERNET + 20),
        (_ST_DW, 10, 0, -16, 0),
        (_ST_W, 10, 0, -8, struct.unpack("=i", b"\0\0\xff\xff")[0]),
        *_copied(_ETHERNET + 16, -4, 1),
        (_JA, 0, 0, "ours", 0),
    ]


def _tcp6(port: int) -> list[_Step]:
    return [
        *_at_least(_ETHERNET + 60),
        (_LD_B, 2, 7, _ETHERNET + 6, 0),
        *_reset_to(port, _ETHERNET + 40),
        *_copied(_ETHERNET + 24, -16, 4),
    ]


def _redirect(own: int, sockets: int, otherwise: int) -> list[_Step]:
    return [
        (_MOV_R, 2, 10, 0, 0),
        (_ADD, 2, 0, 0, -16),
        *_map(own),
        (_CALL, 0, 0, 0, _LOOKUP),
        (_JEQ, 0, 0, "pass", 0),
        *_map(sockets),
        (_LD_W, 2, 6, 16, 0),  # struct xdp_md: rx_queue_index
        (_MOV, 3, 0, 0, otherwise),
        (_CALL, 0, 0, 0, _REDIRECT),
        (_EXIT, 0, 0, 0, 0),
        "pass",
        (_MOV, 0, 0, 0, XDP_PASS),
        (_EXIT, 0, 0, 0, 0),
    ]


def _at_least(size: int) -> list[_Step]:
    return [(_MOV_R, 1, 7, 0, 0), (_ADD, 1, 0, 0, size), (_JGT_R, 1, 8, "pass", 0)]


def _reset_to(port: int, tcp: int) -> list[_Step]:
    """r2 holds the protocol; `tcp` is where its header would begin."""
    return [
        (_JNE, 2, 0, "pass", socket.IPPROTO_TCP),
        (_LD_H, 2, 7, tcp + 2, 0),
        (_JNE, 2, 0, "pass", _be(port)),
        (_LD_B, 2, 7, tcp + 13, 0),
        (_AND, 2, 0, 0, _RST),
        (_JEQ, 2, 0, "pass", 0),
    ]


def _copied(packet: int, stack: int, words: int) -> list[_Step]:
    """Words of four bytes from the packet to the stack."""
    pairs = [((_LD_W, 2, 7, packet + n, 0), (_STX_W, 10, 2, stack + n, 0)) for n in range(0, 4 * words, 4)]
    return [step for pair in pairs for step in pair]


def _map(descriptor: int) -> list[_Step]:
    pseudo_map_fd = 1
    return [(_MAP, 1, pseudo_map_fd, 0, descriptor), (0, 0, 0, 0, 0)]


def _be(number: int) -> int:
    """What a load of two bytes of the packet gives for a number that stands there in network order."""
    return int.from_bytes(number.to_bytes(2, "big"), sys.byteorder)


def _link(steps: list[_Step]) -> bytes:
    """Turn labels into the relative jumps that the kernel wants."""
    labels: dict[str, int] = {}
    code: list[tuple[int, int, int, int | str, int]] = []
    for step in steps:
        if isinstance(step, str):
            labels[step] = len(code)
        else:
            code.append(step)
    jumps = [(labels[to] - at - 1 if isinstance(to, str) else to) for at, (*_, to, _) in enumerate(code)]
    return b"".join(
        struct.pack("=BBhi", op, to | source << 4, jump, value)
        for (op, to, source, _, value), jump in zip(code, jumps, strict=True)
    )
