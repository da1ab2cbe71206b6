"""Where the packets to a dropped port end, and how that is said. No more is claimed than was heard.

A hop that says "time exceeded" was reached by the packet that it quotes: that is proof. A hop that says nothing proves
nothing by itself; it may never answer anybody. So the word is "at or after" the last hop that answered for this port.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct


class Located(Struct, frozen=True):
    """What SYNs of rising TTL to one port found. Hops count from 1; None stands for "none".

    `hop`, `address`: the last that answered for this port. `silent`: the first after it that did not, though it was
    asked often enough; `silent_address`: its address, where it answers for other ports of the same host. `mute`: hops
    that answered for no port of this host, though hops after them did. `target`: the TTL that reaches the host, where
    one of its ports told. `cut`: why the search ended early, if it did. `answered`: the port itself answered meanwhile.
    """

    hop: int | None = None
    address: str | None = None
    silent: int | None = None
    silent_address: str | None = None
    mute: tuple[int, ...] = ()
    target: int | None = None
    cut: str | None = None
    answered: bool = False


def in_words(place: Located) -> str:
    """One sentence: `dropped at or after hop 2 (198.18.0.1); hop 3 (198.18.4.2) is silent for this port`."""
    if place.answered:
        return "silent in the scan, but it answered when it was located"
    if place.cut and place.hop is None:
        return f"not located: {place.cut}"
    return "; ".join([_last(place), *_beyond(place)])


def _last(place: Located) -> str:
    if place.hop is not None:
        return f"dropped at or after {_hop(place.hop, place.address)}"
    if place.target == 1:
        return "dropped by the host itself, or on the link to it: there is no hop in between"
    if place.silent_address and place.silent is not None:
        return f"dropped at or before {_hop(place.silent, place.silent_address)}, which answers for other ports"
    return "no hop on the way answers: dropped at the first one, or none of them tells"


def _beyond(place: Located) -> Iterator[str]:
    if place.mute:
        numbers = ", ".join(map(str, place.mute))
        yield f"hop {numbers} does not answer" if len(place.mute) == 1 else f"hops {numbers} do not answer"
    if place.cut:
        yield f"perhaps farther, but {place.cut}"
    elif place.hop is not None and place.target == place.hop + 1:
        yield "the next is the host itself"
    elif place.hop is not None and place.silent is not None and place.silent_address:
        yield f"{_hop(place.silent, place.silent_address)} is silent for this port"


def _hop(number: int, address: str | None) -> str:
    return f"hop {number} ({address})" if address else f"hop {number}"
