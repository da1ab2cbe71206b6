"""`probe trace` against real TCPs: every way that a handshake can go, in both families, past two real routers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from probe.cli import main
from probe.core.dissect import Segment, dissect
from probe.lab import Lab

TARGETS = {4: "198.18.2.20", 6: "fd18:2::20"}
R1 = {4: "198.18.0.1", 6: "fd18::1"}
families = pytest.mark.parametrize("family", [4, 6])
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traced:
    """What came of one command: the packets, the end, standard error."""

    packets: list[Record]
    end: Record
    errors: str

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        return [(packet["direction"], packet["name"], packet["state"]) for packet in self.packets]

    @property
    def meant(self) -> tuple[str, str, str | None, int]:
        return self.end["state"], self.end["reason"], self.end.get("cause"), self.end["exit_code"]


Traces = dict[tuple[str, int], Traced]


def trace(lab: Lab, target: str, port: int, *arguments: str) -> Traced:
    command = [sys.executable, "-m", "probe", "trace", target, str(port), *arguments, "-o", "jsonl:-"]
    done = lab.run("scanner", command, timeout=60)
    found = told(done.stdout, done.stderr)
    assert found.end["exit_code"] == done.returncode
    return found


def told(output: str, errors: str) -> Traced:
    head, *packets, end = [json.loads(line) for line in output.splitlines()]
    assert (head["type"], head["wire"]) == ("trace", "raw")
    return Traced(packets, end, errors)


ASKED = [
    *((TARGETS[family], port) for family in (4, 6) for port in (22, 80, 1101)),
    *((TARGETS[family], 1001, "--timeout", "1.5s") for family in (4, 6)),
    *((TARGETS[4], port) for port in (81, 82)),
    *((TARGETS[6], port) for port in (83, 1103)),
    (TARGETS[4], 1002, "--timeout", "300ms", "--no-locate"),
    ("198.18.0.99", 80),
]


# One process per trace, forked after the imports: those cost more than all the rest.
AT_ONCE = """
import json, os, sys
import probe.net.locating, probe.net.trace, probe.report.traces
from probe.cli import main
for number, asked in enumerate(json.loads(sys.argv[1])):
    if os.fork() == 0:
        with open(f"{number}.out", "w") as sys.stdout, open(f"{number}.err", "w") as sys.stderr:
            code = main(["trace", *map(str, asked), "-o", "jsonl:-"])
        os._exit(code)
for _ in json.loads(sys.argv[1]):
    os.wait()
