"""A scripted host: packets in, (delay, packet) out. Pure: the same object plays in the lab and on the fake wire."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

from tests.cases.packets import FLAGS, ICMP, ICMPV6, TCP, Envelope, Segment, Syn, icmp_error, read_syn
from tests.cases.script import ICMP_ERRORS, Host, Step

# A router beyond the lab's own two, which is what the sender of an ICMP error looks like.
ROUTER = {4: ip_address("198.19.255.1").packed, 6: ip_address("fd18:9:ffff::1").packed}
_MSS = {4: 1460, 6: 1440}
_REST = {"too-big": 1400, "redirect": 0xC613FF02}  # the MTU, the other router


class Responder:
    """`hear` is told every packet and the time in seconds; it keeps count of the tries of each tuple."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._tries: Counter[tuple[bytes, int, int]] = Counter()
        self._free_at = 0.0

    def hear(self, packet: bytes, now: float) -> list[tuple[float, bytes]]:
        """What leaves, each with the seconds until then; nothing for all but SYNs."""
        syn = read_syn(packet)
        if syn is None:
            return []
        line = (syn.source, syn.sport, syn.dport)
        self._tries[line] += 1
        steps = [
            step
            for step in self._host.ports.get(syn.dport, self._host.any_port)
            if not step.tries or self._tries[line] in step.tries
        ]
        return [(self._delay(step, now), answer) for step in steps for answer in answers(syn, step)]

    def _delay(self, step: Step, now: float) -> float:
        if self._host.answers_per_second is None:
            return step.after
        self._free_at = max(self._free_at, now) + 1 / self._host.answers_per_second
        return self._free_at - now + step.after


def answers(syn: Syn, step: Step) -> Iterator[bytes]:
    """The packets of one step."""
    build = _tcp if step.tcp else _icmp
    for _ in range(step.times):
        yield from build(syn, step)


def _tcp(syn: Syn, step: Step) -> Iterator[bytes]:
    flags = sum(FLAGS[letter] for letter in step.tcp)
    reset = bool(flags & FLAGS["R"])
    source = _source(syn, step.source or "host")
    segment = Segment(
        sport=(syn.dport + step.port) & 0xFFFF,
        dport=syn.sport,
        seq=_seq(syn, reset) if step.seq is None else step.seq,
        ack=0 if step.zero_ack else (syn.seq + 1 + step.ack) & 0xFFFFFFFF,
        flags=flags,
        window=0 if reset else step.window,
        options=_options(syn, step, flags),
        payload=bytes(step.payload),
        words=step.words,
        spoil=0x5555 * step.bad_checksum,
    )
    # Linux echoes the DSCP of a SYN in its reset (net/ipv4/tcp_ipv4.c, tcp_v4_send_reset), a SYN-ACK has the socket's.
    tos = step.tos if step.tos is not None else syn.tos if reset else 0
    yield from _envelope(syn, step, source, tos).packets(TCP, segment.bytes(source, syn.source))


def _seq(syn: Syn, reset: bool) -> int:
    return 0 if reset else syn.seq * 2654435761 & 0xFFFFFFFF


def _options(syn: Syn, step: Step, flags: int) -> bytes:
    """A kernel's, in answer to ours (RFC 7323 section 3.2: the timestamp of the SYN comes back)."""
    if step.options is not None:
        return step.options
    if flags & (FLAGS["S"] | FLAGS["R"]) != FLAGS["S"]:
        return b""
    mss = struct.pack("!BBH", 2, 4, _MSS[syn.version])
    if syn.timestamp is None:
        return mss
    echo = (syn.timestamp + step.timestamp) & 0xFFFFFFFF
    return mss + struct.pack("!BBBBIIBBBB", 4, 2, 8, 10, 0x01020304, echo, 1, 3, 3, 7)


def _icmp(syn: Syn, step: Step) -> Iterator[bytes]:
    kind = ICMP_ERRORS[step.icmp][syn.version == 6]
    assert kind is not None, f"{step.icmp} is not for IPv{syn.version}"
    source = _source(syn, step.source or "router")
    rest, spoil = _REST.get(step.icmp, 0), 0x5555 * step.bad_checksum
    body = icmp_error(source, syn.source, *kind, _quote(syn, step), rest=rest, spoil=spoil)
    protocol = ICMP if syn.version == 4 else ICMPV6
    yield from _envelope(syn, step, source, step.tos or 0).packets(protocol, body)


def _quote(syn: Syn, step: Step) -> bytes:
    packet, change = bytearray(syn.packet), step.quote
    start = (packet[0] & 15) * 4 if syn.version == 4 else 40
    sport, dport, seq = (syn.sport + change.sport, syn.dport + change.dport, syn.seq + change.seq)
    struct.pack_into("!HHI", packet, start, sport & 0xFFFF, dport & 0xFFFF, seq & 0xFFFFFFFF)
    return bytes(packet)[: change.bytes] + bytes(change.pad)


def _source(syn: Syn, who: str) -> bytes:
    if who == "router":
        return ROUTER[syn.version]
    own = syn.destination
    return own if who == "host" else own[:-1] + bytes([own[-1] ^ 1])


def _envelope(syn: Syn, step: Step, source: bytes, tos: int) -> Envelope:
    return Envelope(
        source=source,
        destination=syn.source,
        ttl=step.ttl,
        tos=tos,
        options=step.ip_options,
        extension=step.extension,
        cuts=step.cuts,
        identity=(syn.sport ^ syn.seq) & 0xFFFF,
        trailer=bytes(step.trailer),
    )
