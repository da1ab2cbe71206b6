"""Packets made by scapy: the templates that the engine stamps. scapy is imported late, and only here.

The SYN is the Linux kernel's (net/ipv4/tcp_output.c, tcp_syn_options): MSS, SACK-permitted, timestamps, NOP, window
scale; window 64240; DF; TTL 64. Firewalls that tell scanners by their SYN take it for a client, because it is one.
"""

from __future__ import annotations

from functools import cache

from probe.core.frames import Templates

WINDOW = 64240
HOPS = 64


@cache
def syn_templates(tos: int = 0) -> Templates:
    """One SYN of each family, addresses, ports and sequence number zero. `tos` is the DSCP and ECN byte."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6

    def syn(mss: int) -> TCP:
        options = [("MSS", mss), ("SAckOK", b""), ("Timestamp", (0, 0)), ("NOP", None), ("WScale", 7)]
        return TCP(sport=0, dport=0, seq=0, flags="S", window=WINDOW, options=options, chksum=0)

    four = IP(src="0.0.0.0", dst="0.0.0.0", flags="DF", ttl=HOPS, tos=tos, id=0, chksum=0) / syn(1460)  # noqa: S104
    six = IPv6(src="::", dst="::", hlim=HOPS, tc=tos) / syn(1440)
    return Templates(bytes(four), bytes(six))
