"""What the lab's tests share: a small topology, and questions to the kernel about who is where."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable
from pathlib import Path

from probe.lab import Lab

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 10.0

MINI = """\
version: 1
name: mini
networks:
  wan: [198.18.0.0/24, "fd18::/64"]
  dmz: [198.18.1.0/24, "fd18:1::/64"]
hosts:
  internet:
    links: {wan: [198.18.0.10, "fd18::10"]}
    routes: {default: [198.18.0.1, "fd18::1"]}
  edge:
    links: {wan: [198.18.0.1, "fd18::1"], dmz: [198.18.1.1, "fd18:1::1"]}
    router: true
  web:
    links: {dmz: [198.18.1.10, "fd18:1::10"]}
    routes: {198.18.0.0/24: [198.18.1.1], "fd18::/64": ["fd18:1::1"]}
    services:
      raw: {run: ["{python}", "{here}/echo.py"], ready: [80]}
  mail:
    links: {dmz: [198.18.1.25]}
"""

# Says which lab it is, so that a test can tell one lab's server from another's.
ECHO = """\
import os, socket
with socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True) as door:
    while True:
        with door.accept()[0] as peer:
            peer.sendall(os.getcwd().encode())
"""


def write_mini(folder: Path, text: str = MINI) -> str:
    (folder / "echo.py").write_text(ECHO)
    (folder / "mini.yaml").write_text(text)
    return str(folder / "mini.yaml")


def processes(lab: Lab) -> list[int]:
    """A pidfd of every process that is in one of the lab's networks."""
    networks = {os.stat(f"/proc/self/fd/{descriptor}").st_ino for descriptor in lab._networks.values()}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "ns/net").stat().st_ino in networks:
                found.append(os.pidfd_open(int(entry.name)))
        except OSError:
            continue  # It ended meanwhile, or is none of ours.
    return found


def all_end(pidfds: Iterable[int]) -> bool:
    """Whether every process ends in time; a pidfd becomes readable then."""
    return all(select.select([pidfd], [], [], PATIENCE)[0] for pidfd in pidfds)


def greeting(lab: Lab, host: str, address: str, port: int = 80, ask: bytes = b"") -> str:
    """The first bytes from a port as seen by a host, or the name of the error."""
    script = (
        "import socket, sys\n"
        "try:\n"
        f"    with socket.create_connection(({address!r}, {port}), 3) as peer:\n"
        f"        peer.sendall({ask!r})\n"
        "        print(peer.recv(200).decode())\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error.errno)\n"
    )
    return lab.run(host, [sys.executable, "-c", script], timeout=PATIENCE).stdout.strip()
