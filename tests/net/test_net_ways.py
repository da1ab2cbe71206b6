"""Every wire sees the same world, and obeys the same rules of its own machine."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from probe.lab import Lab
from probe.net.ebpf import Program
from probe.net.wires import NAMES
from tests.net.net_world import REPOSITORY, nft, nft_tool, told

pytestmark = pytest.mark.lab

SERVER = """\
import socket
with socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True):
    print("up", flush=True)
    input()
"""


@pytest.fixture(scope="module", autouse=True)
def servers(ways: Lab) -> Iterator[None]:
    """Port 80 is open on every host, 81 is not."""
    running = []
    for host in ways.hosts:
        command = ways.command(host, [sys.executable, "-c", SERVER])
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    try:
        for server in running:
            assert server.stdout
            assert server.stdout.readline() == "up\n"
        yield
    finally:
        for server in running:
            server.communicate("\n")


OPEN, CLOSED, PROHIBITED, SILENT = "flags 0x12", "flags 0x14", ("icmp 3 13", "icmp 1 1"), "silence"
NO_ROUTE = (*3 * ("ENETUNREACH",),)
TRUTH = {
    "198.18.0.1": (OPEN, CLOSED, CLOSED),
    "198.18.1.10": (OPEN, CLOSED, PROHIBITED[0]),
    "198.18.0.10": (OPEN, CLOSED, CLOSED),
    "198.18.0.77": (SILENT, SILENT, SILENT),
    "198.19.0.1": NO_ROUTE,
    "127.0.0.1": (OPEN, CLOSED, CLOSED),
    "fd18::1": (OPEN, CLOSED, CLOSED),
    "fd18:1::10": (OPEN, CLOSED, PROHIBITED[1]),
    "fd18::10": (OPEN, CLOSED, CLOSED),
    "fd18::77": (SILENT, SILENT, SILENT),
    "fd18:9::1": NO_ROUTE,
    "::1": (OPEN, CLOSED, CLOSED),
}
WORLD = {f"{host} {port}": what for host, all_ in TRUTH.items() for port, what in zip((80, 81, 82), all_, strict=True)}


def may_load_programs() -> bool:
    try:
        Program(1).close()
    except OSError:
        return False
    return True


WIRES = NAMES if may_load_programs() else ("raw", "packet")


def chain(hook: str, rule: str) -> str:
    return f"table inet t {{\n chain c {{\n type filter hook {hook} priority 0\n {rule}\n }}\n}}\n"


@pytest.fixture(autouse=True)
def rules(ways: Lab) -> Iterator[None]:
    nft(ways, "web", chain("input", "tcp dport 82 reject with icmpx admin-prohibited"))
    yield
    nft(ways, "here", "")


def seen(lab: Lab, *wires: str) -> dict[str, dict[str, str]]:
    start = "import runpy, sys; sys.argv[1:] = {!r}; runpy.run_module('tests.net.wire_script', run_name='__main__')"
    found = told(lab, "here", start.format(list(wires)))
    assert list(found) == list(wires)
    # Once nobody has answered ARP or ND for three seconds, our own kernel says so: whoever still listens then hears it.
    gone = {"icmp 3 1": SILENT, "icmp 1 3": SILENT}
    return {wire: {to: gone.get(what, what) for to, what in answers.items()} for wire, answers in found.items()}


def test_every_wire_sees_the_same(ways: Lab) -> None:
    assert seen(ways, *WIRES) == dict.fromkeys(WIRES, WORLD)


def test_every_wire_obeys_the_rules_of_its_own_machine(ways: Lab) -> None:
    nft(ways, "here", chain("output", "tcp dport 81 drop"))
    forbidden = {key: "EPERM" for key, what in WORLD.items() if key.endswith(" 81") and what != "ENETUNREACH"}
    assert seen(ways, *WIRES) == dict.fromkeys(WIRES, WORLD | forbidden)


WATCHED = """\
import json, subprocess, sys
import numpy as np
from probe.net.wires import open_wire
from tests.net.wire_script import syns
tool, environment = {tool!r}, {environment!r}
def nft(rules):
    subprocess.run([tool, "-f", "-"], input=rules, text=True, env=environment, check=True)
