"""The address space cut where the kernel's tables have a bound: within one interval, every address goes the same way.

So the kernel need be asked only once for each interval in use, and its tables are not played through here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, U64
from probe.model import Address
from probe.net.netlink import Prefix

Keys = npt.NDArray[np.uint32] | npt.NDArray[np.bytes_]  # numbers, or for IPv6 sixteen bytes: both sort as addresses do


def keys_of(rows: npt.NDArray[np.void]) -> Keys:
    """The destination of each packet."""
    destination = rows["destination"]
    if destination.ndim == 1:
        return destination.astype(np.uint32)
    return _sixteen(np.ascontiguousarray(destination))


def keys_of_halves(version: int, high: U64, low: U64) -> Keys:
    """The same of addresses as the plan has them, all of one family."""
    if version == 4:
        return (low & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return _sixteen(np.column_stack([high, low]).astype(">u8"))


def _sixteen(halves: npt.NDArray[np.generic]) -> npt.NDArray[np.bytes_]:
    found: npt.NDArray[np.bytes_] = halves.view("S16").ravel()
    return found


class Intervals:
    """Of one family. `count` is their number; they are counted from the lowest on."""

    def __init__(self, version: int, prefixes: Iterable[Prefix], neighbours: Iterable[Address] = ()) -> None:
        self._version = version
        own = [part for part in prefixes if part.version == version]
        self._many_ways = [part for part in own if part.multipath]
        bounds = {bound for part in own for bound in (part.first, part.last + 1)}
        bounds |= {int(address) + n for address in neighbours if address.version == version for n in (0, 1)}
        inside = sorted(bound for bound in bounds if 0 < bound < 1 << (32 if version == 4 else 128))
        self._bounds: Keys = (
            np.array(inside, np.uint32) if version == 4 else np.array([n.to_bytes(16, "big") for n in inside], "S16")
        )
        self.count = len(inside) + 1

    def places(self, keys: Keys) -> I64:
        """The interval of each address."""
        return np.searchsorted(self._bounds, keys, side="right").astype(np.int64)

    def several_ways(self, address: Address) -> bool:
        """Whether the kernel may choose one of several ways for each address here."""
        return any(part.first <= int(address) <= part.last for part in self._many_ways)

    def address(self, key: np.uint32 | np.bytes_) -> Address:
        if self._version == 4:
            return ipaddress.IPv4Address(int(key))
        return ipaddress.IPv6Address(bytes(key).ljust(16, b"\0"))  # numpy takes zeros at the end for padding
