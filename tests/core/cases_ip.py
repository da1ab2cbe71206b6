"""What a segment may come in: IPv4 options, IPv6 extension headers, fragments."""

from __future__ import annotations

from tests.core.case import ACCEPT, FOUR, RESET, SIX, Case, Packets, one
from tests.core.crafted import (
    ATOMIC,
    AUTHENTICATION,
    DESTINATION,
    HOP_BY_HOP,
    NOP,
    PADN,
    Answer,
    Asked,
    Piece,
    fragment,
    fragments,
    listed,
    routing,
)

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

PAD_DIRTY = b"\x01\x04\0\0\0\x01"
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
