"""`--locate` on two real routers, which answer as seldom as Linux does; and what becomes of a verdict when told."""

from __future__ import annotations

import ipaddress
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probe.cli import main
from probe.core.located import Located
from probe.lab import Lab
from probe.model import Cause, Evidence, PortKey, Reason, State, Verdict
from probe.net import locating
from probe.net.locating import told

TARGETS = {4: "198.18.2.20", 6: "fd18:2::20"}
R1, R2 = {4: "198.18.0.1", 6: "fd18::1"}, {4: "198.18.1.2", 6: "fd18:1::2"}


def scan(lab: Lab, *arguments: str) -> dict[tuple[str, int], dict[str, Any]]:
    """The port records of a scan from the scanner, by address and port."""
    command = [sys.executable, "-m", "probe", "scan", *arguments, "--timeout", "300ms", "-o", "jsonl:-"]
    done = lab.run("scanner", [*command, "--no-handshake"], timeout=60)
    assert done.stderr == ""
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return {(each["address"], each["port"]): each for each in records if each["type"] == "port"}


@pytest.mark.lab
def test_each_drop_is_found_where_its_rule_is(hops: Lab) -> None:
    records = scan(hops, *TARGETS.values(), "-p", "80,1001-1003,1101", "--locate")
    for version, target in TARGETS.items():
        places = {port: {**records[target, port]["evidence"], "p_miss": 0} for port in (1001, 1002, 1003)}
        at_r2 = f"dropped at or after hop 2 ({R2[version]}); the next is the host itself"
        at_r1 = f"dropped at or after hop 1 ({R1[version]}); hop 2 ({R2[version]}) is silent for this port"
        assert places[1001] == {"hop": 1, "hop_address": R1[version], "silent_hop": 2, "note": at_r1, "p_miss": 0}
        assert places[1002] == places[1003] == {"hop": 2, "hop_address": R2[version], "note": at_r2, "p_miss": 0}
        assert records[target, 1101]["evidence"]["responder"] == R1[version]
        assert "hop" not in records[target, 80]["evidence"]


@pytest.mark.lab
def test_without_a_port_that_answers_and_with_more_ports_than_answers(hops: Lab) -> None:
    """Ten ports, and a router that lets six errors pass at once and then one in 300 ms (the default is 1000 ms)."""
    rule = "table inet more { chain forward { type filter hook forward priority 1; tcp dport 2001-2010 drop; }; }"
    assert hops.run("r1", ["nft", rule]).returncode == 0
    hops.run("r1", ["sysctl", "-qw", "net.ipv4.icmp_ratelimit=300"])
    try:
        records = scan(hops, TARGETS[4], "-p", "2001-2010", "--locate", "--attempts", "2")
    finally:
        hops.run("r1", ["sysctl", "-qw", "net.ipv4.icmp_ratelimit=1000"])
        hops.run("r1", ["nft", "delete table inet more"])
    assert {record["evidence"]["note"] for record in records.values()} == {"dropped at or after hop 1 (198.18.0.1)"}


def test_a_connect_scan_says_that_it_locates_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "127.0.0.1", "-p", "1", "--wire", "connect", "--locate", "-o", "jsonl:-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[0])["warnings"] == ["dropped ports are not located: that needs raw sockets"]
    assert "dropped ports are not located" in err


def test_a_plan_tells_what_locating_may_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nname: p\ntargets: {a: 198.18.1.1}\nscan: {tcp: 1-10, locate: true}\n")
    assert main(["plan", str(profile)]) == 0
    line = "locating    at most 300 packets more, to find where silent ports are dropped"
    assert line in capsys.readouterr().out.splitlines()


VERDICT = Verdict(
    target="web",
    key=PortKey(ipaddress.ip_address(TARGETS[4]), "tcp", 22),
    state=State.FILTERED,
    reason=Reason.NO_RESPONSE,
    cause=Cause.DROPPED,
    evidence=Evidence(note="before"),
    attempts=3,
)


def test_a_verdict_keeps_what_it_said_before() -> None:
    evidence = told(VERDICT, Located(hop=2, address="198.18.0.1", silent=3)).evidence
    note = "before; dropped at or after hop 2 (198.18.0.1)"
    assert evidence == Evidence(hop=2, hop_address="198.18.0.1", silent_hop=3, note=note)


def test_a_port_that_answers_after_all_is_unknown() -> None:
    verdict = told(VERDICT, Located(answered=True))
    assert (verdict.state, verdict.cause) == (State.UNKNOWN, None)
    assert verdict.evidence.note == "before; silent in the scan, but it answered when it was located"


def test_where_there_are_too_many_ports_each_host_gets_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locating, "MOST_PORTS", 5)
    slots = np.array([0, 1, 2, 3, 4, 5, 20, 21, 22, 39])
    assert locating._first_of_each(slots, 10).tolist() == [0, 1, 20, 21, 39]
