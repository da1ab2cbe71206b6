"""scapy's word on the packets that we stamp: what `probe doctor` and the tests hold them against."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from probe.net.craft import HOPS, WINDOW


def syn(
    source: IPv4Address | IPv6Address,
    destination: IPv4Address | IPv6Address,
    sport: int,
    dport: int,
    seq: int,
    *,
    tsval: int,
    tos: int = 0,
) -> bytes:
    """The SYN of `frames.syn4` or `syn6`, lengths and checksums left to scapy. Both addresses are of one family."""
    size = 1460 if source.version == 4 else 1440
    options = [("MSS", size), ("SAckOK", b""), ("Timestamp", (tsval, 0)), ("NOP", None), ("WScale", 7)]
    tcp = TCP(sport=sport, dport=dport, seq=seq, flags="S", window=WINDOW, options=options)
    ends = {"src": str(source), "dst": str(destination)}
    if source.version == 4:
        return bytes(IP(**ends, flags="DF", ttl=HOPS, tos=tos, id=seq & 0xFFFF) / tcp)
    return bytes(IPv6(**ends, hlim=HOPS, tc=tos) / tcp)
