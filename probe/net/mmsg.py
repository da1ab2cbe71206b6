"""sendmmsg(2): a thousand packets in one system call, from a buffer whose headers are laid out once.

The interpreter is left for the length of the call, so a receiver thread runs meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct

import numpy as np

from probe.core.columns import I64, Bytes

MOST = 1024  # packets in one call: UIO_MAXIOV caps it in the kernel (net/socket.c, __sys_sendmmsg)
SEND_TIMEOUT = 1  # seconds; a full send buffer empties at the device's speed, a dead device never

_MSGHDR = np.dtype(
    [
        ("name", np.uintp),
        ("namelen", np.uint32),
        ("iov", np.uintp),
        ("iovlen", np.uintp),
        ("control", np.uintp),
        ("controllen", np.uintp),
        ("flags", np.int32),
    ],
    align=True,
)
_MMSGHDR = np.dtype([("header", _MSGHDR), ("length", np.uint32)], align=True)
_IOVEC = np.dtype([("base", np.uintp), ("length", np.uintp)])

_sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


def wait_for_room(sock: socket.socket) -> None:
    """Let a full send buffer hold us up, but not for ever. Python's own timeout would make the socket non-blocking."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_TIMEOUT, 0))


class Outbox:
    """Room for MOST packets of `width` bytes each, and for the address of each where the socket needs one.

    `packets` (MOST, width) and `names` (MOST, name) are uint8, to be filled from row 0 on and then sent.
    """

    def __init__(self, width: int, name: int = 0) -> None:
        self.packets: Bytes = np.zeros((MOST, width), np.uint8)
        self.names: Bytes = np.zeros((MOST, name), np.uint8)
        self._vectors = np.zeros(MOST, _IOVEC)
        self._vectors["base"], self._vectors["length"] = _rows(self.packets), width
        self._calls = np.zeros(MOST, _MMSGHDR)
        header = self._calls["header"]
        header["iov"], header["iovlen"] = _rows(self._vectors), 1
        if name:
            header["name"], header["namelen"] = _rows(self.names), name

    def send(self, descriptor: int, count: int) -> dict[int, I64]:
        """Send the first `count` packets, in order; the rows that were not sent, by errno."""
        failed: dict[int, list[int]] = {}
        at = 0
        while at < count:
            done = _sendmmsg(descriptor, self._calls.ctypes.data + at * _MMSGHDR.itemsize, count - at, 0)
            code = ctypes.get_errno() if done < 0 else 0
            if done > 0:
                at += done
            elif code == errno.EAGAIN:  # after SEND_TIMEOUT: what follows would wait as long
                failed.setdefault(code, []).extend(range(at, count))
                break
            elif code != errno.EINTR:  # ENOBUFS too is one packet's: a drop at egress is told so
                failed.setdefault(code or errno.EIO, []).append(at)
                at += 1
        return {code: np.array(rows, np.int64) for code, rows in failed.items()}


def _rows(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> np.ndarray[tuple[int], np.dtype[np.uintp]]:
    """The address of each row."""
    start, step = array.ctypes.data, array.strides[0]
    return np.arange(start, start + step * len(array), step, dtype=np.uintp) if step else np.zeros(len(array), np.uintp)
