"""What the answers mean: the tables. Reply kind -> (state, reason), evidence -> cause.

State and reason say what was seen; the cause says what it means, and stays `undetermined` wherever two explanations fit
the same packets. Nothing here guesses, and nothing here looks at the network.
"""

from __future__ import annotations

from probe.model import Cause, Handshake, Reason

# (IP version, type, code) of RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1 and RFC 4443 section 3.1.
# What is missing (fragmentation needed, parameter problem) says nothing about the port.
ICMP_REASONS: dict[tuple[int, int, int], Reason] = {
    (4, 3, 0): Reason.NET_UNREACH,
    (4, 3, 1): Reason.HOST_UNREACH,
    (4, 3, 2): Reason.PROTO_UNREACH,
    (4, 3, 3): Reason.PORT_UNREACH,
    (4, 3, 5): Reason.NET_UNREACH,
    (4, 3, 6): Reason.NET_UNREACH,
    (4, 3, 7): Reason.HOST_UNREACH,
    (4, 3, 8): Reason.HOST_UNREACH,
    (4, 3, 9): Reason.NET_PROHIBITED,
    (4, 3, 10): Reason.HOST_PROHIBITED,
    (4, 3, 11): Reason.NET_UNREACH,
    (4, 3, 12): Reason.HOST_UNREACH,
    (4, 3, 13): Reason.ADMIN_PROHIBITED,
    (4, 3, 14): Reason.ADMIN_PROHIBITED,
    (4, 3, 15): Reason.ADMIN_PROHIBITED,
    (4, 11, 0): Reason.TIME_EXCEEDED,
    (6, 1, 0): Reason.NET_UNREACH,
    (6, 1, 1): Reason.ADMIN_PROHIBITED,
    (6, 1, 2): Reason.NET_UNREACH,
    (6, 1, 3): Reason.HOST_UNREACH,
    (6, 1, 4): Reason.PORT_UNREACH,
    (6, 1, 5): Reason.ADMIN_PROHIBITED,
    (6, 1, 6): Reason.NET_PROHIBITED,
    (6, 3, 0): Reason.TIME_EXCEEDED,
    (6, 4, 1): Reason.PROTO_UNREACH,  # "unrecognized next header": a host without TCP (RFC 4443 section 3.4)
}

# A router's word about a route is a soft error (RFC 1122 section 4.2.3.9): the next packet may get through.
SOFT = frozenset({Reason.NET_UNREACH, Reason.HOST_UNREACH, Reason.TIME_EXCEEDED})

HANDSHAKE_CAUSES: dict[Handshake | None, Cause] = {
    None: Cause.HALF_OPEN,
    Handshake.ANSWERED: Cause.LISTENING,
    Handshake.MUTE: Cause.LISTENING,
    Handshake.CLOSED: Cause.TCPWRAPPED,
    Handshake.RESET: Cause.TCPWRAPPED,
    Handshake.FAILED: Cause.UNDETERMINED,
}


def icmp_cause(reason: Reason, live: bool) -> Cause:
    """A prohibition is a rule's word. "No route" is one too when the host is seen alive: somebody says it in spite."""
    if reason is Reason.TIME_EXCEEDED:
        return Cause.UNREACHABLE
    return Cause.REJECTED if reason not in SOFT or live else Cause.UNREACHABLE


def flag_letters(flags: int) -> str:
    """TCP flags in the order S A F R P U: `SA`, `AR`."""
    return "".join(letter for letter, bit in zip("SAFRPU", (2, 16, 1, 4, 8, 32), strict=True) if flags & bit)
