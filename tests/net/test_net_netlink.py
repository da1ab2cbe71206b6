"""Routes, neighbours and links as a real kernel tells them, in networks of our own. Nothing leaves them."""

from __future__ import annotations

import os
import socket
import textwrap
from typing import Any

import pytest

from probe.lab import Lab
from tests.net.net_world import told

pytestmark = pytest.mark.lab

PREAMBLE = """\
import errno, ipaddress, json, os, select, socket, sys
from pyroute2 import IPRoute
from probe.net.netlink import *
ip = ipaddress.ip_address

def touch(addresses):
    '''Makes the kernel look for neighbours, all at once: how a connection to a port of each ends.'''
    poll = select.poll()
    socks = [socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) for address in addresses]
    for sock, address in zip(socks, addresses):
        sock.setblocking(False)
        assert sock.connect_ex((address, 9)) == errno.EINPROGRESS
    ends = []
    for sock in socks:
        poll.register(sock, select.POLLOUT)
        assert poll.poll(10_000)
        poll.unregister(sock)
        ends.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        sock.close()
    return ends
"""


def on(lab: Lab, script: str) -> Any:
    return told(lab, "here", PREAMBLE + textwrap.dedent(script))


def test_routes(ways: Lab) -> None:
    found = on(
        ways,
        """
        wan = socket.if_nametoindex("wan")
        with IPRoute() as kernel:
            for family, prefixes in ((socket.AF_INET, ("198.18.50.0/24", "198.18.51.0/24", "198.18.52.0/24")),
                                     (socket.AF_INET6, ("fd18:50::/32", "fd18:51::/32", "fd18:52::/32"))):
                for kind, prefix in zip(("unreachable", "prohibit", "blackhole"), prefixes):
                    kernel.route("add", family=family, dst=prefix, type=kind)
        asked = ["198.18.0.1", "198.18.1.10", "198.18.0.10", "127.0.0.1", "198.19.0.1", "198.18.50.1", "198.18.51.1",
                 "198.18.52.1", "fd18::1", "fd18:1::10", "fd18::10", "::1", "fd18:9::1", "fd18:50::1", "fd18:51::1",
                 "fd18:52::1"]
        def show(route):
            if isinstance(route, int):
                return errno.errorcode[route]
            place = "wan" if route.interface == wan else route.interface
            return [str(route.source), route.gateway and str(route.gateway), place]
        print(json.dumps([show(route) for route in routes_to(map(ip, asked))]))
        """,
    )
    assert found == [
        ["198.18.0.10", None, "wan"],
        ["198.18.0.10", "198.18.0.1", "wan"],
        ["198.18.0.10", None, 1],
        ["127.0.0.1", None, 1],
        "ENETUNREACH",
        "EHOSTUNREACH",
        "EACCES",
        "EINVAL",
        ["fd18::10", None, "wan"],
        ["fd18::10", "fd18::1", "wan"],
        ["fd18::10", None, 1],
        ["::1", None, 1],
        "ENETUNREACH",
        "EHOSTUNREACH",
        "EACCES",
        "EINVAL",
    ]


def test_what_routes_say_is_what_sockets_are_told(ways: Lab) -> None:
    """The slow twin: a connected UDP socket, which sends nothing."""
    found = on(
        ways,
        """
        from probe.net.routes import source_for
        def tried(look, address):
            try:
                return str(look(ip(address)))
            except OSError as error:
                return errno.errorcode[error.errno]
        asked = ["198.18.0.1", "198.18.1.10", "198.18.0.10", "127.0.0.9", "198.19.0.1", "198.18.50.1", "198.18.51.1",
                 "fd18::1", "fd18:1::10", "fd18::10", "::1", "fd18:9::1", "fd18:50::1", "fd18:51::1"]
        fast = [tried(lambda address: route_to(address).source, each) for each in asked]
        print(json.dumps([fast, [tried(source_for, each) for each in asked]]))
        """,
    )
    assert found[0] == found[1]


