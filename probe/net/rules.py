"""Whether this machine itself has a say in what leaves it: then packets must go the way that hears it.

A packet socket hands frames to the device, past the firewall's output chains, policy routing, IPsec and traffic control
(packet(7), PACKET_QDISC_BYPASS). What those would have done to a packet cannot be computed here. The rule is therefore
plain: frames are only used where there is nothing to be obeyed. Any doubt, such as no right to look, counts as rules.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from probe.net.nlmsg import Message, Netlink, attributes

NETLINK_NETFILTER, NETLINK_XFRM = 12, 6
_GETCHAIN, _NEWCHAIN = 10 << 8 | 4, 10 << 8 | 3  # NFNL_SUBSYS_NFTABLES, NFT_MSG_… (linux/netfilter/nf_tables.h)
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_USE, _HOOK_NUMBER = 1, 3, 4, 5, 6, 1
_NF_ACCEPT = 1
_INET, _IPV4, _NETDEV, _IPV6 = 1, 2, 5, 10  # NFPROTO_
# In, out and after routing: a reset that our kernel sends for us is on its way in and out too. Ingress and egress.
_HOOKS = {_INET: (1, 3, 4, 5), _IPV4: (1, 3, 4), _IPV6: (1, 3, 4), _NETDEV: (0, 1)}
_RTM_NEWRULE, _RTM_GETRULE, _RTM_NEWQDISC, _RTM_GETQDISC = 32, 34, 36, 38
_XFRM_GETPOLICY = 0x15
_RULE = struct.Struct("=8BI")  # fib_rule_hdr: family, both prefix lengths, TOS, table, two unused, action, flags
_RULE_HARMLESS = {6, 14, 15, 21}  # FRA_PRIORITY, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_PROTOCOL
_TABLES = (253, 254, 255)  # default, main, local
_TCMSG = struct.Struct("=BxxxiIII")
_TCA_KIND = 1
_QUEUES = ("noqueue", "pfifo_fast", "fq_codel", "fq", "mq", "pfifo", "bfifo", "noop", "ingress")  # these only queue

# The kernel's announcements of any change to the above: RTNLGRP_LINK, _TC, _IPV4_ROUTE, _IPV4_RULE, _IPV6_ROUTE,
# _IPV6_RULE; NFNLGRP_NFTABLES. As bits, which is how bind wants them.
ROUTE_GROUPS = sum(1 << (group - 1) for group in (1, 4, 7, 8, 11, 19))
NFTABLES_GROUP = 1 << (7 - 1)


class Say(Struct, frozen=True):
    """`why` names the first thing found that has a say in every packet, None where nothing has; `closed` are the
    interfaces whose traffic is shaped or filtered."""

    why: str | None
    closed: frozenset[int]


def local_say() -> Say:
    """What this machine has to say now. Raises nothing: what cannot be read counts as rules."""
    for look in (_nftables, _xtables, policy_routing, _ipsec):
        if why := _tried(look):
            return Say(why, frozenset())
    try:
        return Say(None, shaped())
    except OSError as error:
        return Say(f"traffic control cannot be read ({error.strerror})", frozenset())


def _tried(look: Callable[[], str | None]) -> str | None:
    try:
        return look()
    except PermissionError:
        return "whether the local firewall has rules cannot be seen without the right to administer the network"
    except OSError as error:
        return f"whether the local firewall has rules cannot be seen ({error.strerror})"


def _nftables() -> str | None:
    try:
        with Netlink(NETLINK_NETFILTER) as kernel:
            found = kernel.dump(_GETCHAIN, struct.pack(">BBH", socket.AF_UNSPEC, 0, 0))
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL):  # a kernel without nftables
            return None
        raise
    return next(read_chains(found), None)


def read_chains(found: Iterable[Message]) -> Iterator[str]:
    """Each chain of a dump that may stop or change a packet that leaves, or that comes for us."""
    for message in found:
        if message.kind != _NEWCHAIN or len(message.payload) < 4:
            continue
        chain = attributes(message.payload, 4)
        number = attributes(chain.get(_CHAIN_HOOK, b""), 0).get(_HOOK_NUMBER)
        if number is None or _be32(number) not in _HOOKS.get(message.payload[0], ()):
            continue
        if _be32(chain.get(_CHAIN_USE, b"")) != 0 or _be32(chain.get(_CHAIN_POLICY, b"\0\0\0\1")) != _NF_ACCEPT:
            names = (
                chain.get(kind, b"?").rstrip(b"\0").decode("utf-8", "replace") for kind in (_CHAIN_TABLE, _CHAIN_NAME)
            )
            yield f"the local firewall has rules (nftables chain {' '.join(names)!r})"


def _xtables() -> str | None:
    for name in ("ip_tables_names", "ip6_tables_names"):
        path = Path("/proc/net", name)
        if path.exists() and (tables := path.read_text().split()):
            return f"the local firewall has rules (iptables table {tables[0]!r})"
    return None


def policy_routing() -> str | None:
    """Raises OSError."""
    with Netlink(socket.NETLINK_ROUTE) as kernel:
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                found = kernel.dump(_RTM_GETRULE, _RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
            except OSError as error:
                if error.errno != errno.EAFNOSUPPORT:
                    raise
                continue
            if any(is_policy(message) for message in found):
                return "routing depends on more than the destination (ip rule)"
    return None


def is_policy(message: Message) -> bool:
    """Whether a routing rule is more than a look into one of the three usual tables."""
    if message.kind != _RTM_NEWRULE or len(message.payload) < _RULE.size:
        return True
    _, to, source, tos, table, _, _, action, flags = _RULE.unpack_from(message.payload)
    usual = (to, source, tos, action, flags) == (0, 0, 0, 1, 0) and table in _TABLES
    return not (usual and attributes(message.payload, _RULE.size).keys() <= _RULE_HARMLESS)


def _ipsec() -> str | None:
    try:
        with Netlink(NETLINK_XFRM) as kernel:
            return "IPsec policies may claim packets" if kernel.dump(_XFRM_GETPOLICY, b"") else None
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL):
            return None
        raise


def shaped() -> frozenset[int]:
    """The interfaces that have more than a plain queue. Raises OSError."""
    with Netlink(socket.NETLINK_ROUTE) as kernel:
        return frozenset(read_shaped(kernel.dump(_RTM_GETQDISC, _TCMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0))))


def read_shaped(found: Iterable[Message]) -> Iterator[int]:
    """What is readable of a dump."""
    for message in found:
        if message.kind == _RTM_NEWQDISC and len(message.payload) >= _TCMSG.size:
            kind = (
                attributes(message.payload, _TCMSG.size).get(_TCA_KIND, b"?").rstrip(b"\0").decode("ascii", "replace")
            )
            if kind not in _QUEUES:
                yield _TCMSG.unpack_from(message.payload)[1]


def _be32(data: bytes) -> int | None:
    return int.from_bytes(data, "big") if len(data) == 4 else None


class Watch:
    """Hears of every change of routes, rules, links, traffic control and the firewall. Raises OSError."""

    def __init__(self) -> None:
        self._route = Netlink(socket.NETLINK_ROUTE, ROUTE_GROUPS)
        try:
            self._filter = Netlink(NETLINK_NETFILTER, NFTABLES_GROUP)
        except BaseException:
            self._route.close()
            raise

    def heard(self) -> bool:
        """Whether anything changed since the last call."""
        return self._route.heard() | self._filter.heard()

    def close(self) -> None:
        self._route.close()
        self._filter.close()
