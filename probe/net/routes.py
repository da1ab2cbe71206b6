"""What our own machine says about a destination, and the source port that a run may call its own."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence

import numpy as np

from probe.core.block import Block, is_ipv4, split
from probe.core.columns import I64, grouped
from probe.core.ledger import Local
from probe.errors import WireError
from probe.model import Address
from probe.net.intervals import Intervals, keys_of_halves
from probe.net.netlink import Route, prefixes, routes_to
from probe.net.rules import policy_routing


class ReservedPort:
    """A TCP port bound in both families but not listening: no live connection has it, and the kernel resets what
    answers to it, so a SYN-ACK leaves no half-open connection on the target. Raises WireError where none is free."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        try:
            self.number = self._reserve()
        except OSError as error:
            self.close()
            raise WireError(f"no TCP port could be reserved to send from: {error.strerror or error}") from error

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
    unroutable: dict[int, list[I64]] = {}
    for rows, source in _sources(block):
        if isinstance(source, int):
            unroutable.setdefault(source, []).append(rows)
        else:
            high[rows], low[rows] = split(source)
    return Local(high, low, port), {code: np.sort(np.concatenate(rows)) for code, rows in unroutable.items()}


def _sources(block: Block) -> Iterator[tuple[I64, Address | int]]:
    """Rows of addresses, and what the kernel would send there from, or the errno. Every row comes once."""
    try:
        yield from list(_by_interval(block))
    except OSError:  # no netlink: ask for each address
        for row in range(len(block.high)):
            yield np.array([row]), _tried(block.address(row))


def _by_interval(block: Block) -> Iterator[tuple[I64, Address | int]]:
    four = is_ipv4(block.high, block.low)
    table = tuple(prefixes())
    alone = policy_routing() is not None
    for version, rows in ((4, np.flatnonzero(four)), (6, np.flatnonzero(~four))):
        intervals = Intervals(version, table)
        places = intervals.places(keys_of_halves(version, block.high[rows], block.low[rows]))
        # An IPv6 source is chosen to fit the destination itself, not only its route (RFC 6724 section 5).
        if alone or version == 6 or any(part.multipath for part in table):
            places = np.arange(len(rows))
        order = np.argsort(places, kind="stable")
        first = grouped(places[order])[0]
        parts = [rows[part] for part in np.split(order, first[1:])] if rows.size else []
        for part, route in zip(parts, routes_to(block.address(part[0]) for part in parts), strict=True):
            yield part, route.source if isinstance(route, Route) else route


def _tried(address: Address) -> Address | int:
    try:
        return source_for(address)
    except OSError as error:
        return error.errno or 0


def lookup(name: str) -> Sequence[Address]:
    """The addresses of a host name by the system's resolver. Raises OSError (socket.gaierror)."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
