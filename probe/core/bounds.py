"""What locating dropped ports may cost at most: known before anything is sent, and told where it cuts."""

from __future__ import annotations

from typing import NamedTuple

from probe.model import ScanOptions

HOPS = 30  # the longest way that is followed; traceroute(8) has the same
MOST_PACKETS = 200_000  # of a block
PATIENCE = 30.0  # seconds for routers that answer once a second


class Bounds(NamedTuple):
    """Packets, and seconds from the first of them."""

    packets: int
    seconds: float


def locating(options: ScanOptions, ports: int, hosts: int) -> Bounds:
    """For this many dropped ports of this many hosts in one block.

    A port needs one answer and the silence of two hops; a host one look at every hop, by two of its ports. All of it
    as often as there are attempts, and a third more for controls.
    """
    packets = min(MOST_PACKETS, options.attempts * (4 * ports + 2 * HOPS * hosts))
    return Bounds(packets, packets / options.rate + PATIENCE + 4 * options.attempts * options.timeout)
