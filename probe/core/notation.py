"""A packet in tcpdump's notation, with each sequence number absolute and (in brackets) relative to its side's first."""

from __future__ import annotations

from probe.core.dissect import ACK, FIN, RST, SYN, IcmpError, Segment

_LETTERS = ((1, "F"), (2, "S"), (4, "R"), (8, "P"), (16, "."), (32, "U"), (64, "E"), (128, "W"))


def letters(flags: int) -> str:
    """`S.`, `F.`, `P.`, as tcpdump writes them; `none` without any."""
    return "".join(letter for bit, letter in _LETTERS if flags & bit) or "none"


def name(segment: Segment) -> str:
    """What people call it: SYN, SYN-ACK, ACK, data, FIN, RST."""
    if segment.flags & RST:
        return "RST" if not segment.flags & SYN else "SYN-RST"
    if segment.flags & SYN:
        return "SYN-ACK" if segment.flags & ACK else "SYN"
    words = ["data"] * (segment.length > 0) + ["FIN"] * bool(segment.flags & FIN)
    return " and ".join(words) or ("ACK" if segment.flags & ACK else "no flags")


def segment_fields(segment: Segment, first_seq: int | None, first_ack: int | None) -> list[str]:
    """`Flags [S.]`, `seq 27 (0)`, `ack 42 (1)`, `win 65160`, `options [mss 1460,…]`, `ttl 62`, `length 0`.

    `first_seq` and `first_ack` are the initial sequence numbers of sender and receiver, None where not known.
    """
    parts = [f"Flags [{letters(segment.flags)}]", f"seq {_seq(segment, first_seq)}"]
    if segment.flags & ACK:
        parts.append(f"ack {_both(segment.ack, first_ack)}")
    parts.append(f"win {segment.window}")
    if segment.options:
        parts.append(f"options [{','.join(segment.options)}]")
    return [*parts, f"{_ttl(segment)} {segment.ttl}", f"length {segment.length}"]


def icmp_fields(error: IcmpError, first_seq: int | None) -> list[str]:
    """`ICMP admin-prohibited (type 3 code 13) from 198.18.0.1`, `quotes seq 42 (0)`, `ttl 64`."""
    family = "ICMP" if error.sender.version == 4 else "ICMPv6"
    said = f" {error.reason}" if error.reason else ""
    kind = f"{family}{said} (type {error.type} code {error.code})"
    quote = f"quotes seq {_both(error.seq, first_seq)}"
    return [f"{kind} from {error.sender}", quote, f"{_ttl(error)} {error.ttl}"]


def relative(number: int, first: int | None) -> int | None:
    """`number` counted from `first`, modulo 2**32."""
    return None if first is None else (number - first) % (1 << 32)


def _seq(segment: Segment, first: int | None) -> str:
    if not segment.length:
        return _both(segment.seq, first)
    end = (segment.seq + segment.length) % (1 << 32)
    start = relative(segment.seq, first)
    short = "" if start is None else f" ({start}:{relative(end, first)})"
    return f"{segment.seq}:{end}{short}"


def _both(number: int, first: int | None) -> str:
    return str(number) if first is None else f"{number} ({relative(number, first)})"


def _ttl(packet: Segment | IcmpError) -> str:
    version = packet.source.version if isinstance(packet, Segment) else packet.sender.version
    return "ttl" if version == 4 else "hlim"
