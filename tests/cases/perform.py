"""One case in a network of its own: built, played, measured. Runs in a process of its own, root of a user namespace."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from pathlib import Path

from probe.lab.namespaces import NEW_NET, set_namespace
from probe.lab.tools import Tool
from tests.cases import actors, children, world
from tests.cases.children import Child
from tests.cases.corpus import PLACES, Action, Case
from tests.cases.responder import Responder

LONGEST = 100.0
RATE_WINDOW = 0.1
_SYN_RECV = "03"  # include/net/tcp_states.h


@dataclass(frozen=True, slots=True)
class Job:
    """`argv` is an absolute program and its arguments; `probe` stands for our own command line. `client` asks for a
    real client's opinion too; `longest` is how many seconds the scan may take before it is ended."""

    case: str
    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    client: bool = True
    longest: float = 100.0


@dataclass
class Run:
    """What became of one scanner process."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass
class Outcome:
    """Everything that was seen of one case. `client` has [address, port, connected]; the others belong to promises."""

    case: str
    runs: list[Run] = field(default_factory=list)
    client: list[tuple[str, int, bool]] = field(default_factory=list)
    half_open: int = 0
    most_syns: int = 0
    live: bool = True
    error: str | None = None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def perform(case: Case, job: Job, nft: Tool, folder: Path) -> Outcome:
    """Builds the network, plays the case, takes the measures; the network ends with this process."""
    networks = world.raise_network(case, nft, folder)
    stage = _Stage(case, networks, nft, folder)
    scanners = [children.hold(networks["scanner"], _act(job)) for _ in range(case.scans)]
    stage.plan_actions(scanners[0])
    set_namespace(networks["scanner"], NEW_NET)
    outcome = asyncio.run(stage.play(scanners, job))
    if "half_open" in case.promise:
        outcome.half_open = _half_open(networks["target"])
    return outcome


def _act(job: Job) -> Callable[[], int]:
    if job.argv[0] != "probe":
        return children.command(job.argv, job.environment)

    def act() -> int:
        from probe.cli import main

        code = main(job.argv[1:])
        sys.stdout.flush()
        sys.stderr.flush()
        return code

    return act


class _Stage:
    """The actors of a case. Sockets and children are made here, one namespace after the other; then the loop runs."""

    def __init__(self, case: Case, networks: dict[str, int], nft: Tool, folder: Path) -> None:
        self._case, self._networks, self._nft, self._folder = case, networks, nft, folder
        self._script = None
        if case.host:
            self._script = actors.ScriptedHost(Responder(case.host), actors.packet_socket(networks["target"], "lan"))
        listen = case.network.listen.items()
        self._doors = actors.Doors(
            [door for host, kinds in listen for door in actors.open_doors(networks[host], kinds)]
        )
        ours = {ip_address(address).packed for address in PLACES["scanner"].values()}
        self._watcher = actors.Watcher(actors.packet_socket(networks["router1"], "wan"), ours)
        self._helpers: list[Child] = []

    def plan_actions(self, scanner: Child) -> None:
        for action in self._case.actions:
            self._watcher.after(action.after_syns, self._deed(action, scanner))

    def _deed(self, action: Action, scanner: Child) -> Callable[[], None]:
        if action.close:
            return lambda: self._doors.close(action.close)
        if action.stop:
            return lambda: scanner.pause(action.lasts or 1.0)
        helper = children.hold(self._networks[action.host], lambda: self._interfere(action))
        self._helpers.append(helper)
        return helper.go

    def _interfere(self, action: Action) -> int:
        """In a child: change something, and change it back."""
        network = self._networks[action.host]
        if action.link_down:
            world.cut_cable(network, action.host, action.link_down, up=False)
            time.sleep(action.lasts or 0)
            world.cut_cable(network, action.host, action.link_down, up=True)
            return 0
        self._load(action.rules)
        if action.lasts is not None:
            time.sleep(action.lasts)
            self._load("delete table inet case\n")
        return 0

    def _load(self, rules: str) -> None:
        import subprocess

        subprocess.run([self._nft.path, "-f", "-"], input=rules, text=True, env=self._nft.environment, check=True)

    async def play(self, scanners: list[Child], job: Job) -> Outcome:
        for actor in (self._script, self._doors, self._watcher):
            if actor:
                actor.start()
        outcome = Outcome(self._case.id)
        known = {PLACES[place][self._case.version] for place in ("target", "script", "other")}
        await actors.introduce([address for address in self._case.addresses if address in known])
        live = await self._call() if "live" in self._case.promise else None
        for scanner in scanners:
            scanner.go()
        judging = asyncio.create_task(actors.judge(self._case)) if job.client else None
        codes = await asyncio.gather(*(scanner.finished(job.longest) for scanner in scanners))
        outcome.runs = [_run(code, scanner) for code, scanner in zip(codes, scanners, strict=True)]
        if judging:
            outcome.client = [(address, port, got) for (address, port), got in (await judging).items()]
        outcome.most_syns = self._watcher.most_in(RATE_WINDOW)
        if live:
            outcome.live = await _answers(*live)
        return outcome

    async def _call(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that was there before the scan."""
        return await asyncio.open_connection(PLACES["target"][self._case.version], int(self._case.promise["live"]))


def _run(code: int, scanner: Child) -> Run:
    out, err = (part.decode(errors="replace") for part in scanner.written)
    return Run(code, out, err, scanner.seconds)


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    try:
        writer.write(b"still there?")
        return bool(await asyncio.wait_for(reader.read(100), 2.0))
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


def _half_open(network: int) -> int:
    """Connections of which the target still waits for the third packet, one second after the scan."""
    set_namespace(network, NEW_NET)
    deadline = time.monotonic() + 1.0
    while (number := _in_syn_recv()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return number


def _in_syn_recv() -> int:
    tables = (Path("/proc/self/net/tcp").read_text(), Path("/proc/self/net/tcp6").read_text())
    lines = [line.split() for table in tables for line in table.splitlines()]
    return sum(fields[3] == _SYN_RECV for fields in lines)


def probe_arguments(case: Case) -> list[str]:
    """What probe is asked on the command line. CASES_WIRE=packet (or xdp) holds another wire than usual to the corpus,
    and CASES_TIMEOUT=adaptive the timeouts that follow the round-trip time."""
    scan = case.scan
    adaptive = os.environ.get("CASES_TIMEOUT") == "adaptive" and case.family != "late" and case.scan.timeout <= 1.0
    return [
        "probe",
        "scan",
        *case.addresses,
        "-p",
        ",".join(map(str, case.ports)),
        *("--attempts", str(scan.attempts), "--rate", str(scan.rate)),
        *(() if adaptive else ("--timeout", f"{scan.timeout:g}s")),
        *("--wire", os.environ.get("CASES_WIRE", "auto")),
        *(() if scan.handshake else ("--no-handshake",)),
        *("-o", "jsonl:-"),
    ]
