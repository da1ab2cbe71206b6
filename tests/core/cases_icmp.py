"""ICMP errors, and what they quote."""

from __future__ import annotations

from tests.core.case import ACCEPT, BOTH, FOUR, SIX, Case, as_mapped, one
from tests.core.crafted import (
    ATOMIC,
    DESTINATION,
    HOP_BY_HOP,
    NOP,
    PADN,
    Asked,
    Error,
    listed,
    routing,
    syn_from,
)


def icmp(
    name: str, kinds: tuple[tuple[int, int] | None, tuple[int, int] | None], kernel: str, engine: str
) -> list[Case]:
    """One error in the words of each family, None where it has none."""
    return [
        Case(f"ICMP: {name}", one(Error(*kind)), kernel, (version,), engine)
        for version, kind in zip(BOTH, kinds, strict=True)
        if kind
    ]


def unreachable(syn: Asked, **fields: object) -> list[bytes]:
    kind, code = (3, 13) if syn.version == 4 else (1, 1)
    return [Error(kind, code, **fields).to(syn)]  # type: ignore[arg-type]


def quoting(
    name: str, valid: bool, versions: tuple[int, ...] = BOTH, engine: bool | None = None, **fields: object
) -> Case:
    """An administrative prohibition whose quote is bent."""
    words = {True: "admin-prohibited", False: ""}
    told = words[valid if engine is None else engine]
    return Case(f"quote: {name}", lambda syn: unreachable(syn, **fields), "prohibited" if valid else "", versions, told)


ICMP_ERRORS = [
    *icmp("net unreachable", ((3, 0), (1, 0)), "ENETUNREACH", "net-unreach"),
    *icmp("host unreachable", ((3, 1), (1, 3)), "EHOSTUNREACH", "host-unreach"),
    *icmp("protocol unreachable", ((3, 2), None), "ENOPROTOOPT", "proto-unreach"),
    *icmp("port unreachable", ((3, 3), (1, 4)), "ECONNREFUSED", "port-unreach"),
    *icmp("source route failed", ((3, 5), None), "ENOTSUP", "net-unreach"),
    *icmp("net unknown", ((3, 6), None), "ENETUNREACH", "net-unreach"),
    *icmp("host unknown", ((3, 7), None), "EHOSTDOWN", "host-unreach"),
    *icmp("host isolated", ((3, 8), None), "ENONET", "host-unreach"),
    *icmp("net prohibited", ((3, 9), None), "ENETUNREACH", "net-prohibited"),
    *icmp("route rejected", (None, (1, 6)), "EACCES", "net-prohibited"),
    *icmp("host prohibited", ((3, 10), None), "EHOSTUNREACH", "host-prohibited"),
    *icmp("net unreachable for the service", ((3, 11), None), "ENETUNREACH", "net-unreach"),
    *icmp("host unreachable for the service", ((3, 12), None), "EHOSTUNREACH", "host-unreach"),
    *icmp("prohibited", ((3, 13), (1, 1)), "prohibited", "admin-prohibited"),
    *icmp("precedence violation", ((3, 14), None), "EHOSTUNREACH", "admin-prohibited"),
    *icmp("precedence cut off", ((3, 15), None), "EHOSTUNREACH", "admin-prohibited"),
    *icmp("beyond scope", (None, (1, 2)), "EHOSTUNREACH", "net-unreach"),
    *icmp("source failed policy", (None, (1, 5)), "EACCES", "admin-prohibited"),
    *icmp("code that does not exist", ((3, 16), None), "", ""),
    *icmp("code that does not exist", (None, (1, 99)), "EPROTO", ""),
    *icmp("time exceeded", ((11, 0), (3, 0)), "EHOSTUNREACH", "time-exceeded"),
    *icmp("reassembly time exceeded", ((11, 1), None), "", ""),
    *icmp("reassembly time exceeded", (None, (3, 1)), "EHOSTUNREACH", ""),
    *icmp("too big", ((3, 4), (2, 0)), "", ""),
    *icmp("source quench", ((4, 0), None), "", ""),
    *icmp("redirect", ((5, 1), None), "", ""),
    *icmp("parameter problem", ((12, 0), (4, 0)), "EPROTO", ""),
    *icmp("unknown next header", (None, (4, 1)), "EPROTO", "proto-unreach"),
    *icmp("echo reply", ((0, 0), (129, 0)), "", ""),
    *icmp("unknown error", ((41, 0), None), "", ""),
    *icmp("unknown error", (None, (99, 0)), "EPROTO", ""),
]
QUOTES = [
    quoting("eight bytes of TCP, IPv4", True, FOUR, size=28),
    quoting("seven bytes of TCP, IPv4", False, FOUR, size=27),
    quoting("eight bytes of TCP, IPv6", True, SIX, size=48),
    quoting("seven bytes of TCP, IPv6", False, SIX, size=47),
    quoting("nothing", False, size=0),
    quoting("half an IP header", False, size=12),
    quoting("other sequence number", False, seq=12345),
    quoting("sequence number before", False, seq=-1),
    quoting("sequence number after", True, seq=1, engine=False),
    quoting("other source port", False, sport=1),
    quoting("other destination port", False, dport=1),
    quoting("other source address", False, stray=1),
    quoting("other destination address", False, stray=2),
    quoting("as a router forwards it", True, rewritten=True),
    quoting("bad checksum", False, xor=1),
    quoting("with IP options", True, FOUR, quoted_ip_options=b"\x94\x04\0\0"),
    quoting("with forty bytes of IP options", True, FOUR, quoted_ip_options=NOP * 40, size=68),
    quoting("with destination options", True, SIX, quoted_extensions=[listed(DESTINATION, PADN)]),
    quoting("with hop-by-hop options", True, SIX, quoted_extensions=[listed(HOP_BY_HOP, PADN)]),
    quoting("with an atomic fragment header", True, SIX, quoted_extensions=[ATOMIC]),
    quoting("with a routing header", True, SIX, quoted_extensions=[routing(4, 1)]),
    quoting("a later fragment", False, SIX, quoted_extensions=[(44, b"\0\0\x08\0\0\0\x07")]),
    quoting("with extensions cut off", False, SIX, quoted_extensions=[listed(DESTINATION, PADN)], size=50),
    quoting("RFC 4884 extension", True, FOUR, rest=b"\0\x20\0\0", more=bytes(68) + b"\x20\0\0\0\0\x08\x01\x01\0\0\0\0"),
    quoting(
        "RFC 4884 extension, IPv6", True, SIX, rest=b"\x10\0\0\0", more=bytes(48) + b"\x20\0\0\0\0\x08\x01\x01\0\0\0\0"
    ),
]


def mapped_quote(syn: Asked) -> list[bytes]:
    """An ICMPv6 error about our IPv4 packet, as if it had been IPv6."""
    six = syn_from(1, 6)
    return [Error(1, 1).about(six, as_mapped(syn.packet))]


MIXED = [
    Case("quote: mapped addresses", mapped_quote, "", FOUR),
    Case("late SYN-ACK after a wrong quote", lambda s: [*unreachable(s, seq=9), ACCEPT.to(s)], "open"),
]
