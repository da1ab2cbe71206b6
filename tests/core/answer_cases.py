"""What may come back for a SYN, and what a `connect()` of the Linux kernel makes of it.

The kernel is asked in test_net_kernel; the engine must say the same in test_core_cases. `kernel` is "open", "closed",
"" (goes on waiting), or the errno by which `connect` fails; `others` are what kernels of other versions or
configurations say. `engine` is "open", "closed", "" or a reason, and left out where it is the kernel's word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.core.crafted import (
    ACK,
    ATOMIC,
    AUTHENTICATION,
    CWR,
    DESTINATION,
    ECE,
    FIN,
    HOP_BY_HOP,
    NOP,
    PSH,
    RST,
    SYN,
    URG,
    Answer,
    Asked,
    Error,
    Piece,
    fragment,
    fragments,
    ipv6,
    listed,
    routing,
    syn_from,
)

Packets = Callable[[Asked], list[bytes]]
BOTH, FOUR, SIX = (4, 6), (4,), (6,)


@dataclass(frozen=True)
class Case:
    name: str
    packets: Packets
    kernel: str
    versions: tuple[int, ...] = BOTH
    engine: str | None = None
    others: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        return self.kernel if self.engine is None else self.engine


def one(*answers: Answer | Error) -> Packets:
    return lambda syn: [answer.to(syn) for answer in answers]


ACCEPT, RESET = Answer(), Answer(flags=RST | ACK, window=0, options=b"")
SIGNED = NOP + NOP + b"\x13\x12" + bytes(16)
AUTHENTIC = b"\x1d\x10" + bytes(14)


def nearby(address: bytes) -> bytes:
    return address[:-1] + bytes([address[-1] ^ 8])


def as_mapped(packet: bytes) -> bytes:
    """An IPv4 packet in an IPv6 one, addresses in mapped form: the same numbers to whoever keeps both in 128 bits."""
    mapped = bytes(10) + b"\xff\xff"
    return ipv6(mapped + packet[12:16], mapped + packet[16:20], 6, packet[20:])


FLAGS = [
    Case("SYN-ACK", one(ACCEPT), "open"),
    Case("reset", one(RESET), "closed"),
    Case("reset with data", one(RESET.but(payload=b"go away")), "closed"),
    Case("reset with ack 0", one(RESET.but(ack=0)), ""),
    Case("reset with a wrong ack", one(RESET.but(ack=2)), ""),
    Case("reset without ACK", one(RESET.but(flags=RST)), ""),
    Case("reset without ACK or ack", one(RESET.but(flags=RST, ack=-1)), ""),
    Case("SYN-ACK that acknowledges nothing", one(ACCEPT.but(ack=0)), ""),
    Case("SYN-ACK that acknowledges too much", one(ACCEPT.but(ack=2)), ""),
    Case("SYN-ACK from the other side of the circle", one(ACCEPT.but(ack=2**31)), ""),
    Case("SYN|ACK|RST", one(ACCEPT.but(flags=SYN | ACK | RST)), "closed"),
    Case("SYN|RST", one(ACCEPT.but(flags=SYN | RST)), ""),
    Case("SYN|ACK|FIN", one(ACCEPT.but(flags=SYN | ACK | FIN)), "open"),
    Case("SYN|ACK|FIN|RST", one(ACCEPT.but(flags=SYN | ACK | FIN | RST)), "closed"),
    Case("SYN|ACK|PSH|URG", one(ACCEPT.but(flags=SYN | ACK | PSH | URG, urgent=9)), "open"),
    Case("SYN|ACK|ECE", one(ACCEPT.but(flags=SYN | ACK | ECE)), "open"),
    Case("SYN|ACK|ECE|CWR", one(ACCEPT.but(flags=SYN | ACK | ECE | CWR)), "open"),
    Case("reserved bits", one(ACCEPT.but(reserved=0xF)), "open"),
    Case("reset with reserved bits", one(RESET.but(reserved=0xF, flags=RST | ACK | ECE | CWR)), "closed"),
    Case("ACK", one(ACCEPT.but(flags=ACK)), ""),
    Case("FIN|ACK", one(ACCEPT.but(flags=FIN | ACK)), ""),
    Case("no flags", one(ACCEPT.but(flags=0)), ""),
    Case("all flags", one(ACCEPT.but(flags=0xFF)), "closed"),
    Case("crossed SYN", one(ACCEPT.but(flags=SYN)), ""),
    Case("window 0", one(ACCEPT.but(window=0)), "open"),
    Case("SYN-ACK with data", one(ACCEPT.but(payload=b"220 early\r\n")), "open"),
    Case("SYN-ACK twice", one(ACCEPT, ACCEPT), "open"),
    Case("reset after a forged one", one(RESET.but(ack=5), RESET), "closed"),
]

FORM = [
    Case("bad checksum", one(ACCEPT.but(xor=1)), ""),
    Case("checksum 0xffff away", one(ACCEPT.but(xor=0xFFFF)), ""),
    Case("reset with bad checksum", one(RESET.but(xor=0x8000)), ""),
    Case("data offset 4", one(ACCEPT.but(offset=4)), ""),
    Case("data offset 0", one(ACCEPT.but(offset=0)), ""),
    Case("data offset beyond the packet", one(ACCEPT.but(offset=15)), ""),
    Case("data offset takes data for options", one(ACCEPT.but(offset=15, payload=bytes(36))), "open"),
    Case("other source port", one(ACCEPT.but(from_port=1)), ""),
    Case("other destination port", one(ACCEPT.but(to_port=1)), ""),
    Case("other source address", lambda syn: [ACCEPT.but(source=nearby(syn.destination)).to(syn)], ""),
    Case("mapped source address", lambda syn: [as_mapped(ACCEPT.to(syn))], "", FOUR),
    Case("TTL 0", one(ACCEPT.but(ttl=0)), "open"),
    Case("TTL 255, CE", one(ACCEPT.but(ttl=255, tos=3)), "open"),
]

TCP_OPTIONS = [
    Case("no options", one(ACCEPT.but(options=b"")), "open"),
    Case("option of size 0", one(ACCEPT.but(options=b"\x02\x00\x05\xb4")), "open"),
    Case("option of size 1", one(ACCEPT.but(options=b"\x02\x01\x05\xb4")), "open"),
    Case("option overruns", one(ACCEPT.but(options=b"\x02\x28\x05\xb4")), "open"),
    Case("MSS 0", one(ACCEPT.but(options=b"\x02\x04\0\0")), "open"),
    Case("unknown option", one(ACCEPT.but(options=b"\xfd\x04ab")), "open"),
    Case("forty NOPs", one(ACCEPT.but(options=NOP * 40)), "open"),
    Case("echo of our timestamp", one(ACCEPT.but(echo=0)), "open"),
    Case("echo of zero", one(ACCEPT.but(echo=-1 << 32)), "open"),
    Case("echo of what we never sent", one(ACCEPT.but(echo=-1)), ""),
    Case("echo from the future", one(ACCEPT.but(echo=1 << 20)), ""),
    Case("reset with a wrong echo", one(RESET.but(echo=-1)), ""),
    Case("reset with our echo", one(RESET.but(echo=0)), "closed"),
    Case("wrong echo behind an option of size 0", one(ACCEPT.but(options=b"\x02\0\x05\xb4", echo=-1)), "open"),
    Case("wrong echo behind the end of options", one(ACCEPT.but(options=bytes(4), echo=-1)), "open"),
    Case("impossible size with room for a signature", one(ACCEPT.but(options=b"\xfd\0" * 9)), "", others=("open",)),
    Case("impossible size with less room", one(ACCEPT.but(options=NOP * 3 + b"\xfd\0" * 8)), "open", others=("",)),
    Case("signed with MD5", one(ACCEPT.but(options=SIGNED)), ""),
    Case("reset signed with MD5", one(RESET.but(options=SIGNED)), ""),
    Case("MD5 option of another size", one(ACCEPT.but(options=b"\x13\x06abcd")), "open", others=("",)),
    Case("MD5 behind an option of size 0", one(ACCEPT.but(options=b"\xfd\0\0\0" + SIGNED)), "", others=("open",)),
    Case("signed with AO", one(ACCEPT.but(options=AUTHENTIC)), "open", others=("",)),
]

LSRR = b"\x83\x07\x04\xc6\x12\x00\x09"
IP_OPTIONS = [
    Case("IP: NOPs", one(ACCEPT.but(ip_options=NOP * 4)), "open", FOUR),
    Case("IP: forty NOPs", one(ACCEPT.but(ip_options=NOP * 40)), "open", FOUR),
    Case("IP: router alert", one(ACCEPT.but(ip_options=b"\x94\x04\0\0")), "open", FOUR),
    Case("IP: record route", one(ACCEPT.but(ip_options=b"\x07\x07\x04\0\0\0\0")), "open", FOUR),
    Case("IP: record route, full", one(ACCEPT.but(ip_options=b"\x07\x07\x08\xc6\x12\0\x09")), "open", FOUR),
    Case("IP: record route, pointer 3", one(ACCEPT.but(ip_options=b"\x07\x07\x03\0\0\0\0")), "", FOUR),
    Case("IP: record route of size 2", one(ACCEPT.but(ip_options=b"\x07\x02\x04\0")), "", FOUR),
    Case("IP: record route twice", one(ACCEPT.but(ip_options=b"\x07\x07\x04\0\0\0\0" * 2)), "", FOUR),
    Case("IP: timestamps", one(ACCEPT.but(ip_options=b"\x44\x08\x05\0\0\0\0\0")), "open", FOUR),
    Case("IP: timestamps full, overflow 15", one(ACCEPT.but(ip_options=b"\x44\x08\x09\xf0\0\0\0\0")), "", FOUR),
    Case("IP: timestamps, pointer 4", one(ACCEPT.but(ip_options=b"\x44\x08\x04\0\0\0\0\0")), "", FOUR),
    Case("IP: timestamps twice", one(ACCEPT.but(ip_options=b"\x44\x08\x05\0\0\0\0\0" * 2)), "", FOUR),
    Case("IP: timestamps with addresses", one(ACCEPT.but(ip_options=b"\x44\x0c\x05\x01" + bytes(8))), "open", FOUR),
    Case("IP: timestamps, no room for one more", one(ACCEPT.but(ip_options=b"\x44\x08\x05\x01" + bytes(4))), "", FOUR),
    Case("IP: timestamps full, overflow 14", one(ACCEPT.but(ip_options=b"\x44\x08\x09\xe0\0\0\0\0")), "open", FOUR),
    Case("IP: loose source route", one(ACCEPT.but(ip_options=LSRR)), "", FOUR),
    Case("IP: strict source route", one(ACCEPT.but(ip_options=b"\x89" + LSRR[1:])), "", FOUR),
    Case("IP: source route, used up", one(ACCEPT.but(ip_options=b"\x83\x07\x08\xc6\x12\0\x09")), "", FOUR),
    Case("IP: option of size 0", one(ACCEPT.but(ip_options=b"\x94\0\0\0")), "", FOUR),
    Case("IP: option of size 1", one(ACCEPT.but(ip_options=b"\xde\x01\0\0")), "", FOUR),
    Case("IP: option overruns", one(ACCEPT.but(ip_options=b"\xde\x05\0\0")), "", FOUR),
    Case("IP: kind without a size", one(ACCEPT.but(ip_options=NOP * 3 + b"\xde")), "", FOUR),
    Case("IP: unknown option", one(ACCEPT.but(ip_options=b"\xde\x04ab")), "open", FOUR),
    Case("IP: garbage behind the end", one(ACCEPT.but(ip_options=b"\0\xde\x09\x01")), "open", FOUR),
    Case("IP: CIPSO", one(ACCEPT.but(ip_options=b"\x86\x06\0\0\0\x01")), "", FOUR),
    Case("IP: commercial security", one(ACCEPT.but(ip_options=b"\x82\x03\x01")), "open", FOUR),
]

PADN, PAD_DIRTY = b"\x01\x04\0\0\0\0", b"\x01\x04\0\0\0\x01"
SPACED = bytes(7) + (b"\x1e\0" + bytes(7)) * 7  # seven options, as much padding around each as may be
EXTENSIONS = [
    Case(f"IPv6: {name}", one(ACCEPT.but(extensions=extensions)), kernel, SIX)
    for name, extensions, kernel in [
        ("hop-by-hop, padding", [listed(HOP_BY_HOP, PADN)], "open"),
        ("hop-by-hop, router alert", [listed(HOP_BY_HOP, b"\x05\x02\0\0\x01\0")], "open"),
        ("hop-by-hop, router alert of size 3", [listed(HOP_BY_HOP, b"\x05\x03\0\0\x01\0")], ""),
        ("hop-by-hop, unknown to skip", [listed(HOP_BY_HOP, b"\x1e\x04abcd")], "open"),
        ("hop-by-hop, unknown to drop", [listed(HOP_BY_HOP, b"\x5e\x04abcd")], ""),
        ("hop-by-hop, unknown to complain of", [listed(HOP_BY_HOP, b"\x9e\x04abcd")], ""),
        ("hop-by-hop, overruns", [listed(HOP_BY_HOP, b"\x1e\x05abcd")], ""),
        ("hop-by-hop, kind without a size", [listed(HOP_BY_HOP, PADN[:2] + b"\x03\0\0\0\x1e")], ""),
        ("hop-by-hop, dirty padding", [listed(HOP_BY_HOP, PAD_DIRTY)], ""),
        ("hop-by-hop, too much padding", [(HOP_BY_HOP, b"\x01" + bytes(14))], ""),
        ("hop-by-hop, seven bytes of padding", [(HOP_BY_HOP, b"\x01\x1e\x05abcde" + bytes(7))], "open"),
        ("hop-by-hop, eight bytes of padding", [(HOP_BY_HOP, b"\x01\x1e\x04abcd" + bytes(8))], ""),
        ("hop-by-hop, eight options", [listed(HOP_BY_HOP, b"\x1e\0" * 8)], "open"),
        ("hop-by-hop, nine options", [listed(HOP_BY_HOP, b"\x1e\0" * 9)], ""),
        ("destination options, all that may be", [(DESTINATION, b"\x0a" + SPACED + b"\x1e\x07" + bytes(14))], "open"),
        ("destination options, one byte more", [(DESTINATION, b"\x0a" + SPACED + b"\x1e\x06" + bytes(14))], ""),
        ("hop-by-hop beyond the packet", [(HOP_BY_HOP, b"\xff\x01\x04\0\0\0\0")], ""),
        ("hop-by-hop, second", [listed(DESTINATION, PADN), listed(HOP_BY_HOP, PADN)], ""),
        ("hop-by-hop twice", [listed(HOP_BY_HOP, PADN)] * 2, ""),
        ("destination options", [listed(DESTINATION, PADN)], "open"),
        ("destination options twice", [listed(DESTINATION, PADN)] * 2, "open"),
        ("destination options, unknown to skip", [listed(DESTINATION, b"\x1e\x04abcd")], "open"),
        ("destination options, unknown to drop", [listed(DESTINATION, b"\x5e\x04abcd")], ""),
        ("destination options, router alert", [listed(DESTINATION, b"\x05\x02\0\0\x01\0")], "open"),
        ("destination options, router alert of size 3", [listed(DESTINATION, b"\x05\x01\0")], "open"),
        ("destination options, jumbo", [listed(DESTINATION, b"\xc2\x04\0\0\0\0")], ""),
        ("routing, nothing left", [routing(0, 0)], "open"),
        ("routing, unknown, nothing left", [routing(99, 0)], "open"),
        ("routing, one left", [routing(99, 1)], ""),
        ("source routing, one left", [routing(0, 1)], ""),
        ("mobile routing, nothing left", [routing(2, 0)], "open"),
        ("RPL routing, nothing left", [routing(3, 0)], ""),
        ("segment routing, nothing left", [routing(4, 0)], ""),
        ("atomic fragment", [ATOMIC], "open"),
        ("atomic fragment twice", [ATOMIC, ATOMIC], ""),
        ("atomic fragment, reserved bits", [(44, b"\xff\0\x06\0\0\0\x07")], "open"),
        ("all of them", [listed(HOP_BY_HOP, PADN), listed(DESTINATION, PADN), routing(0, 0), ATOMIC,
                         listed(DESTINATION, PADN)], "open"),
        ("authentication", [(AUTHENTICATION, b"\x04" + bytes(22))], ""),
        ("no next header", [(59, bytes(7))], ""),
        ("mobility", [(135, b"\0" + bytes(6))], ""),
    ]
]  # fmt: skip

LONG = ACCEPT.but(options=NOP * 40)  # 60 bytes of TCP


def cut(answer: Answer, *places: int, order: tuple[int, ...] | None = None) -> Packets:
    def packets(syn: Asked) -> list[bytes]:
        pieces = fragments(answer.to(syn), *places)
        return [pieces[at] for at in order] if order else pieces

    return packets


def pieces(*edges: tuple[int, int], end: int = 60) -> Packets:
    """Any pieces of one answer, overlapping or not; those that reach `end` say that they are the last."""
    return lambda syn: [fragment(LONG.to(syn), Piece(start, stop, stop == end)) for start, stop in edges]


def mixed_identity(syn: Asked) -> list[bytes]:
    packet = LONG.to(syn)
    return [fragment(packet, Piece(0, 24, False)), fragment(packet, Piece(24, 60, True), 1)]


def mixed_ecn(syn: Asked) -> list[bytes]:
    return [fragments(LONG.but(tos=tos).to(syn), 24)[at] for at, tos in ((0, 0), (1, 3))]


def ended_by_duplicate(syn: Asked) -> list[bytes]:
    packet = LONG.but(payload=bytes(4)).to(syn)
    return [fragment(packet, Piece(0, 64, False)), fragment(packet, Piece(24, 64, True))]


DESTINATION_8 = [listed(DESTINATION, PADN)]
FRAGMENTS = [
    Case("two fragments", cut(LONG, 24), "open"),
    Case("reset in two fragments", cut(RESET.but(payload=bytes(20)), 24), "closed"),
    Case("five fragments", cut(LONG, 24, 32, 40, 48), "open"),
    Case("fragments backwards", cut(LONG, 24, 32, order=(2, 1, 0)), "open"),
    Case("the last one missing", cut(LONG, 24, 32, order=(0, 1)), ""),
    Case("the first one missing", cut(LONG, 24, 32, order=(1, 2)), ""),
    Case("the middle one missing", cut(LONG, 24, 32, order=(0, 2)), ""),
    Case("a fragment twice", cut(LONG, 24, 32, order=(0, 0, 1, 1, 2)), "open"),
    Case("fragments overlap", pieces((0, 32), (24, 60)), ""),
    Case("a fragment inside another", pieces((0, 40), (24, 32), (40, 60)), "open"),
    Case("a fragment inside a run of two", pieces((0, 24), (24, 40), (0, 40), (40, 60)), "open"),
    Case("the end is told by a duplicate", ended_by_duplicate, ""),
    Case("a fragment over two runs", pieces((0, 24), (32, 40), (24, 32), (24, 40), (40, 60)), ""),
    Case("a fragment around another", pieces((24, 32), (0, 40), (40, 60)), ""),
    Case("overlap, then all of them anew", pieces((0, 32), (24, 40), (0, 32), (32, 60)), "open"),
    Case("overlap, then the rest only", pieces((0, 32), (24, 40), (32, 60)), ""),
    Case("a second end before the first", pieces((0, 32), (48, 60), (32, 60)), ""),
    Case("more behind the end", pieces((32, 40), (40, 60), (0, 32), end=40), ""),
    Case("empty fragment first", pieces((32, 32), (0, 32), (32, 60)), "open"),
    Case("empty fragment in between", pieces((0, 32), (32, 32), (32, 60)), ""),
    Case("length not a multiple of 8", pieces((0, 37), (32, 60)), "open", FOUR),
    Case("length not a multiple of 8", pieces((0, 37), (32, 60)), "", SIX),
    Case("length not a multiple of 8, then right", pieces((0, 37), (0, 32), (32, 60)), "open"),
    Case("TCP header cut", cut(LONG, 16), "open", FOUR),
    Case("TCP header cut", cut(LONG, 16), "", SIX),
    Case("ports alone", cut(LONG, 8), "open", FOUR),
    Case("other identity", mixed_identity, ""),
    Case("fragments with a bad checksum", cut(LONG.but(xor=1), 24), ""),
    Case("fragments with wrong ack", cut(LONG.but(ack=2), 24), ""),
    Case("not-ECT and CE mixed", mixed_ecn, ""),
    Case("fragments with IP options", cut(LONG.but(ip_options=b"\x94\x04\0\0"), 24), "open", FOUR),
    Case("fragments of a packet with options", cut(LONG.but(extensions=DESTINATION_8), 32), "open", SIX),
    # RFC 7112 forbids this one, and nobody sends it. The kernel looks no further than the header that is there.
    Case("header chain cut", cut(LONG.but(extensions=DESTINATION_8 * 2), 8), "open", SIX, engine=""),
    Case("hop-by-hop in fragments", cut(LONG.but(extensions=[listed(HOP_BY_HOP, PADN)]), 32), "", SIX),
    Case("atomic fragment in fragments", cut(LONG.but(extensions=[ATOMIC]), 32), "", SIX),
]


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

CASES = [*FLAGS, *FORM, *TCP_OPTIONS, *IP_OPTIONS, *EXTENSIONS, *FRAGMENTS, *ICMP_ERRORS, *QUOTES, *MIXED]
EACH = [(case, version) for case in CASES for version in case.versions]
