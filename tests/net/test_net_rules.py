"""Whether this machine has a say in what leaves it: every way of having one is noticed, and nothing else is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab import Lab
from probe.net import rules
from probe.net.nlmsg import Message, attribute
from probe.net.rules import is_policy, local_say, read_chains, read_shaped
from tests.net.net_world import nft, nft_tool, told

INET, IPV4, ARP, NETDEV, BRIDGE, IPV6 = 1, 2, 3, 5, 7, 10
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)
DROP, ACCEPT = 0, 1


def chain(family: int, hook: int | None, uses: int, policy: int | None) -> Message:
    number = attribute(4, attribute(1, struct.pack(">I", hook))) if hook is not None else b""
    word = attribute(5, struct.pack(">I", policy)) if policy is not None else b""
    names = attribute(1, b"table\0") + attribute(3, b"chain\0")
    payload = bytes([family, 0, 0, 0]) + names + number + word + attribute(6, struct.pack(">I", uses))
    return Message(10 << 8 | 3, 2, 1, payload)


@pytest.mark.parametrize(
    ("family", "hook", "uses", "policy", "found"),
    [
        (INET, OUTPUT, 1, ACCEPT, True),
        (INET, OUTPUT, 0, DROP, True),
        (INET, OUTPUT, 0, ACCEPT, False),
        (IPV4, POSTROUTING, 2, ACCEPT, True),
        (IPV6, INPUT, 2, ACCEPT, True),
        (NETDEV, 1, 1, ACCEPT, True),  # egress
        (IPV4, FORWARD, 9, DROP, False),
        (IPV4, PREROUTING, 9, ACCEPT, False),
        (ARP, 1, 9, DROP, False),
        (BRIDGE, OUTPUT, 9, DROP, False),
        (INET, None, 9, None, False),  # a chain that nothing leads to by itself
    ],
)
def test_chains(family: int, hook: int | None, uses: int, policy: int | None, found: bool) -> None:
    said = list(read_chains([chain(family, hook, uses, policy)]))
    assert said == (["the local firewall has rules (nftables chain 'table chain')"] if found else [])


def rule(to: int = 0, source: int = 0, tos: int = 0, table: int = 254, action: int = 1, extra: bytes = b"") -> Message:
    payload = struct.pack("=8BI", 2, to, source, tos, table, 0, 0, action, 0)
    return Message(32, 2, 1, payload + attribute(6, bytes(4)) + attribute(15, bytes(4)) + extra)


@pytest.mark.parametrize(
    ("message", "policy"),
    [
        (rule(), False),
        (rule(table=255), False),
        (rule(table=253), False),
        (rule(table=100), True),
        (rule(to=8), True),
        (rule(source=8), True),
        (rule(tos=4), True),
        (rule(action=6), True),
        (rule(extra=attribute(10, bytes(4))), True),  # FRA_FWMARK
        (Message(32, 2, 1, b"short"), True),
    ],
)
def test_routing_rules(message: Message, policy: bool) -> None:
    assert is_policy(message) is policy


@given(st.lists(st.builds(Message, st.integers(0, 3000), st.just(0), st.just(1), st.binary(max_size=60))))
def test_garbage_never_raises(found: list[Message]) -> None:
    list(read_chains(found)), list(read_shaped(found)), [is_policy(message) for message in found]


def test_what_cannot_be_seen_counts_as_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(rules, "Netlink", refuse)
    assert "cannot be seen without the right" in (local_say().why or "")


SCRIPT = """\
import json, subprocess
from pyroute2 import IPRoute
from probe.net.rules import Watch, local_say
tool, environment = {tool!r}, {environment!r}
def nft(rules):
    subprocess.run([tool, "-f", "-"], input=rules, text=True, env=environment, check=True)
watch, said = Watch(), []
def look(name):
    say = local_say()
    said.append([name, watch.heard(), watch.heard(), say.why and say.why.split(" (")[0], len(say.closed)])
kernel = IPRoute()
wan = kernel.link_lookup(ifname="wan")[0]
look("nothing")
nft("table inet t {{ chain c {{ type filter hook output priority 0; }}; }}\\n")
look("an empty chain")
nft("add rule inet t c tcp dport 81 counter\\n")
look("a rule")
nft("flush ruleset")
look("none again")
kernel.rule("add", table=100, priority=5, fwmark=1)
look("a routing rule")
kernel.rule("del", table=100, priority=5, fwmark=1)
look("none again")
kernel.route("add", dst="198.18.77.0/24", gateway="198.18.0.1")
look("a route")
kernel.route("del", dst="198.18.77.0/24", gateway="198.18.0.1")
kernel.tc("add", "clsact", wan)
look("a place for filters")
kernel.tc("del", "clsact", wan)
look("none again")
kernel.close()
watch.close()
print(json.dumps(said))
"""


@pytest.mark.lab
def test_a_real_kernels_rules(ways: Lab) -> None:
    nft(ways, "here", "")
    tool = nft_tool()
    found = told(ways, "here", SCRIPT.format(tool=tool.path, environment=tool.environment))
    firewall, policy = "the local firewall has rules", "routing depends on more than the destination"
    assert found == [
        ["nothing", False, False, None, 0],
        ["an empty chain", True, False, None, 0],
        ["a rule", True, False, firewall, 0],
        ["none again", True, False, None, 0],
        ["a routing rule", True, False, policy, 0],
        ["none again", True, False, None, 0],
        ["a route", True, False, None, 0],
        ["a place for filters", True, False, None, 1],
        ["none again", True, False, None, 0],
    ]
