"""Verdicts and expectations in one line each, for the tests of this room."""

from __future__ import annotations

from ipaddress import ip_address

from probe.model import (
    AddressRange,
    Cause,
    Conversation,
    Evidence,
    Expectation,
    Handshake,
    PortKey,
    Reason,
    Service,
    State,
    Target,
    Tls,
    Verdict,
)

WEB = "198.18.1.10"
SSH = Service("ssh", "OpenSSH", "9.2p1")
HTTP = Service("http", "nginx")
ONLY_TLS = Service(tls=Tls("TLSv1.3"))


def target(*addresses: str, name: str = "web") -> Target:
    parsed = [ip_address(address) for address in addresses or (WEB,)]
    return Target(name, tuple(AddressRange(one.version, int(one), int(one)) for one in parsed))


def verdict(
    state: State,
    cause: Cause | None,
    reason: Reason = Reason.NO_RESPONSE,
    evidence: Evidence | None = None,
    *,
    port: int = 22,
    address: str = WEB,
    live: bool = True,
    talk: Conversation | None = None,
) -> Verdict:
    key = PortKey(ip_address(address), "tcp", port)
    return Verdict("web", key, state, reason, cause, evidence or Evidence(), 3, conversation=talk, live=live)


def opened(port: int, service: Service | None = None, address: str = WEB, *, asked: bool = True) -> Verdict:
    evidence = Evidence(responder=address, ttl=63, window=65160, flags="SA")
    talk = Conversation(Handshake.ANSWERED if service else Handshake.MUTE, service) if asked else None
    cause = Cause.LISTENING if asked else Cause.HALF_OPEN
    return verdict(State.OPEN, cause, Reason.SYN_ACK, evidence, port=port, address=address, talk=talk)


def closed(port: int, address: str = WEB, cause: Cause = Cause.REFUSED) -> Verdict:
    evidence = Evidence(responder=address, ttl=63, window=0, flags="RA")
    return verdict(State.CLOSED, cause, Reason.RESET, evidence, port=port, address=address)


def unknown(port: int, address: str = WEB) -> Verdict:
    return verdict(State.UNKNOWN, None, Reason.NOT_SENT, Evidence(errno="EPERM"), port=port, address=address)


def unreachable(port: int, address: str = WEB) -> Verdict:
    return verdict(State.FILTERED, Cause.UNREACHABLE, Reason.HOST_UNREACH, port=port, address=address)


def lives(service: str, home: int, *, number: int = 1) -> Expectation:
    return Expectation(number, 20 + number, 3, "web", service=service, home=home)


def expects(*words: str, ports: tuple[int, ...] = (22,), number: int = 1, name: str = "web") -> Expectation:
    return Expectation(number, 20 + number, 3, name, frozenset(ports), words=words)