"""


@pytest.fixture(scope="module")
def traced(hops: Lab, tmp_path_factory: pytest.TempPathFactory) -> Traces:
    """All of them at once: most of their time is waiting."""
    folder = tmp_path_factory.mktemp("traces")
    done = hops.run("scanner", [sys.executable, "-c", AT_ONCE, json.dumps(ASKED)], cwd=folder, timeout=60)
    assert done.returncode == 0, done.stderr
    return {
        (str(asked[0]), int(asked[1])): told((folder / f"{n}.out").read_text(), (folder / f"{n}.err").read_text())
        for n, asked in enumerate(ASKED)
    }


HANDSHAKE = [("out", "SYN", "SYN-SENT"), ("in", "SYN-ACK", "ESTABLISHED"), ("out", "ACK", "ESTABLISHED")]


@pytest.mark.lab
@families
def test_a_server_that_greets(traced: Traces, family: int) -> None:
    """doors.py never closes its half, so our side ends it with a reset."""
    found = traced[TARGETS[family], 80]
    assert found.steps[:3] == HANDSHAKE
    assert ("in", "data", "ESTABLISHED") in found.steps
    assert ("out", "FIN", "FIN-WAIT-1") in found.steps
    assert found.steps[-1] == ("out", "RST", "CLOSED")
    (data,) = [packet for packet in found.packets if packet["name"] == "data"]
    assert (data["data"], data["length"], data["seq_relative"]) == ("220 hops.test ready\\r\\n", 21, 1)
    assert (*found.meant, found.end["handshake"]) == ("open", "syn-ack", "listening", 0, "answered")


@pytest.mark.lab
@families
def test_the_numbers_of_a_handshake(traced: Traces, family: int) -> None:
    found = traced[TARGETS[family], 80]
    syn, syn_ack = found.packets[:2]
    assert (syn["ttl"], syn_ack["ttl"], syn_ack["ack"]) == (64, 62, (syn["seq"] + 1) % 2**32)
    assert (syn_ack["seq_relative"], syn_ack["ack_relative"]) == (0, 1)
    assert 0 < found.end["rtt_ms"] == pytest.approx(syn_ack["since_ms"])
    assert any(option.startswith("TS val") for option in syn["options"])


@pytest.mark.lab
def test_a_server_that_hangs_up(traced: Traces) -> None:
    found = traced[TARGETS[4], 82]
    assert found.steps[:3] == HANDSHAKE
    assert ("in", "FIN", "CLOSE-WAIT") in found.steps
    assert found.steps[-2:] == [("out", "FIN", "LAST-ACK"), ("in", "ACK", "CLOSED")]
    assert (*found.meant, found.end["handshake"]) == ("open", "syn-ack", "tcpwrapped", 0, "closed")


@pytest.mark.lab
def test_a_server_that_resets(traced: Traces) -> None:
    found = traced[TARGETS[6], 83]
    assert found.steps == [*HANDSHAKE, ("in", "RST", "CLOSED")]
    assert (*found.meant, found.end["handshake"]) == ("open", "syn-ack", "tcpwrapped", 0, "reset")


@pytest.mark.lab
def test_a_server_that_says_nothing(traced: Traces) -> None:
    found = traced[TARGETS[4], 81]
    assert found.steps[3] == ("out", "FIN", "FIN-WAIT-1")
    assert (*found.meant, found.end["handshake"]) == ("open", "syn-ack", "listening", 0, "mute")


@pytest.mark.lab
@families
def test_refused(traced: Traces, family: int) -> None:
    found = traced[TARGETS[family], 22]
    assert found.steps == [HANDSHAKE[0], ("in", "RST", "CLOSED")]
    assert found.meant == ("closed", "reset", "undetermined", 1)
    assert "from beyond 2 routers" in found.end["meaning"][0]


@pytest.mark.lab
@pytest.mark.parametrize(
    ("family", "port", "sender", "reason"),
    [
        (4, 1101, R1[4], "admin-prohibited"),
        (6, 1101, R1[6], "admin-prohibited"),
        (6, 1103, TARGETS[6], "port-unreach"),
    ],
)
def test_rejected_and_by_whom(traced: Traces, family: int, port: int, sender: str, reason: str) -> None:
    found = traced[TARGETS[family], port]
    syn, icmp = found.packets[:2]
    assert (icmp["name"], icmp["sender"], icmp["state"]) == ("ICMP", sender, "CLOSED")
    assert icmp["quoted_seq"] == syn["seq"]
    assert found.meant == ("filtered", reason, "rejected", 1)
    assert ("the host itself" if sender in TARGETS.values() else sender) in found.end["meaning"][0]


@pytest.mark.lab
@families
def test_dropped_and_where(traced: Traces, family: int) -> None:
    found = traced[TARGETS[family], 1001]
    assert found.steps == [HANDSHAKE[0]] * 2
    assert found.packets[1]["remark"] == "retransmission"
    assert 900 < found.packets[1]["since_ms"] < 1300
    assert (*found.meant, found.end["attempts"]) == ("filtered", "no-response", "dropped", 1, 2)
    assert (found.end["hop"], found.end["hop_address"]) == (1, R1[family])
    assert "SYNs of rising TTL" in found.errors


@pytest.mark.lab
def test_a_drop_is_not_located_where_that_is_not_wanted(traced: Traces) -> None:
    found = traced[TARGETS[4], 1002]
    assert "hop" not in found.end
    assert found.errors == ""


@pytest.mark.lab
def test_a_neighbour_that_is_off(traced: Traces) -> None:
    """The kernel asks for the link address three times, one second apart, and then tells itself by ICMP."""
    found = traced["198.18.0.99", 80]
    assert [packet["remark"] for packet in found.packets] == ["about a packet that never left"]
    assert found.meant == ("filtered", "host-unreach", "unreachable", 3)


@pytest.mark.lab
def test_a_rule_of_our_own_that_drops_what_comes_back(hops: Lab) -> None:
    rule = "table inet own { chain c { type filter hook input priority 0; tcp sport 80 drop; }; }"
    assert hops.run("scanner", ["nft", rule]).returncode == 0
    try:
        found = trace(hops, TARGETS[4], 80, "--timeout", "300ms")
    finally:
        hops.run("scanner", ["nft", "delete table inet own"])
    assert found.steps[:2] == HANDSHAKE[:2]
    assert found.meant == ("unknown", "syn-ack", None, 3)
    assert "Look at the firewall here" in found.end["meaning"][1]


@pytest.mark.lab
def test_the_capture_file_has_the_packets(hops: Lab, tmp_path: Path) -> None:
    path = tmp_path / "trace.pcap"
    packets = trace(hops, TARGETS[4], 22, "--pcap", str(path)).packets
    data, found = path.read_bytes()[24:], []
    while data:
        size = int.from_bytes(data[8:12], "little")
        found.append(dissect(data[16 : 16 + size], intact=True))
        data = data[16 + size :]
    assert [packet.seq for packet in found if isinstance(packet, Segment)] == [packet["seq"] for packet in packets]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.lab
@pytest.mark.usefixtures("traced")
def test_no_half_of_a_connection_stays_behind(hops: Lab) -> None:
    """Where our own rule dropped the SYN-ACK, the target sends it again, and a reset ends it: seconds later."""
    us = f"{int.from_bytes(socket.inet_aton('198.18.0.10'), sys.byteorder):08X}"  # as /proc/net/tcp writes addresses
    deadline = time.monotonic() + 20
    left = {host: states(hops, host, us) for host in ("scanner", "target")}
    while any(left.values()) and time.monotonic() < deadline:
        left = {host: states(hops, host, us) for host in left}
    assert not any(left.values()), left


def states(hops: Lab, host: str, us: str) -> set[str]:
    """Those of connections with us, but for TIME-WAIT."""
    table = hops.run(host, ["cat", "/proc/self/net/tcp", "/proc/self/net/tcp6"]).stdout
    return {line.split()[3] for line in table.splitlines() if us in line} - {"06"}


# --- on loopback, without any right ----------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield int(door.getsockname()[1])


def without_rights(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "probe", "trace", *arguments]
    drop = ["setpriv", "--bounding-set", "-net_raw"] if os.geteuid() == 0 else []
    return subprocess.run([*drop, *command], capture_output=True, text=True, timeout=30)


def test_without_packet_sockets_the_kernels_word_is_told(listener: int) -> None:
    done = without_rights("127.0.0.1", str(listener))
    assert done.returncode == 0
    assert "run as root, or give the interpreter the capability CAP_NET_RAW" in done.stderr
    assert "the kernel's word on connect()" in done.stderr
    assert "Open: the kernel made the connection in" in done.stdout
    assert "· connect ·" in done.stdout


def test_without_packet_sockets_a_refusal_is_one() -> None:
    done = without_rights("127.0.0.1", "1")
    assert done.returncode == 1
    assert "Not open: the kernel says ECONNREFUSED" in done.stdout


def test_a_name_that_nobody_knows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(name: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("probe.cli.tracing.system_lookup", lookup)
    assert main(["trace", "no-such.test", "80"]) == 2
    assert "no-such.test: Name or service not known" in capsys.readouterr().err
