"""Evidence, port ranges and remote text in words."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.judge.wording import evidence_in_words, plural, printable, ranges, service_in_words, some, words_in_words
from probe.model import Cause, Evidence, HostKey, Reason, Service, State, Verdict
from tests.judge.judge_world import SSH, closed, opened, verdict

ICMP6 = Evidence(responder="fd18::1", ttl=62, icmp_type=1, icmp_code=1)


@pytest.mark.parametrize(
    "seen,words,brief",
    [
        (opened(80), "SYN-ACK from 198.18.1.10, TTL 63, window 65160", "SYN-ACK, TTL 63"),
        (closed(80), "RST from 198.18.1.10, TTL 63", "RST, TTL 63"),
        (verdict(State.FILTERED, Cause.DROPPED), "no answer to 3 probes", "no-response ×3"),
        (
            verdict(State.FILTERED, Cause.REJECTED, Reason.ADMIN_PROHIBITED, ICMP6, address="fd18::9"),
            "ICMPv6 admin-prohibited (type 1 code 1) from fd18::1, hop limit 62",
            "admin-prohibited from fd18::1",
        ),
        (
            verdict(State.OPEN, Cause.TCPWRAPPED, Reason.SYN_ACK, Evidence("198.18.1.10", 64, 0)),
            "SYN-ACK from 198.18.1.10, TTL 64, window 0",
            "SYN-ACK, TTL 64, window 0",
        ),
        (
            verdict(State.CLOSED, Cause.UNDETERMINED, Reason.RESET, Evidence(errno="ECONNREFUSED")),
            "RST (ECONNREFUSED)",
            "RST (ECONNREFUSED)",
        ),
        (
            verdict(State.FILTERED, Cause.UNREACHABLE, Reason.HOST_UNREACH, Evidence(note="no ARP\nanswer")),
            "host-unreach; no ARP\\x0aanswer",
            "host-unreach; no ARP\\x0aanswer",
        ),
        (
            verdict(State.UNKNOWN, None, Reason.CONFLICT),
            "a valid SYN-ACK and a valid RST, which contradict each other",
            "conflict",
        ),
    ],
)
def test_evidence(seen: Verdict, words: str, brief: str) -> None:
    assert evidence_in_words(seen) == words
    assert evidence_in_words(seen, brief=True) == brief


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason: Reason) -> None:
    assert evidence_in_words(verdict(State.UNKNOWN, None, reason)).strip()


def test_ranges_of_a_few() -> None:
    assert ranges([]) == ""
    assert ranges({23, 21, 22, 443}) == "21-23, 443"
    assert ranges([1, 3, 5, 7], limit=2) == "1, 3, … (4 ports)"


@given(st.sets(st.integers(1, 65535), max_size=50))
def test_ranges_hold_every_port_once(ports: set[int]) -> None:
    told: list[int] = []
    for part in filter(None, ranges(ports).split(", ")):
        first, _, last = part.partition("-")
        told += range(int(first), int(last or first) + 1)
    assert told == sorted(ports)


@given(st.text())
def test_printable_text_is_printable_and_stays_as_it_is(text: str) -> None:
    safe = printable(text)
    assert safe.isprintable()
    assert printable(safe) == safe
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in safe)


def test_printable_keeps_letters_and_shows_the_rest() -> None:
    assert printable("Büro 事務所") == "Büro 事務所"
    assert printable("a\x1b[31m\u202eb\ud800\U000e0001") == "a\\x1b[31m\\u202eb\\ud800\\U000e0001"


def test_services_and_lists() -> None:
    assert service_in_words(SSH) == "ssh (OpenSSH 9.2p1)"
    assert service_in_words(Service("ssh", key=HostKey("ssh-ed25519", "SHA256:x"))) == "ssh (key SHA256:x)"
    assert service_in_words(Service("http", "evil\x1b[2J")) == "http (evil\\x1b[2J)"
    assert words_in_words(["open"]) == "open"
    assert words_in_words(["open", "closed", "dropped"]) == "open, closed or dropped"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert [plural(1, "address"), plural(2, "address"), plural(3, "port")] == ["1 address", "2 addresses", "3 ports"]