wire = open_wire({wire!r}, 40000)
rows, sender, told = syns("198.18.1.10", 40000), wire._ways._frames, []
frames = []
real = sender.send
def send(interface, headers, rows):
    frames.append(len(rows))
    return real(interface, headers, rows)
sender.send = send
clock = [0.0]
wire._ways._clock = lambda: clock[0]
def turn():
    frames.clear()
    failed = {{code: part.tolist() for code, part in wire.send(rows).failed.items()}}
    told.append([sum(frames), failed])
wire.send(rows)  # makes the gateway's link address known
clock[0] = 1e6
turn()
turn()
nft({rules!r})
turn()
nft("flush ruleset")
turn()
clock[0] += 1
turn()
wire.close()
print(json.dumps(told + [[wire.why_not]]))
"""


@pytest.mark.parametrize("wire", [name for name in WIRES if name != "raw"])
def test_a_rule_that_comes_later_is_obeyed_from_the_next_batch_on(ways: Lab, wire: str) -> None:
    tool = nft_tool()
    script = WATCHED.format(
        tool=tool.path, environment=tool.environment, wire=wire, rules=chain("output", "tcp dport 81 drop")
    )
    found = told(ways, "here", script)
    one_by_the_kernel, all_by_frame, by_raw_socket = [2, {}], [3, {}], [0, {"1": [1]}]
    assert found[:3] == [one_by_the_kernel, all_by_frame, by_raw_socket]
    assert found[3] == [0, {}]  # that the rules have gone is looked at a moment later
    assert found[4:] == [one_by_the_kernel, [None]]


KILLED = """\
import os, select, signal, socket
from probe.net.xdp import XdpDevices
devices = XdpDevices(40000, select.epoll())
assert devices._open(socket.if_nametoindex("wan"))
os.kill(os.getpid(), signal.SIGKILL)
"""
AFTER = """\
import json, select, socket
from probe.net.xdp import XdpDevices
first, second = (XdpDevices(40000, select.epoll()) for _ in range(2))
told = [bool(each._open(socket.if_nametoindex("wan"))) for each in (first, second)]
first.close()
second.close()
print(json.dumps(told))
"""


@pytest.mark.skipif("xdp" not in WIRES, reason="no BPF programs here")
def test_the_program_goes_with_its_process_however_that_ends(ways: Lab) -> None:
    """An interface has one program only: a second is refused while the first one is there."""
    assert ways.run("here", [sys.executable, "-c", KILLED], cwd=REPOSITORY, timeout=30).returncode == -signal.SIGKILL
    assert told(ways, "here", AFTER) == [True, False]


MANY = """\
import ipaddress, json, time
import numpy as np
from probe.core.replies import parse
from probe.core import frames as f
from probe.core.block import split
from probe.net.craft import syn_templates
from probe.net.netlink import route_to
from probe.net.wires import open_wire
wire = open_wire({wire!r}, 40000)
to = ipaddress.ip_address("198.18.1.10")
ends = [tuple(np.full(4000, half, np.uint64) for half in split(each)) for each in (route_to(to).source, to)]
ports = np.arange(1000, 5000, dtype=np.uint16)
rows = f.syn4(syn_templates().ipv4, f.Stamp(*ends, 40000, ports, ports.astype(np.uint32), 1))
heard, end = set(), time.monotonic() + 10
while len(heard) < 4000 and time.monotonic() < end:
    left = rows[~np.isin(ports, list(heard))]
    wire.send(left)
    pause = time.monotonic() + 0.2
    while time.monotonic() < pause:
        while (batch := wire.receive()) is not None:
            heard |= set(parse(batch).tcp.sport.tolist())
wire.close()
print(json.dumps(len(heard)))
"""


@pytest.mark.parametrize("wire", WIRES)
def test_a_long_batch_leaves_by_every_thread_and_comes_back(ways: Lab, wire: str) -> None:
    """So many that both threads of the fast wires have parts to send."""
    assert told(ways, "here", MANY.format(wire=wire)) == 4000
