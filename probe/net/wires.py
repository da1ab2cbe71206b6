"""Which wire carries a scan: the plain one unless the rate asks for more and this machine allows it.

Every wire gives the same verdicts; they differ in speed, and in what they need. What was wanted and cannot be had is
said in a warning, and the next best is taken, so that no scan fails for being in a hurry.
"""

from __future__ import annotations

from msgspec import Struct

from probe.errors import WireError
from probe.net.wire import Wire

FAST = 50_000  # packets a second, about what the plain wire's receiver keeps up with
FASTEST = 1_000_000  # what the packet wire's transmit falls short of
FEW = 5_000  # packets that the plain wire has sent before another one is open
NAMES = ("raw", "packet", "xdp")
_NEEDS = {
    "packet": "it needs the rights to administer the network: run as root, or with CAP_NET_RAW and CAP_NET_ADMIN",
    "xdp": "it needs to load a BPF program: run as root, outside of any container that withholds CAP_BPF",
}


class Choice(Struct, frozen=True):
    """An open wire, and what must be said about it."""

    wire: Wire
    warnings: tuple[str, ...] = ()


def choose(wanted: str, rate: float, packets: int, port: int) -> Choice:
    """A wire for at most so many packets, `rate` a second, from source port `port`. `wanted` is `auto`, or one of NAMES
    to be taken whatever the rate. Raises WireError where there is none, or not the one that was named."""
    if wanted != "auto":
        wire = open_wire(wanted, port, packets)
        why = hindrance(wire)
        return Choice(wire, (f"the {wanted} wire sends by raw sockets now: {why}",) if why else ())
    warnings = []
    for name in _fast_ones(rate, packets):
        try:
            wire = open_wire(name, port, packets)
        except WireError as error:
            warnings.append(f"{rate:,.0f} packets a second, but {error}")
            continue
        why = hindrance(wire)
        if not why:
            return Choice(wire, tuple(warnings))
        wire.close()
        warnings.append(f"{rate:,.0f} packets a second, but no {name} wire: {why}")
    return Choice(open_wire("raw", port), tuple(warnings))


def _fast_ones(rate: float, packets: int) -> tuple[str, ...]:
    """The wires that such a rate asks for, best first."""
    if min(rate, packets) >= FASTEST:
        return "xdp", "packet"
    return ("packet",) if rate >= FAST and packets >= FEW else ()


def open_wire(name: str, port: int, packets: int | None = None) -> Wire:
    """One of NAMES, for the answers to source port `port`; to at most so many packets, where that is known. Raises
    WireError where it cannot be had."""
    if name == "raw":
        from probe.net.raw import open_wire as open_raw

        return open_raw(port)
    try:
        return _open(name, port, packets)
    except PermissionError as error:
        raise WireError(f"no {name} wire: {_NEEDS[name]}") from error
    except OSError as error:
        raise WireError(f"no {name} wire: {error.strerror}") from error


def _open(name: str, port: int, packets: int | None) -> Wire:
    from probe.net.fast import packet_wire, xdp_wire

    return packet_wire(port, packets) if name == "packet" else xdp_wire(port)


def hindrance(wire: Wire) -> str | None:
    """What keeps a fast wire from sending in its own way at present."""
    why: str | None = getattr(wire, "why_not", None)
    return why
