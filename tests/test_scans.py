"""The whole tool against the real thing: `probe run` on the internet host of the office, rules changed under it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probe import lab as labs
from probe.lab import Lab

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parent.parent
RULES = (REPOSITORY / "lab/office.nft").read_text()
PATIENCE = 60

PROFILE = """\
version: 1
name: flips
targets:
  edge: [198.18.0.1, "fd18::1"]
  web: [198.18.1.10, "fd18:1::10"]
  mail: [198.18.1.25, "fd18:1::25"]
  printer: [198.18.2.40, "fd18:2::40"]
scan: {tcp: [21, 22, 80, 113, 9100], attempts: 2, timeout: 300ms, handshake: false}
expect:
  - {to: edge, tcp: rest, is: dropped}
  - {to: web, tcp: 80, is: open}
  - {to: web, tcp: 22, is: rejected}
  - {to: web, tcp: rest, is: dropped}
  - {to: mail, tcp: 113, is: rejected}
  - {to: mail, tcp: rest, is: dropped}
  - {to: printer, tcp: 9100, is: rejected}
  - {to: printer, tcp: rest, is: dropped}
"""
# mail answers on 25: without that SYN-ACK nothing tells whose reset 113 is
PROFILE = PROFILE.replace("[21, 22,", "[21, 22, 25,").replace(
    "  - {to: mail, tcp: rest", "  - {to: mail, tcp: 25, is: open}\n  - {to: mail, tcp: rest"
)

Record = dict[str, Any]


@pytest.fixture(scope="module")
def office() -> Iterator[Lab]:
    with labs.up(labs.load(str(REPOSITORY / "lab/office.yaml")), owner="process") as lab:
        yield lab


def load_rules(lab: Lab, text: str, folder: Path) -> None:
    path = folder / "rules.nft"
    path.write_text(text)
    done = lab.run("edge", ["nft", "-f", str(path)])
    assert done.returncode == 0, done.stderr


def probe(lab: Lab, *arguments: str) -> tuple[int, list[Record]]:
    """The exit code and the records of one command on the internet host."""
    command = [sys.executable, "-m", "probe", *arguments, "-o", "jsonl:-"]
    done = lab.run("internet", command, timeout=PATIENCE, cwd=REPOSITORY)
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def of_type(records: list[Record], kind: str) -> list[Record]:
    return [record for record in records if record["type"] == kind]


def violated(records: list[Record]) -> set[tuple[str, int]]:
    return {(r["address"], r["port"]) for r in of_type(records, "finding") if r["outcome"] == "violated"}


def scan_with(lab: Lab, rules: str, folder: Path) -> tuple[int, list[Record]]:
    profile = folder / "flips.yaml"
    profile.write_text(PROFILE)
    load_rules(lab, rules, folder)
    try:
        return probe(lab, "run", str(profile))
    finally:
        load_rules(lab, RULES, folder)


def test_the_rules_as_they_are_meet_everything(office: Lab, tmp_path: Path) -> None:
    code, records = scan_with(office, RULES, tmp_path)
    assert violated(records) == set()
    assert code == 0


ADDRESSES = dict(re.findall(r"define (\w+) = (\S+)", RULES))
REJECTS = [line for line in RULES.splitlines() if re.search(r"dport \d+ reject", line)]


@pytest.mark.parametrize("line", REJECTS, ids=[line.strip() for line in REJECTS])
def test_a_reject_that_becomes_a_drop_flips_its_port_and_no_other(office: Lab, tmp_path: Path, line: str) -> None:
    name, port = re.search(r"daddr \$(\w+) tcp dport (\d+)", line).groups()  # type: ignore[union-attr]
    code, records = scan_with(office, RULES.replace(line, re.sub("reject.*", "drop", line)), tmp_path)
    assert violated(records) == {(ADDRESSES[name], int(port))}
    assert code == 1


@pytest.mark.parametrize("verdict", ["reject with tcp reset", "reject with icmpx type admin-prohibited", "accept"])
@pytest.mark.parametrize(
    "chain, targets", [("input", {"edge"}), ("from_internet", {"web", "mail", "printer"})], ids=["input", "forward"]
)
def test_a_drop_that_becomes_something_else_flips_what_it_dropped(
    office: Lab, tmp_path: Path, chain: str, targets: set[str], verdict: str
) -> None:
    changed = re.sub(
        rf"(chain {chain} {{.*?\n        )drop\n", rf"\1meta l4proto tcp {verdict}\n", RULES, flags=re.DOTALL
    )
    assert changed != RULES
    code, records = scan_with(office, changed, tmp_path)
    dropped = {
        (r["address"], r["port"])
        for r in of_type(records, "finding")
        if r["target"] in targets and r["expected"] == ["dropped"]
    }
    assert violated(records) == dropped
    assert code == 1


def test_the_firewall_counts_as_many_probes_as_the_summary_claims(office: Lab, tmp_path: Path) -> None:
    """The probes of a run share one source port; the handshakes on open ports have others."""
    load_rules(office, (REPOSITORY / "lab/tally.nft").read_text(), tmp_path)
    targets = ["198.18.1.10", "198.18.1.25", "198.18.2.40", "fd18:1::10"]
    code, records = probe(office, "scan", *targets, "-p", "1-500,9100", "--timeout", "300ms", "--rate", "20000")
    assert code == 0
    listed = json.loads(office.run("edge", ["nft", "-j", "list", "set", "inet", "tally", "syns"]).stdout)
    counts = [element["elem"]["counter"]["packets"] for element in listed["nftables"][1]["set"]["elem"]]
    (summary,) = of_type(records, "summary")
    # Besides SYNs there are ACKs that ask a host how its own resets sound: three hosts have a port that is rejected.
    assert summary["sent"] - max(counts) in (3, 4, 5, 6)
    assert summary["counts"]["open"] == 8
    assert summary["sent"] > 3 * 4 * 480


def test_the_same_seed_sends_the_same_scan_and_finds_the_same(office: Lab) -> None:
    arguments = ["scan", "198.18.1.10", "-p", "1-100", "--timeout", "200ms", "--seed", "7", "--no-handshake"]
    runs = [probe(office, *arguments) for _ in range(2)]
    by_chance = {"rtt_ms": 0, "attempts": 0, "evidence": 0}  # what control probes met on the way, and when
    ports = [[{**r, **by_chance} for r in of_type(records, "port")] for _, records in runs]
    assert ports[0] == ports[1]
    assert {of_type(records, "run")[0]["seed"] for _, records in runs} == {7}


# (outcome, target, port or home, observed) of every finding of `lab-broken.yaml` that is not met
MISTAKES = {
    ("violated", "edge", 2222, "gone"),
    ("violated", "mail", 113, "filtered/dropped"),
    ("violated", "db", 6379, "open/listening"),
}


@pytest.mark.parametrize("name, code, findings", [("lab", 0, set()), ("lab-broken", 1, MISTAKES)])
def test_the_example_profiles_say_what_is_wrong_and_nothing_else(
    name: str, code: int, findings: set[tuple[str, str, int, str]], tmp_path: Path
) -> None:
    """In a lab of their own, which `probe run` builds and takes down."""
    command = [sys.executable, "-m", "probe", "run", f"profiles/{name}.yaml", "-o", "jsonl:-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=REPOSITORY)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    seen = {
        (r["outcome"], r["target"], r["port"] if "port" in r else r["home"], r["observed"])
        for r in of_type(records, "finding")
        if r["outcome"] != "met"
    }
    assert seen == findings
    assert done.returncode == of_type(records, "summary")[0]["exit_code"] == code


def test_a_connect_scan_sees_the_same_with_less_evidence(office: Lab) -> None:
    arguments = ["scan", "198.18.1.10", "-p", "21,22,80,8080", "--timeout", "300ms", "--wire", "connect"]
    _, records = probe(office, *arguments)
    assert of_type(records, "run")[0]["wire"] == "connect"
    observed = {r["port"]: (r["state"], r["reason"], r["cause"]) for r in of_type(records, "port")}
    assert observed == {
        21: ("filtered", "no-response", "dropped"),
        22: ("closed", "reset", "undetermined"),
        80: ("open", "syn-ack", "listening"),
        8080: ("closed", "reset", "undetermined"),
    }
    assert of_type(records, "port")[1]["evidence"] == {"errno": "ECONNREFUSED"}


def test_without_raw_sockets_the_connect_scan_is_announced() -> None:
    """On loopback: in a lab, whoever made it has every right over it."""
    command = [sys.executable, "-m", "probe", "scan", "127.0.0.1", "-p", "1", "-o", "jsonl:-"]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set", "-net_raw", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=REPOSITORY)
    assert "Falling back to a connect scan" in done.stderr
    run = json.loads(done.stdout.splitlines()[0])
    assert run["wire"] == "connect"
    assert "connect scan" in run["warnings"][0]


def test_no_route_is_unknown_and_not_filtered(office: Lab) -> None:
    office.run("internet", ["ip", "route", "add", "unreachable", "198.18.77.0/24"])
    code, records = probe(office, "scan", "198.18.77.1", "-p", "80")
    (port,) = of_type(records, "port")
    assert (port["state"], port["reason"], port["evidence"]["errno"]) == ("unknown", "not-sent", "EHOSTUNREACH")
    assert code == 3


def test_a_local_rule_is_obeyed_and_noticed(office: Lab, tmp_path: Path) -> None:
    path = tmp_path / "local.nft"
    path.write_text(
        "table inet local {\n chain out {\n type filter hook output priority 0;\n tcp dport 81 drop\n }\n}\n"
    )
    assert office.run("internet", ["nft", "-f", str(path)]).returncode == 0
    try:
        code, records = probe(office, "scan", "198.18.1.10", "-p", "80,81", "--timeout", "200ms")
    finally:
        office.run("internet", ["nft", "delete", "table", "inet", "local"])
    ports = {r["port"]: (r["state"], r["reason"], r["evidence"].get("errno")) for r in of_type(records, "port")}
    assert ports == {80: ("open", "syn-ack", None), 81: ("unknown", "not-sent", "EPERM")}
    assert code == 3
