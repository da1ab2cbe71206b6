"""The words of verdicts and findings, as records have them. Rooms take them from `model`, with the nouns.

States are nmap's; what users read of them is written down in the README.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What was seen, in nmap's words; `unknown` where nothing may be concluded."""

    OPEN = "open"
    CLOSED = "closed"
    FILTERED = "filtered"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """The packet, or its absence, that decided the state."""

    SYN_ACK = "syn-ack"
    RESET = "reset"
    NO_RESPONSE = "no-response"
    NET_UNREACH = "net-unreach"
    HOST_UNREACH = "host-unreach"
    PROTO_UNREACH = "proto-unreach"
    PORT_UNREACH = "port-unreach"
    NET_PROHIBITED = "net-prohibited"
    HOST_PROHIBITED = "host-prohibited"
    ADMIN_PROHIBITED = "admin-prohibited"
    TIME_EXCEEDED = "time-exceeded"
    CONFLICT = "conflict"
    NOT_SENT = "not-sent"
    CANARY_SILENT = "canary-silent"
    INTERRUPTED = "interrupted"


class Cause(StrEnum):
    """What the state means for whoever wrote the rule."""

    LISTENING = "listening"
    TCPWRAPPED = "tcpwrapped"
    HALF_OPEN = "half-open"
    REFUSED = "refused"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    DROPPED = "dropped"
    UNDETERMINED = "undetermined"


class Handshake(StrEnum):
    """How the completed handshake went on."""

    ANSWERED = "answered"
    MUTE = "mute"
    CLOSED = "closed"
    RESET = "reset"
    FAILED = "failed"


class Outcome(StrEnum):
    """What a finding says of its expectation."""

    MET = "met"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


class Proof(StrEnum):
    """Whether the host of a met deny was seen to live: `unproven` where it may just be off."""

    PROVEN = "proven"
    UNPROVEN = "unproven"
