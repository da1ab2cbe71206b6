"""A small made-up run, for tests of every format: what a scan of an office edge could bring."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from probe.judge import judge
from probe.model import (
    AddressRange,
    Cause,
    Conversation,
    Evidence,
    Expectation,
    Finding,
    Handshake,
    Outcome,
    PortKey,
    Reason,
    RunInfo,
    Service,
    State,
    Summary,
    Target,
    Tls,
    Verdict,
)

RUN = RunInfo(
    run_id="0192-abcd",
    profile="office-edge",
    vantage="internet",
    started="2026-01-02T03:04:05Z",
    seed=7,
    wire="raw",
    probe_version="0.1.0",
    addresses=2,
    ports=100,
    deadline_s=4.5,
)
WEB, MAIL = "198.18.1.10", "fd18:1::11"


def key(address: str, port: int) -> PortKey:
    return PortKey(ip_address(address), "tcp", port)


def target(name: str, *addresses: str) -> Target:
    parsed = [ip_address(address) for address in addresses]
    return Target(name, tuple(AddressRange(one.version, int(one), int(one)) for one in parsed))


def listening(name: str, address: str, port: int, talk: Conversation | None = None) -> Verdict:
    evidence = Evidence(responder=address, ttl=63, window=65160, flags="SA")
    state, cause = State.OPEN, Cause.LISTENING
    return Verdict(name, key(address, port), state, Reason.SYN_ACK, cause, evidence, 1, 0.2149, talk)


def refused(name: str, address: str, port: int, cause: Cause = Cause.REFUSED) -> Verdict:
    evidence = Evidence(responder=address, ttl=63, window=0, flags="RA")
    return Verdict(name, key(address, port), State.CLOSED, Reason.RESET, cause, evidence, 1, 0.18)


def dropped(name: str, address: str, port: int, *, live: bool = True) -> Verdict:
    reason, cause = Reason.NO_RESPONSE, Cause.DROPPED
    return Verdict(name, key(address, port), State.FILTERED, reason, cause, Evidence(), 3, live=live)


def prohibited(name: str, address: str, port: int, responder: str = "198.18.0.1") -> Verdict:
    evidence = Evidence(responder=responder, ttl=64, icmp_type=3, icmp_code=13)
    reason, cause = Reason.ADMIN_PROHIBITED, Cause.REJECTED
    return Verdict(name, key(address, port), State.FILTERED, reason, cause, evidence, 1, 0.1)


def not_sent(name: str, address: str, port: int) -> Verdict:
    evidence = Evidence(errno="ENETUNREACH")
    return Verdict(name, key(address, port), State.UNKNOWN, Reason.NOT_SENT, None, evidence, 0, live=False)


def spoke(
    name: str | None,
    product: str | None = None,
    version: str | None = None,
    tls: Tls | None = None,
    banner: bytes = b"",
) -> Conversation:
    return Conversation(Handshake.ANSWERED, Service(name, product, version, tls=tls), banner)


TLS = Tls("TLSv1.3", subject="CN=www.office.example", names=("www.office.example",), sha256="ab" * 32)
SSH = spoke("ssh", "OpenSSH", "9.2p1", banner=b"SSH-2.0-OpenSSH_9.2p1\r\n")


def verdicts() -> list[Verdict]:
    """`web` with six ports that answer and 94 that are dropped; `mail` over IPv6, all quiet but one."""
    web = {port: dropped("web", WEB, port) for port in range(1, 101)}
    web[22] = refused("web", WEB, 22)
    web[25] = prohibited("web", WEB, 25)
    web[53] = listening("web", WEB, 53, Conversation(Handshake.MUTE))
    web[80] = listening("web", WEB, 80, spoke("http", "nginx", "1.22.1", banner=b"HTTP/1.1 200 OK\r\n"))
    web[88] = listening("web", WEB, 88, Conversation(Handshake.ANSWERED, None, b"[bold]\x1b[31mhello\x07 =cmd()" * 3))
    web[99] = listening("web", WEB, 99, spoke("http", "nginx", "1.22.1", TLS))
    mail = {port: dropped("mail", MAIL, port, live=False) for port in range(1, 101)}
    mail[97] = not_sent("mail", MAIL, 97)
    return [*web.values(), *mail.values()]


def expectations() -> list[Expectation]:
    everything = frozenset(range(1, 101))
    return [
        Expectation(1, 18, 5, "web", frozenset({80, 99}), words=("open",)),
        Expectation(2, 19, 5, "web", frozenset({22}), words=("rejected",)),
        Expectation(3, 20, 5, "web", everything - {22, 80, 99}, rest=True, words=("dropped", "rejected")),
        Expectation(4, 21, 5, "mail", everything, words=("not-open",)),
        Expectation(5, 22, 5, "web", service="http", home=81),
    ]


def findings(seen: Iterable[Verdict]) -> list[Finding]:
    by_key = {verdict.key: verdict for verdict in seen}
    targets = (target("web", WEB), target("mail", MAIL))
    return list(judge(expectations(), targets, by_key, tuple(range(1, 101))))


def summary(found: Iterable[Finding] = (), **changes: object) -> Summary:
    outcomes = dict.fromkeys(Outcome, 0)
    for finding in found:
        outcomes[finding.outcome] += 1
    fields: dict[str, object] = {
        "complete": True,
        "exit_code": 1,
        "counts": {State.OPEN: 4, State.CLOSED: 1, State.FILTERED: 194, State.UNKNOWN: 1},
        "sent": 592,
        "received": 6,
        "forged": 0,
        "duration_s": 3.1234,
        "findings": outcomes,
    }
    return Summary(**(fields | changes))  # type: ignore[arg-type]
