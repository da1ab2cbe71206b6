"""Segments: their flags, their form, their options."""

from __future__ import annotations

from tests.core.case import ACCEPT, FOUR, RESET, Case, as_mapped, nearby, one
from tests.core.crafted import ACK, CWR, ECE, FIN, NOP, PSH, RST, SYN, URG

SIGNED = NOP + NOP + b"\x13\x12" + bytes(16)
AUTHENTIC = b"\x1d\x10" + bytes(14)

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
