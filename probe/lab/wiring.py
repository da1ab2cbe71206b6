"""Cables, switches, addresses and routes, by netlink. pyroute2 costs 0.2 s to import: import this file late.

Two hosts on a network are joined by one cable (a veth pair); any other number by a switch, a bridge in a namespace
of its own where no host's rules can see it.
"""

from __future__ import annotations

import array
import fcntl
import itertools
import socket
import struct
from collections.abc import Iterable, Mapping
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from probe.lab.namespaces import NEW_NET, new_network, set_namespace
from probe.lab.plan import Host, Link

# linux/if_addr.h: use the address at once. Duplicate address detection would take a second, and here it has no sense.
_IFA_F_NODAD = 0x02
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_near = itertools.count(100)


def wire(hosts: Iterable[Host], networks: Mapping[str, int]) -> None:
    """Joins the hosts, whose network namespaces are given by descriptor. Raises OSError, pyroute2's NetlinkError."""
    hosts = tuple(hosts)
    sockets = {host.name: _netlink(networks[host.name]) for host in hosts}
    try:
        for name, members in _members(hosts).items():
            _join(name, members, sockets, networks)
        for host in hosts:
            _settle(host, sockets[host.name], networks[host.name])
        for host in hosts:
            _add_routes(host, sockets[host.name])
    finally:
        for each in sockets.values():
            each.close()


def _netlink(network: int) -> Any:
    """A netlink socket stays in the namespace that it was made in."""
    set_namespace(network, NEW_NET)
    return IPRoute()


def _members(hosts: Iterable[Host]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for host in hosts:
        for link in host.links:
            members.setdefault(link.network, []).append(host.name)
    return members


def _join(name: str, members: list[str], sockets: Mapping[str, Any], networks: Mapping[str, int]) -> None:
    if len(members) == 2:
        one, other = members
        sockets[one].link("add", **_cable(name, name, networks[other]))
    else:
        _switch(name, [networks[member] for member in members])


def _switch(name: str, members: list[int]) -> None:
    new_network()  # Nobody uses the descriptor, but the namespace lives by it until this process ends.
    _quiet()
    with IPRoute() as netlink:
        netlink.link("add", ifname=name, kind="bridge", br_stp_state=0, br_mcast_snooping=0)
        bridge = netlink.link_lookup(ifname=name)[0]
        netlink.link("set", index=bridge, state="up")
        for number, member in enumerate(members):
            port = f"port{number}"
            netlink.link("add", **_cable(port, name, member))
            netlink.link("set", index=netlink.link_lookup(ifname=port)[0], master=bridge, state="up")


def _cable(near: str, far: str, network: int) -> dict[str, Any]:
    """A veth pair, its far end in the namespace `network`. Near ends are numbered from 100, far ends by the kernel from
    2, so that no pair has one number twice: it would look like one device to the kernel, which then notices the carrier
    a second late, and until then drops packets (net/core/link_watch.c, linkwatch_urgent_event)."""
    return {"ifname": near, "kind": "veth", "index": next(_near), "peer": {"ifname": far, "net_ns_fd": network}}


def _quiet() -> None:
    """A switch has no addresses, and no packet filter sees what it carries."""
    for knob in (
        "ipv6/conf/default/disable_ipv6=1",
        "bridge/bridge-nf-call-iptables=0",
        "bridge/bridge-nf-call-ip6tables=0",
    ):
        path, value = knob.split("=")
        if (file := Path("/proc/sys/net", path)).exists():
            file.write_text(value)


def _settle(host: Host, netlink: Any, network: int) -> None:
    netlink.link("set", index=1, state="up")
    set_namespace(network, NEW_NET)
    for link in host.links:
        _checksum_in_software(link.network)
        _address(link, netlink)


def _address(link: Link, netlink: Any) -> None:
    index = netlink.link_lookup(ifname=link.network)[0]
    netlink.link("set", index=index, state="up")
    for text in link.addresses:
        interface = ip_interface(text)
        flags = {"flags": _IFA_F_NODAD} if interface.version == 6 else {}
        netlink.addr("add", index=index, address=str(interface.ip), prefixlen=interface.network.prefixlen, **flags)


def _add_routes(host: Host, netlink: Any) -> None:
    for route in host.routes:
        family = socket.AF_INET6 if ":" in route.to else socket.AF_INET
        netlink.route("add", family=family, dst=route.to, gateway=route.via)


def _checksum_in_software(interface: str) -> None:
    """A veth pair leaves TCP checksums to hardware that is not there, and a packet socket at the other end would see
    packets that no real cable carries. Same as `ethtool -K IFACE tx off`."""
    order = array.array("B", struct.pack("II", _ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", interface.encode(), order.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCETHTOOL, request)
