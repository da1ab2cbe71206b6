"""The tables, written down a second time: by RFC, and by what an engineer would say of the packets."""

from __future__ import annotations

import pytest

from probe.core.verdict import HANDSHAKE_CAUSES, ICMP_REASONS, SOFT, flag_letters, icmp_cause
from probe.model import Cause, Handshake, Reason

# RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1 | RFC 4443 section 3.1 and 3.3
MEANINGS = """
4 3  0 net-unreach        network unreachable
4 3  1 host-unreach       host unreachable
4 3  2 proto-unreach      protocol unreachable
4 3  3 port-unreach       port unreachable
4 3  4 -                  fragmentation needed and DF set
4 3  5 net-unreach        source route failed
4 3  6 net-unreach        destination network unknown
4 3  7 host-unreach       destination host unknown
4 3  8 host-unreach       source host isolated
4 3  9 net-prohibited     network administratively prohibited
4 3 10 host-prohibited    host administratively prohibited
4 3 11 net-unreach        network unreachable for type of service
4 3 12 host-unreach       host unreachable for type of service
4 3 13 admin-prohibited   communication administratively prohibited
4 3 14 admin-prohibited   host precedence violation
4 3 15 admin-prohibited   precedence cutoff in effect
4 3 16 -                  unassigned
4 11 0 time-exceeded      TTL exceeded in transit
4 11 1 -                  fragment reassembly time exceeded
4 12 0 -                  parameter problem
6 1  0 net-unreach        no route to destination
6 1  1 admin-prohibited   communication administratively prohibited
6 1  2 net-unreach        beyond scope of source address
6 1  3 host-unreach       address unreachable
6 1  4 port-unreach       port unreachable
6 1  5 admin-prohibited   source address failed ingress/egress policy
6 1  6 net-prohibited     reject route to destination
6 1  7 -                  error in source routing header
6 3  0 time-exceeded      hop limit exceeded in transit
6 3  1 -                  fragment reassembly time exceeded
6 2  0 -                  packet too big
6 4  0 -                  erroneous header field
6 4  1 proto-unreach      unrecognized next header
6 4  2 -                  unrecognized option
"""
ROWS = [line.split(maxsplit=4) for line in MEANINGS.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"v{row[0]} {row[4]}")
def test_icmp_codes(row: list[str]) -> None:
    version, kind, code, reason, _ = row
    found = ICMP_REASONS.get((int(version), int(kind), int(code)))
    assert found == (None if reason == "-" else Reason(reason))


def test_no_code_is_left_untested() -> None:
    assert set(ICMP_REASONS) == {(int(v), int(k), int(c)) for v, k, c, reason, _ in ROWS if reason != "-"}


@pytest.mark.parametrize(
    ("reason", "silent_host", "live_host"),
    [
        (Reason.NET_UNREACH, Cause.UNREACHABLE, Cause.REJECTED),
        (Reason.HOST_UNREACH, Cause.UNREACHABLE, Cause.REJECTED),
        (Reason.TIME_EXCEEDED, Cause.UNREACHABLE, Cause.UNREACHABLE),
        (Reason.PROTO_UNREACH, Cause.REJECTED, Cause.REJECTED),
        (Reason.PORT_UNREACH, Cause.REJECTED, Cause.REJECTED),
        (Reason.NET_PROHIBITED, Cause.REJECTED, Cause.REJECTED),
        (Reason.HOST_PROHIBITED, Cause.REJECTED, Cause.REJECTED),
        (Reason.ADMIN_PROHIBITED, Cause.REJECTED, Cause.REJECTED),
    ],
)
def test_icmp_causes(reason: Reason, silent_host: Cause, live_host: Cause) -> None:
    assert (icmp_cause(reason, live=False), icmp_cause(reason, live=True)) == (silent_host, live_host)


def test_soft_errors_are_those_of_routing() -> None:
    assert {Reason.NET_UNREACH, Reason.HOST_UNREACH, Reason.TIME_EXCEEDED} == SOFT  # RFC 1122 section 4.2.3.9


def test_every_way_a_handshake_ends_has_a_cause() -> None:
    assert set(HANDSHAKE_CAUSES) == {None, *Handshake}


@pytest.mark.parametrize(
    ("flags", "letters"),
    [(0x12, "SA"), (0x14, "AR"), (0x04, "R"), (0x02, "S"), (0x11, "AF"), (0x18, "AP"), (0x3F, "SAFRPU"), (0, "")],
)
def test_flag_letters(flags: int, letters: str) -> None:
    assert flag_letters(flags) == letters


def test_each_flag_has_its_own_letter() -> None:
    assert [flag_letters(1 << bit) for bit in range(8)] == [
        "F",
        "S",
        "R",
        "P",
        "A",
        "U",
        "",
        "",
    ]  # RFC 9293 section 3.1
