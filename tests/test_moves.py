"""Services that moved, with real SSH servers and their keys: the five words of a service expectation, and `find`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from probe import lab as labs
from probe.judge import ServiceWatch
from probe.lab import Lab
from probe.model import (
    AddressRange,
    Cause,
    Conversation,
    Evidence,
    Expectation,
    Finding,
    Handshake,
    HostKey,
    PortKey,
    Reason,
    Service,
    State,
    Target,
    Verdict,
)

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parent.parent
PATIENCE = 60
HOME, MOVED, GONE, IMPOSTOR, REKEYED = (f"198.18.7.{last}" for last in (20, 30, 40, 50, 60))
Record = dict[str, Any]


@pytest.fixture(scope="module")
def network() -> Iterator[Lab]:
    with labs.up(labs.load(str(REPOSITORY / "lab/moves.yaml")), owner="process") as lab:
        yield lab


def probe(lab: Lab, *arguments: str) -> tuple[int, list[Record]]:
    """The exit code and the records of one command on the desk."""
    command = [sys.executable, "-m", "probe", *arguments, "-o", "jsonl:-"]
    done = lab.run("desk", command, timeout=PATIENCE, cwd=REPOSITORY)
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def run(lab: Lab, folder: Path, line: str, ports: str = "[22, 4982, 8821]") -> tuple[int, Record]:
    """Exit code and finding of a profile with one service expectation."""
    names = {"home": HOME, "moved": f"[{MOVED}, 'fd18:7::30']", "gone": GONE, "impostor": IMPOSTOR, "rekeyed": REKEYED}
    targets = ", ".join(f"{name}: {address}" for name, address in names.items())
    profile = folder / "moves.yaml"
    profile.write_text(
        f"version: 1\nname: moves\ntargets: {{{targets}}}\nscan: {{tcp: {ports}, timeout: 300ms}}\nexpect: [{line}]\n"
    )
    code, records = probe(lab, "run", str(profile))
    (finding,) = (record for record in records if record["type"] == "finding")
    return code, finding


def places(finding: Record) -> list[tuple[str, int]]:
    return [(place["address"], place["port"]) for place in finding["found"]]


def test_at_home_and_also_elsewhere(network: Lab, tmp_path: Path) -> None:
    code, finding = run(network, tmp_path, "{to: home, service: ssh, on: 22}")
    assert (code, finding["outcome"], finding["observed"]) == (0, "met", "home")
    assert places(finding) == [(HOME, 22), (HOME, 8821)]
    first, second = (place["identity"] for place in finding["found"])
    assert first == second
    assert first.startswith("SHA256:")
    assert f"also found at {HOME} tcp/8821 (the same server)" in finding["message"]


def test_two_servers_on_one_host_are_told_apart(network: Lab, tmp_path: Path) -> None:
    code, finding = run(network, tmp_path, "{to: rekeyed, service: ssh, on: 22}")
    assert (code, finding["outcome"], finding["observed"]) == (0, "met", "home")
    assert f"also found at {REKEYED} tcp/4982 (another server)" in finding["message"]


def test_moved(network: Lab, tmp_path: Path) -> None:
    code, finding = run(network, tmp_path, "{to: moved, service: ssh, on: 22}")
    assert (code, finding["outcome"], finding["observed"]) == (1, "violated", "moved")
    assert places(finding) == [(MOVED, 8821), ("fd18:7::30", 8821)]
    assert f"it moved to {MOVED} tcp/8821, fd18:7::30 tcp/8821; {MOVED} tcp/22 is closed" in finding["message"]
    assert "searched tcp/22, 4982, 8821 of 2 addresses" in finding["message"]


def test_moved_out_of_sight_is_gone(network: Lab, tmp_path: Path) -> None:
    code, finding = run(network, tmp_path, "{to: moved, service: ssh, on: 22}", ports="[22, 4982]")
    assert (code, finding["outcome"], finding["observed"]) == (1, "violated", "gone")
    assert "searched tcp/22, 4982 of 2 addresses" in finding["message"]


def test_gone(network: Lab, tmp_path: Path) -> None:
    code, finding = run(network, tmp_path, "{to: gone, service: ssh, on: 22}")
    assert (code, finding["outcome"], finding["observed"], finding["found"]) == (1, "violated", "gone", [])


def test_impostor(network: Lab, tmp_path: Path) -> None:
    code, finding = run(network, tmp_path, "{to: impostor, service: ssh, on: 22}")
    assert (code, finding["outcome"], finding["observed"], finding["found"]) == (1, "violated", "impostor", [])
    assert "but ftp (Twisted " in finding["message"]
    assert f") sits at {IMPOSTOR} tcp/22 now" in finding["message"]


def services(lab: Lab, address: str) -> dict[PortKey, Service]:
    """What identified itself there, read back from the records, as a baseline would be."""
    _, records = probe(lab, "scan", address, "-p", "22,4982,8821", "--timeout", "300ms")
    found = {}
    for record in records:
        if "service" in record:
            said = record["service"]
            service = Service(said["name"], said.get("product"), said.get("version"), key=HostKey(**said["key"]))
            found[PortKey(ip_address(record["address"]), "tcp", record["port"])] = service
    return found


def watched(baseline: dict[PortKey, Service], now: dict[PortKey, Service], address: str) -> Finding:
    """What becomes of ssh on 22, given what was there before and what is there now."""
    place = ip_address(address)
    target = Target("host", (AddressRange(4, int(place), int(place)),))
    watch = ServiceWatch(Expectation(1, 1, 1, "host", service="ssh", home=22), target, (22, 4982, 8821), baseline)
    for port in (22, 4982, 8821):
        service = now.get(PortKey(place, "tcp", port))
        talk = Conversation(Handshake.ANSWERED, service) if service else None
        state, cause, reason = (
            (State.OPEN, Cause.LISTENING, Reason.SYN_ACK) if service else (State.CLOSED, Cause.REFUSED, Reason.RESET)
        )
        watch.see(Verdict("host", PortKey(place, "tcp", port), state, reason, cause, Evidence(), 1, conversation=talk))
    return watch.finding()


def test_the_key_of_a_baseline_tells_who_is_at_home(network: Lab) -> None:
    """As if the host of `home` had become that of `rekeyed`, then its second server had gone too."""
    home = PortKey(ip_address(REKEYED), "tcp", 22)
    ours = services(network, HOME)[PortKey(ip_address(HOME), "tcp", 22)]
    now = services(network, REKEYED)
    assert watched({home: now[home]}, now, REKEYED).observed == "home"
    moved = watched({home: ours}, now, REKEYED)
    assert (moved.observed, [place.port for place in moved.found]) == ("moved", [4982])
    impostor = watched({home: ours}, {home: now[home]}, REKEYED)
    assert impostor.observed == "impostor"
    assert ours.key is not None
    assert f"where the baseline has key {ours.key.fingerprint}" in impostor.message


def test_the_key_is_the_one_that_ssh_keygen_prints(network: Lab) -> None:
    key = services(network, MOVED)[PortKey(ip_address(MOVED), "tcp", 8821)].key
    assert key is not None
    command = ["ssh-keygen", "-lf", str(Path(network._folder) / "ssh_key")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.split()[1] == key.fingerprint


@pytest.mark.parametrize(
    ("ports", "code", "found"),
    [("1-1024,4982,8821", 0, [(HOME, 22), (HOME, 8821), (MOVED, 8821)]), ("1-21,4982", 1, [])],
)
def test_find(network: Lab, ports: str, code: int, found: list[tuple[str, int]]) -> None:
    arguments = ["ssh", HOME, MOVED, GONE, IMPOSTOR, "-p", ports, "--timeout", "300ms"]
    done, records = probe(network, "find", *arguments)
    assert done == code
    assert [(r["address"], r["port"]) for r in records if r["type"] == "port"] == found
    (finding,) = (record for record in records if record["type"] == "finding")
    assert places(finding) == found


def test_find_says_when_it_cannot_tell(network: Lab) -> None:
    """There is no route to the one, and the other has nothing open."""
    code, records = probe(network, "find", "ssh", "198.18.99.1", GONE, "-p", "22", "--timeout", "300ms")
    assert code == 3
    assert records[-2]["observed"] == "unknown"
