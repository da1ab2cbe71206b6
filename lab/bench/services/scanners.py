"""The two who are compared, each run as a user would run it, and what they said of each port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.bench.services.fetch import UNPACKED

LONGEST = 1800.0  # seconds


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scanner says of one port; None where it says nothing."""

    name: str | None = None
    product: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """By port; `seconds` is the wall time of the whole process."""

    seen: Mapping[int, Seen]
    seconds: float


def probe(address: str, ports: Iterable[int]) -> Result:
    program = str(Path(sys.executable).parent / "probe")
    output, seconds = _timed([program, "scan", address, "-p", _listed(ports), "-o", "jsonl:-"], dict(os.environ))
    return Result(read_probe(output), seconds)


def nmap(address: str, ports: Iterable[int]) -> Result:
    root = UNPACKED / "nmap"
    libraries = sorted({str(library.parent) for library in root.rglob("*.so*")})
    environment = os.environ | {"NMAPDIR": str(root / "usr/share/nmap"), "LD_LIBRARY_PATH": ":".join(libraries)}
    command = [str(root / "usr/bin/nmap"), "-sV", "-Pn", "-n", "-p", _listed(ports), "-oX", "-", address]
    output, seconds = _timed(command, environment)
    return Result(read_nmap(output), seconds)


def read_probe(output: str) -> dict[int, Seen]:
    records = [json.loads(line) for line in output.splitlines()]
    found = {record["port"]: record.get("service", {}) for record in records if record["type"] == "port"}
    return {port: Seen(it.get("name"), it.get("product"), it.get("version")) for port, it in found.items()}


def read_nmap(output: str) -> dict[int, Seen]:
    """A name that only its table of ports suggests (method `table`) is none, and neither is `tcpwrapped`."""
    ports = ET.fromstring(output).iter("port")
    return {int(port.get("portid", "")): _nmap_service(port.find("service")) for port in ports}


def _nmap_service(service: ET.Element | None) -> Seen:
    if service is None or service.get("method") != "probed" or service.get("name") in ("tcpwrapped", "unknown"):
        return Seen()
    return Seen(service.get("name"), service.get("product"), service.get("version"))


def _listed(ports: Iterable[int]) -> str:
    return ",".join(map(str, ports))


def _timed(command: list[str], environment: dict[str, str]) -> tuple[str, float]:
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{command[0]} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout, seconds
