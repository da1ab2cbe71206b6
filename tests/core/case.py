"""One answer to a SYN, and what a `connect()` of the Linux kernel makes of it.

`kernel` is "open", "closed", "" (goes on waiting), or the errno by which `connect` fails; `others` are what kernels of
other versions or configurations say. `engine` is "open", "closed", "" or a reason, and None where it says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.core.crafted import ACK, RST, Answer, Asked, Error, ipv6

Packets = Callable[[Asked], list[bytes]]
BOTH, FOUR, SIX = (4, 6), (4,), (6,)


@dataclass(frozen=True)
class Case:
    name: str
    packets: Packets
    kernel: str
    versions: tuple[int, ...] = BOTH
    engine: str | None = None
    others: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        return self.kernel if self.engine is None else self.engine


def one(*answers: Answer | Error) -> Packets:
    return lambda syn: [answer.to(syn) for answer in answers]


ACCEPT, RESET = Answer(), Answer(flags=RST | ACK, window=0, options=b"")


def nearby(address: bytes) -> bytes:
    return address[:-1] + bytes([address[-1] ^ 8])


def as_mapped(packet: bytes) -> bytes:
    """An IPv4 packet in an IPv6 one, addresses in mapped form: the same numbers to whoever keeps both in 128 bits."""
    mapped = bytes(10) + b"\xff\xff"
    return ipv6(mapped + packet[12:16], mapped + packet[16:20], 6, packet[20:])
