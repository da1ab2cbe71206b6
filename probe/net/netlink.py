"""What the kernel knows of the way to an address: its route, its neighbours, its links (rtnetlink(7)).

Asked, not guessed: rules, tables and source address selection are the kernel's own, and so is the errno of a
destination that has no way. Nothing is sent to anybody.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from probe.model import Address
from probe.net.nlmsg import Message, Netlink, attribute, attributes

RTM_NEWLINK, RTM_GETLINK, RTM_NEWROUTE, RTM_GETROUTE, RTM_NEWNEIGH, RTM_GETNEIGH = 16, 18, 24, 26, 28, 30
NUD_INCOMPLETE, NUD_FAILED = 0x01, 0x20  # linux/neighbour.h
NUD_VALID = 0xDE  # every state with a link address to use, whether it was confirmed lately or not (net/neighbour.h)
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772  # linux/if_arp.h

_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_MULTIPATH, _RTA_VIA, _RTA_ENCAP = 1, 4, 5, 7, 9, 18, 22
_RTN_UNICAST = 1
_NDA_DST, _NDA_LLADDR = 1, 2
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_CARRIER = 1, 3, 4, 33
_IFF_UP = 0x1
_ROUTE = struct.Struct("=8BI")  # rtmsg: family, both prefix lengths, TOS, table, protocol, scope, type, flags
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg: family, interface, state, flags, type
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
# The type of a route that leads nowhere, and what a program that sends by it is told: net/ipv6/route.c answers with
# the type, net/ipv4/route.c with the errno (fib_props in net/ipv4/fib_semantics.c).
_NOWHERE = {6: errno.EINVAL, 7: errno.EHOSTUNREACH, 8: errno.EACCES, 9: errno.EAGAIN}
_AT_ONCE = 64  # requests in one datagram: their answers must fit our receive queue


class Route(Struct, frozen=True):
    """The way to one address. `source` is what the kernel would send from, `gateway` None where the address is on the
    link itself, `interface` an index. `plain`: a packet goes out there as it is, to one host, in no tunnel."""

    source: Address
    gateway: Address | None
    interface: int
    plain: bool = True


class Neighbour(Struct, frozen=True):
    """`state` is one NUD_ bit, `lladdr` the link address, empty while it is not known."""

    state: int
    lladdr: bytes

    @property
    def usable(self) -> bool:
        return bool(self.state & NUD_VALID and self.lladdr)


class Link(Struct, frozen=True):
    """A network interface; `kind` is an ARPHRD_ number, `mtu` in bytes, `carrier` as far as the driver knows."""

    name: str
    kind: int
    mtu: int
    up: bool
    carrier: bool
    mac: bytes


def route_to(address: Address) -> Route:
    """The way to an address. Raises OSError (ENETUNREACH, EHOSTUNREACH, EACCES …) as sending there would."""
    (found,) = routes_to([address])
    if isinstance(found, int):
        raise OSError(found, os.strerror(found))
    return found


def routes_to(addresses: Iterable[Address]) -> Iterator[Route | int]:
    """The way to each address, in order, or the errno that sending there would give. Raises OSError."""
    remaining = iter(addresses)
    with Netlink(socket.NETLINK_ROUTE) as kernel:
        while some := list(islice(remaining, _AT_ONCE)):
            for address, answer in zip(some, kernel.ask(RTM_GETROUTE, [_wanted(each) for each in some]), strict=True):
                yield _errno(answer) or _route(answer, address) or errno.EPROTO


def _wanted(address: Address) -> bytes:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    header = _ROUTE.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    return header + attribute(_RTA_DST, address.packed)


def _errno(answer: Message) -> int | None:
    if answer.error is not None:
        return answer.error or errno.EPROTO
    if answer.kind != RTM_NEWROUTE or len(answer.payload) < _ROUTE.size:
        return errno.EPROTO
    return _NOWHERE.get(answer.payload[7])


def _route(answer: Message, address: Address) -> Route | None:
    found = attributes(answer.payload, _ROUTE.size)
    # Without an own address of that family on the link the kernel has none to offer, and could not send either.
    source, interface = _address(found.get(_RTA_PREFSRC, b"")), _u32(found.get(_RTA_OIF, b""))
    gateway = _address(found.get(_RTA_GATEWAY, b"")) or _address(found.get(_RTA_VIA, b"")[2:])
    if source is None or interface is None:
        return None
    plain = answer.payload[7] == _RTN_UNICAST and not found.keys() & {_RTA_MULTIPATH, _RTA_ENCAP}
    return Route(source, None if gateway == address else gateway, interface, plain)


class Prefix(Struct, frozen=True):
    """The destinations of one line of a routing table; `multipath`: the kernel picks one of several ways for each."""

    first: int
    last: int
    version: int
    multipath: bool


def prefixes() -> Iterator[Prefix]:
    """The destinations of all lines of all routing tables: between two bounds of theirs, every address goes one way.

    Raises OSError.
    """
    with Netlink(socket.NETLINK_ROUTE) as kernel:
        for family in (socket.AF_INET, socket.AF_INET6):
            yield from read_prefixes(kernel.dump(RTM_GETROUTE, _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)))


def read_prefixes(found: Iterable[Message]) -> Iterator[Prefix]:
    """What is readable of a dump."""
    for message in found:
        if message.kind == RTM_NEWROUTE and len(message.payload) >= _ROUTE.size:
            version = 4 if message.payload[0] == socket.AF_INET else 6
            bits = 32 if version == 4 else 128
            values = attributes(message.payload, _ROUTE.size)
            free = bits - min(bits, message.payload[1])
            first = int.from_bytes(values.get(_RTA_DST, b"")[: bits // 8], "big") >> free << free
            yield Prefix(first, first | (1 << free) - 1, version, _RTA_MULTIPATH in values)


def neighbours() -> dict[tuple[int, Address], Neighbour]:
    """The ARP and ND tables, by (interface, address). Raises OSError."""
    with Netlink(socket.NETLINK_ROUTE) as kernel:
        return dict(read_neighbours(kernel.dump(RTM_GETNEIGH, _NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0))))


def read_neighbours(found: Iterable[Message]) -> Iterator[tuple[tuple[int, Address], Neighbour]]:
    """What is readable of a dump."""
    for message in found:
        if message.kind == RTM_NEWNEIGH and len(message.payload) >= _NEIGHBOUR.size:
            _, interface, state, _, _ = _NEIGHBOUR.unpack_from(message.payload)
            values = attributes(message.payload, _NEIGHBOUR.size)
            address = _address(values.get(_NDA_DST, b""))
            if address:
                yield (interface, address), Neighbour(state, values.get(_NDA_LLADDR, b""))


def unanswered(addresses: Sequence[Address]) -> set[Address]:
    """Those whose next hop was asked for its link address and did not answer: FAILED, or INCOMPLETE still.

    Asked soon after the packets: the kernel keeps a failed neighbour only while its table is nearly empty
    (gc_thresh1, 128 entries). What has no route, or whose route takes no neighbour, is not among them. Raises OSError.
    """
    silent = {key for key, entry in neighbours().items() if entry.state & (NUD_INCOMPLETE | NUD_FAILED)}
    if not silent:
        return set()
    ways = zip(addresses, routes_to(addresses), strict=True)
    return {to for to, way in ways if isinstance(way, Route) and (way.interface, way.gateway or to) in silent}


def links() -> dict[int, Link]:
    """Every interface by its index. Raises OSError."""
    with Netlink(socket.NETLINK_ROUTE) as kernel:
        return dict(read_links(kernel.dump(RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0))))


def read_links(found: Iterable[Message]) -> Iterator[tuple[int, Link]]:
    """What is readable of a dump."""
    for message in found:
        if message.kind == RTM_NEWLINK and len(message.payload) >= _LINK.size:
            _, kind, index, flags, _ = _LINK.unpack_from(message.payload)
            values = attributes(message.payload, _LINK.size)
            name = values.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "replace")
            carrier = values.get(_IFLA_CARRIER, b"\1") != b"\0"
            mtu = _u32(values.get(_IFLA_MTU, b"")) or 0
            yield index, Link(name, kind, mtu, bool(flags & _IFF_UP), carrier, values.get(_IFLA_ADDRESS, b""))


def _address(data: bytes) -> Address | None:
    if len(data) == 4:
        return ipaddress.IPv4Address(data)
    return ipaddress.IPv6Address(data) if len(data) == 16 else None


def _u32(data: bytes) -> int | None:
    return int(struct.unpack("=I", data)[0]) if len(data) == 4 else None
