"""The network of one case, made of this machine's kernel:

    scanner ─wan─ router1 ─core─ router2 ─lan─ target        198.18.0.0/24, 198.18.1.0/24, 198.18.2.0/24
                     └─side─ other                           198.18.3.0/24, where a case speaks of it

A scripted host lives behind `target`: router2 sends 198.19.0.0/24 there, and the kernel of `target`, which neither has
these addresses nor forwards, is silent about them (net/ipv4/route.c, ip_error). Its network card is our packet socket.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

from probe.lab.builder import build
from probe.lab.namespaces import NEW_NET, set_namespace
from probe.lab.plan import Command, Host, Link, Plan, Route
from probe.lab.tools import Tool
from tests.cases.corpus import Case

_DEFAULTS = ("0.0.0.0/0", "::/0")
_SCRIPTED = ("198.19.0.0/24", "fd18:9::/64")
_LINKS = {
    "scanner": {"wan": ("198.18.0.10/24", "fd18::10/64")},
    "router1": {"wan": ("198.18.0.1/24", "fd18::1/64"), "core": ("198.18.1.1/24", "fd18:1::1/64")},
    "router2": {"core": ("198.18.1.2/24", "fd18:1::2/64"), "lan": ("198.18.2.1/24", "fd18:2::1/64")},
    "target": {"lan": ("198.18.2.10/24", "fd18:2::10/64")},
}
_SIDE = {"router1": ("198.18.3.1/24", "fd18:3::1/64"), "other": ("198.18.3.10/24", "fd18:3::10/64")}
_ROUTES = {
    "scanner": [(to, via) for to, via in zip(_DEFAULTS, ("198.18.0.1", "fd18::1"), strict=True)],
    "router1": [("198.18.2.0/24", "198.18.1.2"), ("fd18:2::/64", "fd18:1::2")]
    + [(to, via) for to, via in zip(_SCRIPTED, ("198.18.1.2", "fd18:1::2"), strict=True)],
    "router2": [(to, via) for to, via in zip(_DEFAULTS, ("198.18.1.1", "fd18:1::1"), strict=True)]
    + [(to, via) for to, via in zip(_SCRIPTED, ("198.18.2.10", "fd18:2::10"), strict=True)],
    "target": [(to, via) for to, via in zip(_DEFAULTS, ("198.18.2.1", "fd18:2::1"), strict=True)],
    "other": [(to, via) for to, via in zip(_DEFAULTS, ("198.18.3.1", "fd18:3::1"), strict=True)],
}
# A firewall that rejects answers every time; the kernel lets one ICMP error per second pass unless told otherwise.
_KNOBS = {
    "net.ipv4.icmp_ratelimit": "0",
    "net.ipv6.icmp.ratelimit": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.rp_filter": "0",
}
_FORWARD = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}


def raise_network(case: Case, nft: Tool, folder: Path) -> dict[str, int]:
    """Each host's network namespace as a descriptor; the caller must be root of a user namespace, without threads."""
    networks = build(Plan("case", case.id, "", False, tuple(_hosts(case, nft, folder))))
    for host, routes in case.network.routes.items():
        set_routes(networks[host], routes)
    return networks


def _hosts(case: Case, nft: Tool, folder: Path) -> list[Host]:
    net = case.network
    names = [*_LINKS, "other"] if {"other"} & {*net.rules, *net.listen} else [*_LINKS]
    return [_host(name, case, _rules(name, case, nft, folder), side="other" in names) for name in names]


def _host(name: str, case: Case, rules: tuple[Command, ...], side: bool) -> Host:
    links = dict(_LINKS.get(name, {}))
    if side and name in _SIDE:
        links["side"] = _SIDE[name]
    forward = _FORWARD if name.startswith("router") else {}
    return Host(
        name=name,
        sysctl={**_KNOBS, **forward, **case.network.sysctl.get(name, {})},
        links=tuple(Link(network, addresses) for network, addresses in links.items()),
        routes=tuple(Route(to, via) for to, via in _ROUTES[name]),
        rules=rules,
        daemons=(),
    )


def _rules(name: str, case: Case, nft: Tool, folder: Path) -> tuple[Command, ...]:
    if name not in case.network.rules:
        return ()
    path = folder / f"{case.id}-{name}.nft"
    path.write_text(case.network.rules[name])
    return (Command((nft.path, "-f", str(path)), nft.environment),)


def set_routes(network: int, routes: Mapping[str, str]) -> None:
    """By destination: `unreachable`, `prohibit`, `blackhole`, `gone`, or the gateway."""
    from pyroute2 import IPRoute

    set_namespace(network, NEW_NET)
    with IPRoute() as netlink:
        for to, how in routes.items():
            family = socket.AF_INET6 if ip_network(to).version == 6 else socket.AF_INET
            if how == "gone":
                netlink.route("del", family=family, dst=to)
            elif how in ("unreachable", "prohibit", "blackhole"):
                netlink.route("add", family=family, dst=to, type=how)
            else:
                netlink.route("replace", family=family, dst=to, gateway=how)


def cut_cable(network: int, host: str, cable: str, up: bool) -> None:
    """A network card of the host goes down, or comes back with the routes and addresses that it had."""
    from pyroute2 import IPRoute

    set_namespace(network, NEW_NET)
    with IPRoute() as netlink:
        index = netlink.link_lookup(ifname=cable)[0]
        netlink.link("set", index=index, state="up" if up else "down")
        if not up:
            return
        for text in _LINKS[host][cable]:  # IPv6 addresses go with the link (net.ipv6.conf.all.keep_addr_on_down)
            address, _, length = text.partition("/")
            netlink.addr("replace", index=index, address=address, prefixlen=int(length))
        for to, via in _ROUTES[host]:
            family = socket.AF_INET6 if ":" in to else socket.AF_INET
            netlink.route("replace", family=family, dst=to, gateway=via)
