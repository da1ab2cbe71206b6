"""One connection as it was seen: the packets in order, and the state of our side after each."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from probe.core.dissect import ACK, RST, SYN, IcmpError, Segment, dissect
from probe.core.tcpstate import IGNORED, Endpoint, TcpState
from probe.model import Address


class Tuple4(Struct, frozen=True):
    """Both ends of the connection."""

    source: Address
    sport: int
    target: Address
    dport: int


class Step(Struct, frozen=True):
    """One packet. `iss` and `irs` are what relative numbers count from, None where not known yet.

    `since_ns` is the time since the packet before, None for the first. `state` is ours after the packet, `remark` what
    is special about it, or empty.
    """

    number: int
    time_ns: int
    since_ns: int | None
    outgoing: bool
    packet: Segment | IcmpError
    state: TcpState
    remark: str
    iss: int | None
    irs: int | None

    @property
    def ignored(self) -> bool:
        """A TCP takes no notice of it."""
        return self.remark.endswith(IGNORED)


class Story:
    """Feed it what a packet socket brings; it keeps what belongs to the connection."""

    def __init__(self, ends: Tuple4) -> None:
        self.ends = ends
        self.endpoint = Endpoint()
        self.steps: list[Step] = []

    def add(self, time_ns: int, packet: bytes, *, intact: bool = False) -> Step | None:
        """The step that it is, None if it belongs to something else."""
        parsed = dissect(packet, intact=intact)
        if parsed is None or not self._ours(parsed):
            return None
        outgoing = isinstance(parsed, Segment) and self._from_us(parsed)
        remark = self._tell(parsed, outgoing)
        since = time_ns - self.steps[-1].time_ns if self.steps else None
        known = self.endpoint.iss, self._irs(parsed, outgoing)
        step = Step(len(self.steps) + 1, time_ns, since, outgoing, parsed, self.endpoint.state, remark, *known)
        self.steps.append(step)
        return step

    def _ours(self, packet: Segment | IcmpError) -> bool:
        if isinstance(packet, IcmpError):
            quoted = packet.quoted_source, packet.sport, packet.quoted_destination, packet.dport
            return Tuple4(*quoted) == self.ends
        there = Tuple4(packet.source, packet.sport, packet.destination, packet.dport)
        back = Tuple4(packet.destination, packet.dport, packet.source, packet.sport)
        return self.ends in (there, back)

    def _from_us(self, segment: Segment) -> bool:
        return Tuple4(segment.source, segment.sport, segment.destination, segment.dport) == self.ends

    def _tell(self, packet: Segment | IcmpError, outgoing: bool) -> str:
        if isinstance(packet, IcmpError):
            return self.endpoint.quoted(packet)
        return self.endpoint.left(packet) if outgoing else self.endpoint.arrived(packet)

    def _irs(self, packet: Segment | IcmpError, outgoing: bool) -> int | None:
        """The peer's first number; a SYN of its own tells it even where our side ignores the packet."""
        if self.endpoint.irs is None and not outgoing and isinstance(packet, Segment) and packet.flags & SYN:
            return packet.seq
        return self.endpoint.irs

    # --- what was seen -------------------------------------------------------------------------------------------

    def segments(self, *, outgoing: bool, flags: int = 0) -> Iterator[tuple[Step, Segment]]:
        """Segments of one direction that have all of these flags, and were not ignored."""
        for step in self.steps:
            packet = step.packet
            if not isinstance(packet, Segment) or step.outgoing is not outgoing or step.ignored:
                continue
            if packet.flags & flags == flags:
                yield step, packet

    @property
    def attempts(self) -> int:
        """SYNs that left."""
        return sum(1 for _ in self.segments(outgoing=True, flags=SYN))

    @property
    def syn_ack(self) -> tuple[Step, Segment] | None:
        return next(self.segments(outgoing=False, flags=SYN | ACK), None)

    @property
    def completed(self) -> bool:
        """Our side acknowledged a SYN-ACK: the three packets of the handshake are there."""
        if self.syn_ack is None:
            return False
        number = self.syn_ack[0].number
        acks = self.segments(outgoing=True, flags=ACK)
        return any(step.number > number and not segment.flags & RST for step, segment in acks)

    @property
    def reset(self) -> tuple[Step, Segment] | None:
        return next(self.segments(outgoing=False, flags=RST), None)

    @property
    def error(self) -> tuple[Step, IcmpError] | None:
        """The first ICMP error that says why there is no connection."""
        for step in self.steps:
            if isinstance(step.packet, IcmpError) and step.packet.reason and not step.remark:
                return step, step.packet
        return None

    @property
    def received(self) -> int:
        """Bytes from the peer that our side took in."""
        return self.endpoint.received

    @property
    def first_data(self) -> Step | None:
        """The first packet of the peer with bytes in it."""
        return next((step for step, segment in self.segments(outgoing=False) if segment.length), None)

    @property
    def rtt_ms(self) -> float | None:
        """From the SYN that was answered to its SYN-ACK; None where it cannot be told which one was."""
        if self.syn_ack is None:
            return None
        step, answer = self.syn_ack
        syns = [
            (each.time_ns, syn) for each, syn in self.segments(outgoing=True, flags=SYN) if each.number < step.number
        ]
        if answer.timestamps and len(syns) > 1:  # the echo tells them apart (RFC 7323 section 4.1)
            syns = [(time, syn) for time, syn in syns if syn.timestamps and syn.timestamps[0] == answer.timestamps[1]]
        return (step.time_ns - syns[0][0]) / 1e6 if len(syns) == 1 else None
