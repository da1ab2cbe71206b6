"""How long people wait for nothing: what a command costs beyond what it has to wait for.

    .venv/bin/python -m lab.bench.startup

Three jobs: pages that send nothing, against a bare interpreter; one port of this machine, open (its server speaks
first) and closed, beside `nmap`, `nmap -sV` and `nc -z` where they are found (`sh lab/debs.sh nmap netcat-openbsd`
unpacks them); and 1,000 ports of a host in the office lab that drops nearly everything, where attempts × timeout is
unavoidable and the rest is ours. `connect` is what an ordinary user gets. Medians of interleaved runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from probe import lab as labs
from probe.lab.tools import find

REPOSITORY = Path(__file__).resolve().parents[2]
PROBE = str(Path(sys.executable).parent / "probe")
PROFILE = str(REPOSITORY / "profiles/lab.yaml")
ROUNDS = 15
ATTEMPTS, TIMEOUT_S = 2, 0.3

Commands = Mapping[str, list[str]]


def pages() -> None:
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "probe --help": [PROBE, "--help"],
        "probe scan --help": [PROBE, "scan", "--help"],
        "probe ports 443": [PROBE, "ports", "443"],
        "probe check": [PROBE, "check", PROFILE],
    }
    _table("pages", _medians(commands))


def one_port() -> None:
    """The whole process, from the shell's point of view: interpreter, scan, history, table."""
    with _greeter() as (is_open, is_closed):
        for state, port in (("open", is_open), ("closed", is_closed)):
            _table(f"one {state} port", _medians({**_probes(port), **dict(_peers(port))}))


def thousand_ports() -> None:
    arguments = ["-p", "1-1000", "--attempts", str(ATTEMPTS), "--timeout", f"{TIMEOUT_S}s", "--rate", "20000"]
    command = [PROBE, "scan", "198.18.1.10", *arguments, "-o", "jsonl:-"]
    whole, scan = [], []
    with labs.up(labs.load(str(REPOSITORY / "lab/office.yaml")), owner="process") as lab:
        for _ in range(5):
            began = time.perf_counter()
            done = lab.run("internet", command, check=True)
            whole.append(time.perf_counter() - began)
            scan.append(float(json.loads(done.stdout.splitlines()[-1])["duration_s"]))
    waiting = ATTEMPTS * TIMEOUT_S
    beyond = {"the scan": statistics.median(scan) - waiting, "the whole process": statistics.median(whole) - waiting}
    _table(f"1,000 ports, beyond {waiting:.1f} s of waiting", beyond)


def _probes(port: int) -> Commands:
    scan = [PROBE, "scan", "127.0.0.1", "-p", str(port)]
    return {"probe scan": scan, "probe scan, connect": [*scan, "--wire", "connect"]}


def _peers(port: int) -> Iterator[tuple[str, list[str]]]:
    """Told to do no more than is asked: no host discovery, no names."""
    if nmap := find("nmap", REPOSITORY):
        scan = [nmap.path, "-Pn", "-n", "-p", str(port), "127.0.0.1"]
        yield from (("nmap", scan), ("nmap -sV", [*scan, "-sV"]), ("nmap -sT", [*scan, "-sT"]))
    if nc := find("nc", REPOSITORY) or find("nc.openbsd", REPOSITORY):
        yield "nc -z", [nc.path, "-z", "127.0.0.1", str(port)]


@contextlib.contextmanager
def _greeter() -> Iterator[tuple[int, int]]:
    """A port of 127.0.0.1 whose server speaks first, and one that is closed and kept so."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        yield server.getsockname()[1], bound.getsockname()[1]


def _greet(server: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed by the other thread
        while True:
            peer, _ = server.accept()
            with peer, contextlib.suppress(OSError):
                peer.sendall(b"220 mail.example ESMTP Postfix\r\n")


def _medians(commands: Commands) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as state:
        ours = os.environ | {"XDG_STATE_HOME": state}
        theirs = ours | _unpacked()
        for _ in range(ROUNDS):
            for name, command in commands.items():
                times[name].append(_seconds(command, ours if command[0] in (PROBE, sys.executable) else theirs))
    return {name: statistics.median(values) for name, values in times.items()}


def _seconds(command: list[str], environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 1):  # `nc -z` ends with 1 where the port is closed
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return seconds


def _unpacked() -> dict[str, str]:
    """Where unpacked programs find their libraries (Debian keeps some in folders of their own) and nmap its data."""
    tools = REPOSITORY / ".tools"
    folders = sorted({str(library.parent) for library in tools.glob("n*/**/*.so*")})
    return {"LD_LIBRARY_PATH": os.pathsep.join(folders), "NMAPDIR": str(tools / "nmap/usr/share/nmap")}


def _table(title: str, seconds: Mapping[str, float]) -> None:
    print(f"\n{title}")
    for name, median in seconds.items():
        print(f"  {name:<22} {median * 1000:6.0f} ms")


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {ROUNDS} rounds")
    pages()
    one_port()
    thousand_ports()
