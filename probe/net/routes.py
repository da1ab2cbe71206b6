"""What our own machine says about a destination, and the source port that a run may call its own."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

import numpy as np

from probe.core.columns import I64
from probe.core.ledger import Local
from probe.core.plan import Block, split
from probe.model import Address


class ReservedPort:
    """A TCP port bound in both families but not listening: no live connection has it, and the kernel resets what
    answers to it, so a SYN-ACK leaves no half-open connection on the target."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self.number = self._reserve()

    def _reserve(self) -> int:
        for _ in range(32):
            first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._sockets.append(first)
            first.bind(("", 0))
            number = int(first.getsockname()[1])
            try:
                self._reserve_ipv6(number)
            except OSError:  # taken there: try another pair; the first one is kept so that it is not offered again
                continue
            return number
        raise OSError("no TCP port is free in both families")

    def _reserve_ipv6(self, number: int) -> None:
        if not socket.has_ipv6:
            return
        try:
            six = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        except OSError:  # a kernel without IPv6
            return
        self._sockets.append(six)
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        six.bind(("::", number))

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


def source_for(address: Address) -> Address:
    """The address that the kernel would send from. A connected UDP socket asks for the route; nothing is sent.

    Raises OSError (ENETUNREACH, EHOSTUNREACH, EACCES for a prohibited route …).
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((str(address), 9))
        return ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])


def local_side(block: Block, port: int) -> tuple[Local, dict[int, I64]]:
    """Our side of a block, and the address rows that have no route, by errno."""
    high, low = np.zeros_like(block.high), np.zeros_like(block.low)
    unroutable: dict[int, list[int]] = {}
    for row in range(len(block.high)):
        try:
            high[row], low[row] = split(source_for(block.address(row)))
        except OSError as error:
            unroutable.setdefault(error.errno or 0, []).append(row)
    return Local(high, low, port), {code: np.array(rows, np.int64) for code, rows in unroutable.items()}


def lookup(name: str) -> Sequence[Address]:
    """The addresses of a host name by the system's resolver. Raises OSError (socket.gaierror)."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
