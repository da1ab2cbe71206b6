"""Who races: how each scanner is asked for a job, and how its answer is read.

Peers get the settings that are fast and miss nothing here: no name look-up, no host discovery, the gateway's link
address where they ask for it, and one second of waiting at the end (in `sink` none) instead of eight or ten. At full
speed masscan loses answers, so it races at a careful rate too.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, summarize_address_range
from pathlib import Path

from lab.bench.arena import REPOSITORY, Job, OpenPorts
from probe.lab.tools import exec_environment, find

RATE = 10_000_000  # packets a second: as fast as it goes
BEST = ("-T5", "--min-rate", "20000")  # nmap's, as `minrate` finds it


@dataclass(frozen=True, slots=True)
class Contender:
    """`command(job, output, gateway)` is None where the scanner cannot do the job; `read(output)` gives open ports."""

    name: str
    package: str
    command: Callable[[Job, Path, str], list[str] | None]
    read: Callable[[Iterable[str]], OpenPorts]


def probe(*options: str) -> Callable[[Job, Path, str], list[str] | None]:
    def command(job: Job, output: Path, _gateway: str) -> list[str]:
        last = ["--attempts", "1", "--timeout", "10ms"] if job.name == "sink" else []
        target = [sys.executable, "-m", "probe", "scan", job.hosts, "-p", job.ports, "--no-handshake", "--no-progress"]
        command = [*target, "--rate", str(RATE), "-o", "jsonl:-", *last, *options]
        return ["sh", "-c", f"exec {shlex.join(command)} > {shlex.quote(str(output))}"]

    return command


def _masscan(rate: int) -> Callable[[Job, Path, str], list[str] | None]:
    def command(job: Job, output: Path, gateway: str) -> list[str]:
        shown = ["--show", "open,closed"] if job.name == "answers" else []
        wait = "0" if job.name == "sink" else "1"
        target = ["masscan", job.hosts, "-p", job.ports, "--rate", str(rate), "--wait", wait, "-oL", str(output)]
        return [*target, "-e", "cable", "--router-mac", gateway, "--adapter-port", "61000", *shown]

    return command


def _zmap(job: Job, output: Path, gateway: str) -> list[str] | None:
    if not job.ports.isdigit() and job.name != "sink":
        return None  # this version takes one port
    port, last = ("80", "0") if job.name == "sink" else (job.ports, "1")
    again = ["-P", "8000"] if job.name == "sink" else []
    common = ["-G", gateway, "-i", "cable", "-S", "198.18.0.1", "-b", "/dev/null", "-q", "-B", "100G"]
    return ["zmap", "-p", port, "-c", last, "-o", str(output), *common, *again, job.hosts]


def nmap(*options: str, name: str | None = None) -> Contender:
    return Contender(name or " ".join(["nmap", *options]), "nmap", _nmap(*options), _read_nmap)


def _nmap(*options: str) -> Callable[[Job, Path, str], list[str] | None]:
    def command(job: Job, output: Path, _gateway: str) -> list[str] | None:
        if job.name in ("sink", "answers"):
            return None  # minutes
        return ["nmap", "-Pn", "-n", "-sS", *options, "-p", job.ports, "-oG", str(output), *_as_networks(job.hosts)]

    return command


def _as_networks(hosts: str) -> list[str]:
    first, dash, last = hosts.partition("-")
    return [str(net) for net in summarize_address_range(IPv4Address(first), IPv4Address(last))] if dash else [hosts]


def _read_probe(lines: Iterable[str]) -> OpenPorts:
    records = (json.loads(line) for line in lines if '"open"' in line)
    return frozenset((r["address"], r["port"]) for r in records if r["type"] == "port" and r["state"] == "open")


def _read_masscan(lines: Iterable[str]) -> OpenPorts:
    fields = (line.split() for line in lines if line.startswith("open "))
    return frozenset((address, int(port)) for _, _, port, address, *_ in fields)


def _read_zmap(lines: Iterable[str]) -> OpenPorts:
    return frozenset((line.strip(), 80) for line in lines if line[:1].isdigit())


def _read_nmap(lines: Iterable[str]) -> OpenPorts:
    hosts = (re.match(r"Host: (\S+) .*Ports: (.*)", line) for line in lines)
    found = ((host[1], re.findall(r"(\d+)/open/", host[2])) for host in hosts if host)
    return frozenset((address, int(port)) for address, ports in found for port in ports)


CONTENDERS = [
    Contender("probe", "", probe(), _read_probe),
    Contender("probe raw", "", probe("--wire", "raw"), _read_probe),
    Contender("probe packet", "", probe("--wire", "packet"), _read_probe),
    Contender("masscan", "masscan", _masscan(RATE), _read_masscan),
    Contender("masscan 100k", "masscan", _masscan(100_000), _read_masscan),
    Contender("zmap", "zmap", _zmap, _read_zmap),
    nmap("-T4"),
    nmap("-T5"),
    nmap(*BEST, name="nmap --min-rate"),
]


def installed(contender: Contender, argv: list[str]) -> tuple[list[str], dict[str, str]]:
    """The command with the program's path, and the environment that it wants."""
    if not contender.package:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
        return argv, environment
    tool = find(argv[0], REPOSITORY)
    if tool is None:
        raise SystemExit(f"{argv[0]} is missing: sh lab/debs.sh {contender.package}")
    environment = exec_environment(REPOSITORY)
    root = Path(tool.path).parents[2]
    # Debian's alternatives are made at installation, and nothing is installed here.
    more = [str(path) for path in root.glob("usr/lib/*-linux-gnu*/*as*") if path.is_dir()]
    environment["LD_LIBRARY_PATH"] = ":".join([environment.get("LD_LIBRARY_PATH", ""), *more])
    return [tool.path, *argv[1:]], environment | {"NMAPDIR": str(root / "usr/share/nmap")}
