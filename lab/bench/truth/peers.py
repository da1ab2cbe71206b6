"""The scanners beside probe: how each is asked about a case, with its own careful settings, and what it said.

All of them are unpacked from Debian (lab/debs.sh), none is installed, and they run in the namespaces of the case only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from probe.lab.tools import find
from tests.cases.corpus import PLACES, Case, Port
from tests.cases.marks import Said
from tests.cases.perform import Job, Run
from tests.cases.script import span

REPOSITORY = Path(__file__).resolve().parents[3]
NUDGE = str(Path(__file__).with_name("nudge.py"))
LONGEST = 300.0  # seconds that a peer may take
MOST_ZMAP_RUNS = 12  # it takes one port per run, and each run ends with a second of waiting
UNTOLD = Said("unknown")  # it ended with an error and said nothing of the port


@dataclass(frozen=True, slots=True)
class Peer:
    """`cannot` says why a case is beyond it, or nothing; `ask` makes its arguments; `read` finds what it said."""

    name: str
    cannot: Callable[[Case], str | None]
    ask: Callable[[Case, str], list[str]]
    read: Callable[[Case, Run], dict[Port, Said]]

    def job(self, case: Case) -> Job:
        return Job(case.id, self.ask(case, _program(self.name)), _environment(), client=False, longest=LONGEST)


def _program(name: str) -> str:
    tool = find(name, REPOSITORY)
    assert tool, f"{name} is missing: sh lab/debs.sh {name}"
    return tool.path


def _environment() -> dict[str, str]:
    """Libraries of all unpacked packages: masscan opens the pcap library that the others brought."""
    tools = REPOSITORY / ".tools"
    folders = {str(library.parent) for library in tools.glob("*/**/*.so*")}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LD_LIBRARY_PATH": ":".join(sorted(folders)),
        "NMAPDIR": str(tools / "nmap/usr/share/nmap"),
        "HOME": "/nonexistent",
    }


# --- nmap ------------------------------------------------------------------------------------------------------------


def _ask_nmap(case: Case, program: str) -> list[str]:
    """Its default timing, which retries up to ten times and slows down; as patient as probe is asked to be."""
    patience = [f"--{which}-rtt-timeout={case.scan.timeout * 1000:.0f}ms" for which in ("min", "initial", "max")]
    return [
        program,
        *("-sS", "-Pn", "-n", "-oX", "-"),
        *(patience if case.scan.timeout >= 1 else ()),
        *(["-6"] if case.version == 6 else []),
        *("-p", ",".join(map(str, case.ports))),
        *case.addresses,
    ]


def _read_nmap(case: Case, run: Run) -> dict[Port, Said]:
    try:
        root = ET.fromstring(run.out)
    except ET.ParseError:
        return dict.fromkeys(case.truth, UNTOLD)
    missing = UNTOLD if run.err else Said("filtered", None, "host is down")
    said = dict.fromkeys(case.truth, missing)
    for host in root.iter("host"):
        place = next(node.attrib["addr"] for node in host.iter("address") if node.attrib["addrtype"] != "mac")
        for node in host.iter("port"):
            state = next(node.iter("state")).attrib
            said[place, int(node.attrib["portid"])] = Said(state["state"], None, state["reason"])
        for extra in host.iter("extraports"):
            for reason in extra.iter("extrareasons"):
                for port in (port for part in reason.attrib["ports"].split(",") for port in span(part)):
                    said[place, port] = Said(extra.attrib["state"], None, reason.attrib["reason"])
    if "sendto" in run.err:  # it has told that it could not send: what it got no answer to, it does not claim to know
        said = {port: UNTOLD if each.reason == "no-response" else each for port, each in said.items()}
    return said


# --- masscan ---------------------------------------------------------------------------------------------------------


def _ask_masscan(case: Case, program: str) -> list[str]:
    """As many packets as probe sends, and a wait at the end that is as long as the case's patience."""
    return [
        *(sys.executable, NUDGE, program, "--range", ",".join(case.addresses)),
        *(("--source-ip", PLACES["scanner"][6], "--router-mac", "{mac}") if case.version == 6 else ()),
        *("-p", ",".join(map(str, case.ports)), "--rate", str(case.scan.rate)),
        *("--retries", str(case.scan.attempts - 1), "--wait", str(max(2, round(case.scan.timeout + 0.5)))),
        *("--show", "open,close", "-oL", "-"),
    ]


_MASSCAN_STATES = {"open": "open", "closed": "closed", "close": "closed"}


def _read_masscan(case: Case, run: Run) -> dict[Port, Said]:
    """Lines such as `open tcp 80 198.18.2.10 1600000000`. What it does not list, it takes for not open."""
    said = dict.fromkeys(case.truth, UNTOLD if run.code else Said("filtered"))
    for line in run.out.splitlines():
        words = line.split()
        if len(words) >= 4 and words[0] in _MASSCAN_STATES:
            said[words[3], int(words[2])] = Said(_MASSCAN_STATES[words[0]])
    return said


# --- zmap ------------------------------------------------------------------------------------------------------------


def _zmap_cannot(case: Case) -> str | None:
    if case.version == 6:
        return "no IPv6"
    if len(case.ports) > MOST_ZMAP_RUNS:
        return "one port per run"
    return None


def _ask_zmap(case: Case, program: str) -> list[str]:
    command = [sys.executable, NUDGE]
    for number, port in enumerate(case.ports):
        command += [";"] if number else []
        command += [
            program,
            "-q",
            "-i",
            "wan",
            "-G",
            "{mac}",
            "-b",
            "/dev/null",
            "-p",
            str(port),
            "-r",
            str(case.scan.rate),
        ]
        command += ["-P", str(case.scan.attempts), "-c", str(max(1, round(case.scan.timeout + 0.5)))]
        command += ["-O", "csv", "-f", "saddr,sport,classification", "--output-filter=success=1||success=0"]
        command += [f"{address}/32" for address in case.addresses]
    return command


_ZMAP_STATES = {"synack": "open", "rst": "closed"}


def _read_zmap(case: Case, run: Run) -> dict[Port, Said]:
    said = dict.fromkeys(case.truth, UNTOLD if run.code else Said("filtered"))
    for line in run.out.splitlines():
        words = line.split(",")
        if len(words) == 3 and words[2] in _ZMAP_STATES and (words[0], int(words[1])) in said:
            said[words[0], int(words[1])] = Said(_ZMAP_STATES[words[2]])
    return said


PEERS = (
    Peer("nmap", lambda case: None, _ask_nmap, _read_nmap),
    Peer("masscan", lambda case: None, _ask_masscan, _read_masscan),
    Peer("zmap", _zmap_cannot, _ask_zmap, _read_zmap),
)
