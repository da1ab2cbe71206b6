"""A large made-up run: 20 hosts × 1,000 ports, as an office looks through its firewall, and the run before it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from msgspec.structs import replace

from probe.judge import Judge
from probe.judge.diff import compare
from probe.model import (
    AddressRange,
    Cause,
    Conversation,
    Expectation,
    Finding,
    Handshake,
    RunInfo,
    Target,
    Tls,
    Verdict,
)
from probe.report.compared import Compared
from tests.report.report_world import dropped, listening, not_sent, prohibited, refused, spoke

HOSTS, PORTS = 20, 1000
RUN = RunInfo(
    run_id="0123456789abcdef",
    profile="office-network",
    vantage="internet",
    started="2026-02-03T04:05:06.789Z",
    seed=7,
    wire="raw",
    probe_version="0.1.0",
    source="profiles/office.yaml",
    addresses=HOSTS,
    ports=PORTS,
)
BEFORE = replace(RUN, run_id="fedcba9876543210", started="2026-02-02T04:05:06.789Z")
NAMES = ("web", "mail", "db", "files", "printer")
HOSTILE = (
    b"</script><script>document.title='broken out'</script><img src=x onerror=\"document.title='broken out'\">"
    b"\x1b[31m\xe2\x80\xae]]>&amp;'\""
)
CERTIFICATE = Tls("TLSv1.3", subject="CN=www.office.test", not_after="2027-01-01T00:00:00Z", sha256="ab" * 32)


def name_of(host: int) -> str:
    return NAMES[host % len(NAMES)]


def address_of(host: int) -> str:
    return f"198.18.{host % len(NAMES)}.{10 + host}" if host < 18 else f"fd18:{host}::{host}"


def verdicts(*, before: bool = False) -> Iterator[Verdict]:
    for host in range(HOSTS):
        for port in range(1, PORTS + 1):
            yield _verdict(name_of(host), address_of(host), port, host, before=before)


def _verdict(name: str, address: str, port: int, host: int, *, before: bool) -> Verdict:
    kind = host % len(NAMES)
    if port == 22 and kind in (0, 3):
        return listening(name, address, 22, spoke("ssh", "OpenSSH", "9.2p1", banner=b"SSH-2.0-OpenSSH_9.2p1\r\n"))
    if (name, port) in {("web", 80), ("files", 80)}:
        return listening(name, address, 80, spoke("http", "nginx", "1.22.1", banner=b"HTTP/1.1 200 OK\r\n"))
    if (name, port) == ("web", 443):
        return listening(name, address, 443, spoke("http", "nginx", "1.22.1", CERTIFICATE))
    if (name, port) == ("mail", 25):
        return listening(name, address, 25, spoke("smtp", "Postfix", banner=HOSTILE))
    if (name, port) == ("mail", 587 if before else 465):
        return listening(name, address, port, spoke("smtp", "<b>Exim</b>", "4.96"))
    if (name, port) == ("db", 873) and not before:
        return listening(name, address, port, Conversation(Handshake.MUTE))
    if (name, port) == ("printer", 515):
        return replace(listening(name, address, port), cause=Cause.TCPWRAPPED)
    if name == "files" and 600 <= port < 700:
        return refused(name, address, port, Cause.UNDETERMINED)
    if kind == 4 and 130 <= port < 140:
        return prohibited(name, address, port)
    if port % 97 == 0:
        return refused(name, address, port)
    if host == 7 and port > 900:
        return not_sent(name, address, port)
    return dropped(name, address, port, live=host != 19)


def judged() -> list[Finding]:
    """What the profile expects: nothing but web, mail and ssh."""
    addresses = {name: [address_of(host) for host in range(HOSTS) if name_of(host) == name] for name in NAMES}
    targets = [Target(name, tuple(map(_one, of))) for name, of in addresses.items()]
    everything = frozenset(range(1, PORTS + 1))
    rows = [
        Expectation(1, 20, 5, "web", frozenset({22, 80, 443}), words=("open",)),
        Expectation(2, 21, 5, "web", everything - {22, 80, 443}, rest=True, words=("not-open",)),
        Expectation(3, 22, 5, "db", everything, rest=True, words=("not-open",)),
        Expectation(4, 23, 5, "mail", service="smtp", home=587),
        Expectation(5, 24, 5, "printer", frozenset(range(130, 140)), words=("dropped",)),
        Expectation(6, 25, 5, "db", frozenset(range(900, 1001)), words=("blocked",)),
    ]
    judge = Judge(rows, targets, sorted(everything))
    found = [finding for verdict in verdicts() for finding in judge.see(verdict)]
    return found + judge.finish()


def compared() -> Compared:
    old, new = ({one.key: one for one in verdicts(before=before)} for before in (True, False))
    return Compared(BEFORE, RUN, compare(old, new), complete=True)


def _one(text: str) -> AddressRange:
    address = ip_address(text)
    return AddressRange(address.version, int(address), int(address))
