"""The TCP state of our side (RFC 9293 section 3.3.2), told from the packets that were seen leave and arrive.

Nobody asks the kernel: what it sends shows what it made of what it got. A packet that a TCP must ignore changes
nothing here either, and the remark, which then ends in IGNORED, says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from probe.core.dissect import ACK, FIN, RST, SYN, IcmpError, Segment


class TcpState(StrEnum):
    CLOSED = "CLOSED"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"


S = TcpState
IGNORED = ": ignored"
_WE_FINISH = {S.ESTABLISHED: S.FIN_WAIT_1, S.CLOSE_WAIT: S.LAST_ACK}
_FINISH_ACKED = {S.FIN_WAIT_1: S.FIN_WAIT_2, S.CLOSING: S.TIME_WAIT, S.LAST_ACK: S.CLOSED}
_THEY_FINISH = {S.ESTABLISHED: S.CLOSE_WAIT, S.FIN_WAIT_1: S.CLOSING, S.FIN_WAIT_2: S.TIME_WAIT}


def ahead(left: int, right: int) -> int:
    """How far `left` is ahead of `right`, as sequence numbers go: modulo 2**32, negative where it is behind."""
    return (left - right + (1 << 31)) % (1 << 32) - (1 << 31)


@dataclass
class Endpoint:
    """Our side of one connection. The sequence variables have the RFC's names; None until they are known."""

    state: TcpState = TcpState.CLOSED
    iss: int | None = None
    irs: int | None = None
    snd_nxt: int = 0
    rcv_nxt: int = 0
    _our_fin: int | None = None  # the number after our FIN
    _their_fin: int | None = None
    _they_finished: bool = False

    @property
    def received(self) -> int:
        """Bytes from the peer that were taken in."""
        return 0 if self.irs is None else (self.rcv_nxt - self.irs - 1 - self._they_finished) % (1 << 32)

    def left(self, segment: Segment) -> str:
        """We sent this; what is special about it, or nothing."""
        if segment.flags & SYN and self.iss is None:
            self.iss, self.snd_nxt = segment.seq, segment.seq
            self.state = S.SYN_SENT
        if segment.flags & RST:
            self.state = S.CLOSED
            return ""
        end = _end(segment)
        again = end != segment.seq and ahead(end, self.snd_nxt) <= 0
        if not again:
            self.snd_nxt = end
        if again and segment.flags & SYN and self.state is S.CLOSED:
            self.state = S.SYN_SENT  # the kernel was busy with the socket when the error came (tcp_v4_err, sk_err_soft)
            return "retransmission: the error was only noted"
        if segment.flags & ACK and self.irs is not None:
            self._accepted(segment.ack)  # our kernel says how far it has come, holes filled
        if segment.flags & FIN and self._our_fin is None:
            self._our_fin = end
            self.state = _WE_FINISH.get(self.state, self.state)
        return "retransmission" if again else ""

    def arrived(self, segment: Segment) -> str:
        """The peer sent this; what is special about it, or nothing."""
        if segment.damaged:
            return f"wrong checksum{IGNORED}"
        if self.state is S.CLOSED:
            return "after the end"
        return self._answer(segment) if self.state is S.SYN_SENT else self._later(segment)

    def quoted(self, error: IcmpError) -> str:
        """An ICMP error about a packet of ours. Linux ends a connection that is being made, and no other."""
        if error.damaged:
            return f"wrong checksum{IGNORED}"
        if self.iss is None:
            return "about a packet that never left"
        if self.state is S.CLOSED:
            return "after the end"
        if not 0 <= ahead(error.seq, self.iss) <= ahead(self.snd_nxt, self.iss):
            return f"quotes no packet of ours{IGNORED}"
        if error.reason is None:
            return ""
        if self.state is S.SYN_SENT:
            self.state = S.CLOSED
            return ""
        return "no reason to end a connection: noted only"

    def _answer(self, segment: Segment) -> str:
        """RFC 9293 section 3.10.7.3: what may answer a SYN."""
        if segment.flags & ACK and segment.ack != self.snd_nxt:
            return f"acknowledges what was never sent{IGNORED}"
        if segment.flags & RST:
            if not segment.flags & ACK:
                return f"acknowledges nothing{IGNORED}"
            self.state = S.CLOSED
            return ""
        if not segment.flags & SYN:
            return f"neither SYN nor RST{IGNORED}"
        self.irs, self.rcv_nxt = segment.seq, (segment.seq + 1) % (1 << 32)
        self.state = S.ESTABLISHED if segment.flags & ACK else S.SYN_RECEIVED
        return "" if segment.flags & ACK else "both sides open at once"

    def _later(self, segment: Segment) -> str:
        if segment.flags & RST:
            if segment.seq != self.rcv_nxt:  # RFC 5961 section 3.2
                return f"not the number that is expected{IGNORED}"
            self.state = S.CLOSED
            return ""
        if segment.flags & SYN:
            return "retransmission" if segment.seq == self.irs else f"a SYN in a connection{IGNORED}"
        if not segment.flags & ACK:
            return f"acknowledges nothing{IGNORED}"
        if ahead(segment.ack, self.snd_nxt) > 0:
            return f"acknowledges what was never sent{IGNORED}"
        return self._synchronized(segment)

    def _synchronized(self, segment: Segment) -> str:
        if self.state is S.SYN_RECEIVED:
            self.state = S.ESTABLISHED
        if self._our_fin is not None and segment.ack == self._our_fin:
            self.state = _FINISH_ACKED.get(self.state, self.state)
        end = _end(segment)
        if end != segment.seq and ahead(end, self.rcv_nxt) <= 0:
            return "retransmission"
        if segment.flags & FIN:
            self._their_fin = end
        if ahead(segment.seq, self.rcv_nxt) > 0 and end != segment.seq:
            return "out of order"
        self._accepted(end)
        return ""

    def _accepted(self, number: int) -> None:
        """Everything before this number was taken in; the peer's FIN too, if it stands there."""
        if ahead(number, self.rcv_nxt) > 0:
            self.rcv_nxt = number
        if self._their_fin is not None and ahead(self.rcv_nxt, self._their_fin) >= 0:
            self._their_fin, self._they_finished = None, True
            self.state = _THEY_FINISH.get(self.state, self.state)


def _end(segment: Segment) -> int:
    """The number after the segment: SYN and FIN take one each."""
    return (segment.seq + segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN)) % (1 << 32)
