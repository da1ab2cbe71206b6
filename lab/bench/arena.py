"""Where the scanners race: one host to scan from, one that has 65,536 addresses, and what is true of their ports.

    scanner 198.18.0.1 ── 198.18.0.2 target, which answers for 198.19.0.0/16 and 198.18.65.0/24

The target's kernel answers for every address (AnyIP: a local route to a whole network), and drops some packets to the
smaller one. Nothing leads elsewhere. Like a real network it is never quite still: masscan's receiver sleeps until a
packet comes, and would never end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from probe import lab as labs
from probe.lab import Lab
from probe.lab.tools import provide

REPOSITORY = Path(__file__).resolve().parents[2]
TOPOLOGY = """\
version: 1
name: speed
networks: {cable: [198.18.0.0/24]}
hosts:
  scanner: {links: {cable: [198.18.0.1]}, routes: {198.19.0.0/16: [198.18.0.2], 198.18.65.0/24: [198.18.0.2]}}
  target: {links: {cable: [198.18.0.2]}, sysctl: {net.ipv4.tcp_syncookies: "2"}}
"""
# A link address that nobody has: the target's kernel throws the frame away at once, and nobody answers.
SINK = ("198.18.0.99", "02:00:00:00:00:99")

OpenPorts = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Job:
    """What is scanned; `open` is the truth. `seconds` bounds a contender's run."""

    name: str
    about: str
    hosts: str
    ports: str
    probes: int
    open: OpenPorts
    seconds: float = 60


def _hosts(network: str, first: int, count: int) -> list[str]:
    base = int(IPv4Network(network).network_address)
    return [str(IPv4Address(base + first + n)) for n in range(count)]


def _pairs(hosts: list[str], ports: list[int]) -> OpenPorts:
    return frozenset((host, port) for host in hosts for port in ports)


_MANY = list(range(7, 65536, 1310))
_FEW = list(range(11, 1001, 99))
_LATE = list(range(500, 20001, 1000))
_HALF = [21, 41, 61, 81, 101]
_EVERYWHERE = 80

JOBS = [
    Job("sink", "packets into nothing, as fast as they go", "198.18.64.0/24", "1-8000", 256 * 8000, frozenset()),
    Job("ports", "65,535 ports × 1 host", "198.19.0.1", "1-65535", 65535, _pairs(["198.19.0.1"], _MANY)),
    Job(
        "net",
        "1,000 ports × 256 hosts",
        "198.19.1.0/24",
        "1-1000",
        256_000,
        _pairs(_hosts("198.19.1.0/24", 0, 256), _FEW) | _pairs(["198.19.1.10"], [_EVERYWHERE]),
    ),
    Job(
        "hosts",
        "1 port × 65,536 hosts",
        "198.19.0.0/16",
        str(_EVERYWHERE),
        65536,
        _pairs([f"198.19.{n}.10" for n in range(256)], [_EVERYWHERE]),
    ),
    Job(
        "filtered",
        "a filtered host, 20 of 20,000 ports open",
        "198.18.65.1",
        "1-20000",
        20000,
        _pairs(["198.18.65.1"], _LATE),
    ),
    Job(
        "half",
        "20 hosts × 200 ports, half of them dropped",
        "198.18.65.20-198.18.65.39",
        "1-200",
        4000,
        _pairs(_hosts("198.18.65.0/24", 20, 20), _HALF),
    ),
    Job(
        "answers",
        "65,535 ports × 16 hosts, nearly all closed",
        "198.19.4.0/28",
        "1-65535",
        16 * 65535,
        _pairs(["198.19.4.10"], [_EVERYWHERE]),
    ),
]

_RULES = f"""\
table ip bench {{
    set late {{
        type inet_service
        elements = {{ {", ".join(map(str, _LATE))} }}
    }}
    chain input {{
        type filter hook input priority 0
        ip daddr 198.18.65.1 tcp dport != @late drop
        ip daddr 198.18.65.20-198.18.65.39 tcp dport {{ {", ".join(map(str, range(2, 201, 2)))} }} drop
    }}
}}
"""

_PREPARE = """\
import sys
from pyroute2 import IPRoute
with IPRoute() as kernel:
    index = kernel.link_lookup(ifname="cable")[0]
    if sys.argv[1] == "target":
        lo = kernel.link_lookup(ifname="lo")[0]
        for network in ("198.19.0.0/16", "198.18.65.0/24"):
            kernel.route("add", dst=network, oif=lo, type="local", table=255, scope="host")
    else:
        kernel.neigh("add", dst=sys.argv[2], lladdr=sys.argv[3], ifindex=index, state=0x80)
        kernel.route("add", dst="198.18.64.0/24", gateway=sys.argv[2])
"""
_SERVE = """\
import json, resource, select, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held = []
for host, port in json.loads(sys.stdin.readline()):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(64)
    held.append(sock)
print("up", flush=True)
tick = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while not select.select([sys.stdin], [], [], 0.05)[0]:
    try:
        tick.sendto(b"", ("198.18.0.1", 9))
    except OSError:
        continue
"""


@contextmanager
def arena() -> Iterator[Lab]:
    """The two hosts, ready. Raises LabError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speed.yaml")
        path.write_text(TOPOLOGY)
        with labs.up(labs.load(str(path)), owner="process") as lab, _serving(lab):
            yield lab


@contextmanager
def _serving(lab: Lab) -> Iterator[None]:
    for host, *arguments in (("target",), ("scanner", *SINK)):
        _check(lab.run(host, [sys.executable, "-c", _PREPARE, host, *arguments]))
    nft = provide(["nft"], {"nft": "nftables"}, REPOSITORY)["nft"]
    _check(lab.run("target", ["env", *_assignments(nft.environment), nft.path, "-f", "-"], input=_RULES))
    wanted = sorted(set().union(*(job.open for job in JOBS)))
    command = lab.command("target", [sys.executable, "-c", _SERVE])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        server.stdin.write(json.dumps(wanted) + "\n")
        server.stdin.flush()
        assert server.stdout.readline() == "up\n"
        yield
        server.stdin.close()


def _assignments(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def _check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise SystemExit(done.stderr)
