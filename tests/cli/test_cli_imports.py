"""What each command may import: start-up is nearly all imports, so this holds it without a clock.

A module that is named here takes 10 ms and more, or brings those that do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket
from threading import Thread

import pytest

HEAVY = {
    *("asyncio", "cryptography", "numpy", "pydantic", "pyroute2", "rich", "scapy", "sqlite3", "ssl", "yaml"),
    *("numpy.ma", "numpy.random", "probe.net.locating", "probe.services.identify"),
}
PROFILE = str(Path(__file__).resolve().parents[2] / "profiles/lab.yaml")
AFTER = "import sys; from probe.cli import main; main(sys.argv[1:]); print(*sorted(sys.modules), file=sys.stderr)"

SCAN = {"connect": {"asyncio", "ssl"}, "raw": {"asyncio", "numpy", "ssl"}}  # asyncio brings ssl
TABLE, HISTORY, ANSWERS = {"rich"}, {"sqlite3"}, {"probe.services.identify"}
WIRES = ["connect", pytest.param("raw", marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs raw sockets"))]


def imported(tmp_path: Path, *arguments: str) -> set[str]:
    """The modules that one command line has left behind."""
    environment = {"XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", AFTER, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=60)
    return set(done.stderr.splitlines()[-1].split())


@pytest.fixture
def ports() -> Iterator[tuple[str, str]]:
    """One of 127.0.0.1 that is open, and one that is closed and kept so."""
    with create_server(("127.0.0.1", 0)) as server, socket() as bound:
        bound.bind(("127.0.0.1", 0))
        greeter = Thread(target=greet, args=(server,))
        greeter.start()
        yield str(server.getsockname()[1]), str(bound.getsockname()[1])
        server.shutdown(SHUT_RDWR)
        greeter.join()


def greet(server: socket) -> None:
    """Speak first, until the fixture is done."""
    with suppress(OSError):
        while True:
            with server.accept()[0] as peer, suppress(OSError):
                peer.sendall(b"220 mail.example ESMTP Postfix\r\n")


def test_the_front_page_imports_nothing(tmp_path: Path) -> None:
    modules = imported(tmp_path, "--help")
    assert {name for name in modules if name.partition(".")[0] == "probe"} == {"probe", "probe.cli"}
    assert not modules & {"argparse", "dataclasses", *HEAVY}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["scan", "--help"], set()),
        (["run", "--help"], set()),
        (["ports", "https"], set()),
        (["check", PROFILE], {"pydantic", "yaml"}),
        (["schema"], {"pydantic"}),
        (["runs"], {"sqlite3"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_sends_nothing_is_light(tmp_path: Path, arguments: list[str], allowed: set[str]) -> None:
    assert imported(tmp_path, *arguments) & HEAVY <= allowed


@pytest.mark.parametrize("wire", WIRES)
def test_a_scan_imports_what_this_scan_needs(tmp_path: Path, ports: tuple[str, str], wire: str) -> None:
    """Exactly that: where something here is not imported any more, `SCAN` shall say so."""
    is_open, is_closed = ports
    scan = ("scan", "127.0.0.1", "--wire", wire, "-p")
    assert imported(tmp_path, *scan, is_closed) & HEAVY == SCAN[wire] | TABLE | HISTORY
    assert imported(tmp_path, *scan, is_closed, "-o", "jsonl:-", "--no-history") & HEAVY == SCAN[wire]
    assert imported(tmp_path, *scan, is_open, "-o", "jsonl:-", "--no-history") & HEAVY == SCAN[wire] | ANSWERS


@pytest.mark.skipif(os.geteuid() != 0, reason="needs raw sockets")
def test_many_ports_import_no_more_of_numpy(tmp_path: Path) -> None:
    """So many that there are a vanguard and control probes."""
    scan = ("scan", "127.0.0.1", "--wire", "raw", "--no-handshake", "-o", "jsonl:-", "--no-history")
    assert imported(tmp_path, *scan, "-p", "1-300") & HEAVY == SCAN["raw"]
