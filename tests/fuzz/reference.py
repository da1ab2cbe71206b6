"""What each frame means to somebody slow: one frame at a time, from the RFCs, without a column anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.core.crafted import Asked
from tests.core.slow_fragments import SlowFragments, read
from tests.core.slow_replies import Packet, Row, Told, address, believed

Probe = tuple[int, int, int, int]  # peer, its port, our address, our port

# By code: RFC 792, RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1; RFC 4443 section 3.1.
UNREACHABLE = {
    4: "net-unreach host-unreach proto-unreach port-unreach - net-unreach net-unreach host-unreach host-unreach "
    "net-prohibited host-prohibited net-unreach host-unreach admin-prohibited admin-prohibited admin-prohibited",
    6: "net-unreach admin-prohibited net-unreach host-unreach port-unreach admin-prohibited net-prohibited",
}
OTHERS = {(4, 11, 0): "time-exceeded", (6, 3, 0): "time-exceeded", (6, 4, 1): "proto-unreach"}


class Reference:
    """Knows the SYNs that were sent, from port `port` of ours, the first ones stamped `since`.

    `words` are what was concluded about each probe; `forged` counts as the engine's counter does.
    """

    def __init__(self, syns: Iterable[Asked], port: int, since: int) -> None:
        self.port, self.since = port, since
        self.cookies = {(address(syn.destination), syn.dport, address(syn.source), syn.sport): syn.seq for syn in syns}
        self.words: dict[Probe, set[str]] = {probe: set() for probe in self.cookies}
        self.forged = 0
        self.fragments = SlowFragments()
        self._hosts = {probe[0] for probe in self.cookies}

    def join(self, packets: list[Packet], now: float) -> Iterator[tuple[Packet | None, str]]:
        """What is left to read for each packet, None for nothing, and what joining did about it."""
        for packet in packets:
            piece = read(packet.data)
            if piece is None:
                yield packet, ""
            elif address(piece.key[0]) not in self._hosts:
                yield None, "fragment of a stranger"
            else:
                whole = self.fragments.take(piece, now)
                if whole is None:
                    yield packet, "fragment refused"
                else:
                    yield (Packet(whole) if whole else None), ("fragments joined" if whole else "fragment kept")

    def take(self, told: Told, until: int) -> str:
        """Conclude from what one packet says; the outcome in words. `until` is our timestamp clock."""
        if told.row is None:
            self.forged += told.kind == "tcp"
            return f"{told.kind} {told.fault}".strip()
        return self._tcp(told.row, until) if told.kind == "tcp" else self._icmp(told)

    def _tcp(self, row: Row, until: int) -> str:
        source, destination, sport, dport, _, ack, flags, _, _, _, echo, stamped = row
        probe = (source, sport, destination, dport)
        cookie = self.cookies.get(probe)
        word = "" if cookie is None else believed(flags, ack, echo if stamped else None, cookie, self.since, until)
        if word:
            self.words[probe].add(word)
            return word
        self.forged += dport == self.port
        if cookie is None:
            return "tcp to us, forged tuple" if dport == self.port else "tcp to others"
        return "tcp, right tuple, not believed"

    def _icmp(self, told: Told) -> str:
        assert told.row is not None
        _, source, destination, sport, dport, seq, version, kind, code, _ = told.row
        probe = (destination, dport, source, sport)
        if self.cookies.get(probe) != seq:
            self.forged += sport == self.port
            return "icmp quotes us, forged" if sport == self.port else "icmp quotes others"
        word = reason(version, kind, code)
        if not word:
            return "icmp that says nothing"
        self.words[probe].add(word)
        return f"icmp {word}"


def reason(version: int, kind: int, code: int) -> str:
    """The word for an ICMP error; "" for one that says nothing about a port."""
    if kind == (3 if version == 4 else 1):
        names = UNREACHABLE[version].split()
        return names[code].strip("-") if code < len(names) else ""
    return OTHERS.get((version, kind, code), "")
