"""A connection told packet by packet, for the tests of what a trace shows.

`talk` takes lines like `> S 0`, `< SA 0 1`, `< PA 0 1 hello`: direction, scapy's flags, relative seq and ack, data. The
peer's numbers begin at THEIRS, ours at OURS; both wrap around soon.
"""

from __future__ import annotations

import ipaddress

from scapy.layers.inet import ICMP, IP, TCP
from scapy.packet import Raw

from probe.core.story import Story, Tuple4
from probe.core.tcpstate import TcpState

US, THEM, ROUTER = "198.18.0.10", "198.18.2.20", "198.18.0.1"
OURS, THEIRS = 2**32 - 2, 2**32 - 3
SPORT, DPORT = 40000, 80
ENDS = Tuple4(ipaddress.ip_address(US), SPORT, ipaddress.ip_address(THEM), DPORT)
STEP_NS = 1_000_000


def segment(line: str, *, window: int = 65160, ttl: int = 62, stamps: tuple[int, int] | None = None) -> bytes:
    given = line.split()
    direction, flags, seq, ack, data = *given, *("0", "0", "")[len(given) - 2 :]
    out = direction == ">"
    mine, other = (OURS, THEIRS) if out else (THEIRS, OURS)
    tcp = TCP(
        sport=SPORT if out else DPORT,
        dport=DPORT if out else SPORT,
        flags="" if flags == "-" else flags,
        seq=(mine + int(seq)) % 2**32,
        ack=(other + int(ack)) % 2**32 if "A" in flags else 0,
        window=window,
        options=[("Timestamp", stamps)] if stamps else [],
    )
    ip = IP(src=US, dst=THEM) if out else IP(src=THEM, dst=US, ttl=ttl)
    return bytes(ip / tcp / Raw(data.encode()))


def error(kind: int, code: int, sender: str = ROUTER, seq: int = 0) -> bytes:
    """An ICMP error about our SYN."""
    syn = bytes(IP(src=US, dst=THEM) / TCP(sport=SPORT, dport=DPORT, seq=(OURS + seq) % 2**32, flags="S"))
    return bytes(IP(src=sender, dst=US) / ICMP(type=kind, code=code) / Raw(syn))


def told(*packets: str | bytes, gap_ns: int = STEP_NS) -> Story:
    """A story of these packets, one every `gap_ns`."""
    story = Story(ENDS)
    for number, packet in enumerate(packets):
        assert story.add(number * gap_ns, segment(packet) if isinstance(packet, str) else packet)
    return story


def states(*packets: str | bytes) -> list[TcpState]:
    return [step.state for step in told(*packets).steps]


def remarks(*packets: str | bytes) -> list[str]:
    return [step.remark for step in told(*packets).steps]


HELLO = ("> S 0", "< SA 0 1", "> A 1 1")