def test_our_side_of_many_addresses_is_asked_for_in_one_go(ways: Lab) -> None:
    """The slow twin asks for each address alone."""
    found = on(
        ways,
        """
        import numpy as np
        from probe.core.block import Block, split
        from probe.net import routes
        asked = [ip("198.18.0.0") + n for n in range(0, 3000, 7)] + [ip("198.18.0.10"), ip("127.0.0.1")]
        asked += [ip("fd18::1") + (n << 66) for n in range(40)] + [ip("fd18::10"), ip("fd18:1::7")]
        high, low = (np.array(half, np.uint64) for half in zip(*map(split, asked)))
        block = Block(high, low, np.array([80], np.uint16))
        count = []
        real = routes.routes_to
        def counted(addresses):
            addresses = list(addresses)
            count.append(len(addresses))
            return real(addresses)
        routes.routes_to = counted
        def told(answer):
            local, unroutable = answer
            return [local.high.tolist(), local.low.tolist(), {code: rows.tolist() for code, rows in unroutable.items()}]
        fast = told(routes.local_side(block, 5))
        def refuse():
            raise OSError
        routes.prefixes = refuse
        print(json.dumps([fast == told(routes.local_side(block, 5)), count[0] < 20, len(fast[2]) > 0]))
        """,
    )
    assert found == [True, True, True]


def test_many_routes_in_one_go(ways: Lab) -> None:
    found = on(
        ways,
        """
        asked = [ip("198.18.1.0") + n for n in range(200)] + [ip("198.19.0.1")]
        found = list(routes_to(asked))
        print(json.dumps([len(found), len(set(found[:-1])), found[-1]]))
        """,
    )
    assert found[:2] == [201, 1]
    assert found[2] == 101


def test_neighbours_that_answer_and_that_do_not(ways: Lab) -> None:
    found = on(
        ways,
        """
        wan = socket.if_nametoindex("wan")
        first = touch(["198.18.1.10", "fd18:1::10", "198.18.0.77", "fd18::77"])
        table = neighbours()
        known = [table[wan, ip(each)].usable for each in ("198.18.0.1", "fd18::1", "198.18.0.77", "fd18::77")]
        asked = ["198.18.1.10", "198.18.0.1", "198.18.0.77", "198.18.0.78", "fd18::77", "fd18:1::10", "198.19.0.1",
                 "127.0.0.1"]
        silent = unanswered(list(map(ip, asked)))
        lladdr = table[wan, ip("198.18.0.1")].lladdr == table[wan, ip("fd18::1")].lladdr
        print(json.dumps([first, known, sorted(map(str, silent)), lladdr]))
        """,
    )
    refused, unreachable = 111, 113
    assert found == [
        [refused, refused, unreachable, unreachable],
        [True, True, False, False],
        ["198.18.0.77", "fd18::77"],
        True,
    ]


def test_links(ways: Lab) -> None:
    found = on(
        ways,
        """
        with IPRoute() as kernel:
            kernel.link("add", ifname="spare", kind="veth", peer={"ifname": "spare1"})
        found = {link.name: link for link in links().values()}
        wan, lo, spare = found["wan"], found["lo"], found["spare"]
        print(json.dumps([wan.kind == ARPHRD_ETHER, lo.kind == ARPHRD_LOOPBACK, wan.up, wan.carrier, spare.up, wan.mtu,
                          lo.mtu, wan.mac.hex(":")]))
        with IPRoute() as kernel:
            assert kernel.get_links(ifname="wan")[0].get_attr("IFLA_ADDRESS") == wan.mac.hex(":")
            kernel.link("del", ifname="spare")
        """,
    )
    assert found[:7] == [True, True, True, True, False, 1500, 65536]
    assert len(bytes.fromhex(found[7].replace(":", ""))) == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; others run all of this anyway")
def test_nobody_may_ask_too(ways: Lab) -> None:
    found = on(
        ways,
        """
        os.setuid(65534)
        route = route_to(ip("198.18.1.10"))
        print(json.dumps([str(route.gateway), len(neighbours()) > 0, "lo" in {link.name for link in links().values()}]))
        """,
    )
    assert found == ["198.18.0.1", True, True]


def test_this_machine_has_a_loopback() -> None:
    from probe.net.netlink import ARPHRD_LOOPBACK, links

    assert links()[socket.if_nametoindex("lo")].kind == ARPHRD_LOOPBACK
