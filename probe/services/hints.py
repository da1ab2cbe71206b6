"""What the number of a port is good for: the order of our questions and how long to wait, never the answer."""

from __future__ import annotations

from probe.services import likely

GREETING = 0.4  # seconds for a server that speaks first
SLOW_GREETING = 1.5  # where such a server usually sits: many look our name up before they greet
ANSWER = 1.0  # seconds for the answer to a hello
QUIET = 0.15  # seconds of silence after which an answer is taken as complete
TLS = 2.0  # seconds for a TLS handshake
STAGGER = 0.06  # seconds between two hellos to a port that stays silent: a dozen and more wait at the same time

PRINTERS = likely.PRINTERS


def greeting_patience(port: int, secure: bool = False) -> float:
    """Seconds to wait for a server that speaks first, before or (`secure`) inside TLS."""
    return SLOW_GREETING if port in (likely.GREETERS_IN_TLS if secure else likely.GREETERS) else GREETING


def tiers(port: int) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names of the hellos in three tiers: what the number suggests, what sits anywhere, the rest. None comes twice."""
    first = likely.FIRST.get(port, ())
    general = tuple(name for name in likely.GENERAL if name not in first)
    return first, general, tuple(name for name in likely.REST if name not in first)


def hellos(port: int) -> tuple[str, ...]:
    """All tiers in one, most likely first."""
    first, general, rest = tiers(port)
    return first + general + rest


def hellos_inside_tls(port: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*likely.INSIDE_TLS.get(port, ()), *likely.GENERAL_INSIDE_TLS)))


def alpn(port: int) -> tuple[str, ...]:
    """HTTP/1.1 is offered where web servers may sit; mail servers and the like have no name for what they speak."""
    return () if port in likely.GREETERS_IN_TLS or port in likely.INSIDE_TLS else ("http/1.1",)
