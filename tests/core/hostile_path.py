"""A path between the scanner and a fake wire that does what firewalls and queues do: polices, bans, goes dark, delays.

Every limit counts SYNs, as the rule of a firewall would; `limit_resets` counts what the host sends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probe.core.columns import Bytes
from probe.net.wire import Sent
from tests.core.fake_wire import CLOSED, OPEN, REJECTED, FakeWire


@dataclass
class Bucket:
    """`nft limit rate`: so many packets per second, `burst` at once."""

    rate: float
    burst: float = 5
    tokens: float = 5
    last: float = 0.0

    def take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.last) * self.rate)
        self.last = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class HostilePath(FakeWire):
    """`police` drops SYNs beyond it, `police_host` those to the hosts that it is true of (last byte of the address);
    `ban_after` SYNs nothing passes any more; nothing passes in `blackouts` (seconds since the first packet)."""

    police: Bucket | None = None
    police_host: int | None = None
    limit_resets: Bucket | None = None
    limit_icmp: Bucket | None = None
    ban_after: int | None = None
    blackouts: tuple[tuple[float, float], ...] = ()
    began: float | None = None
    passed: int = 0

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        frames = rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
        self.began = self.clock() if self.began is None else self.began
        self.log.append((self.clock(), len(frames)))
        keep = np.array([self._passes(frame) for frame in frames], np.bool_)
        kept = frames[keep]
        self._answer(kept[~self._lucky(len(kept), self.weather.syn_loss)])
        return Sent()

    def _passes(self, frame: Bytes) -> bool:
        assert self.began is not None
        elapsed = self.clock() - self.began
        if any(start <= elapsed < end for start, end in self.blackouts):
            return False
        self.passed += 1
        if self.ban_after is not None and self.passed > self.ban_after:
            return False
        if self.police and self.police_host in (None, int(frame[19])):
            return self.police.take(self.clock())
        kind = int(self.kinds(frame[None, :])[0])
        if self.limit_icmp and kind == REJECTED:
            return self.limit_icmp.take(self.clock())
        return not (self.limit_resets and kind == CLOSED and not self.limit_resets.take(self.clock()))


def truth_by_port(opened: Callable[[int], bool], closed: Callable[[int], bool]) -> Callable[..., npt.NDArray[np.uint8]]:
    """The same on every host; what is neither is silent."""
    table = np.full(65536, 2, np.uint8)
    for port in range(65536):
        table[port] = OPEN if opened(port) else CLOSED if closed(port) else 2
    return lambda _high, _low, port: table[port.astype(np.int64)]
