"""How many packets may leave now. A token bucket that never saves up: a process that was stopped does not catch up.

The bucket holds at most 5 ms worth of the rate, so no window of 100 ms sees more than 1.05 times its share.
"""

from __future__ import annotations


class Pace:
    """`rate` is in packets per second; `limit` changes it, and `ceiling` stays what it was at first."""

    BUCKET_S = 0.005

    def __init__(self, rate: float, now: float) -> None:
        self.ceiling = rate
        self.limit(rate)
        self._tokens = min(1.0, self._room)
        self._last = now

    def limit(self, rate: float) -> None:
        """From now on this rate."""
        self.rate = rate
        self._room = max(1.0, rate * self.BUCKET_S)

    def budget(self, now: float) -> int:
        """Whole packets that may leave at `now` (seconds, monotonic)."""
        self._tokens = min(self._room, self._tokens + (now - self._last) * self.rate)
        self._last = now
        return max(0, int(self._tokens))

    def spend(self, packets: int) -> None:
        """These left. Who sends without asking (a kernel's handshake) leaves a debt, and the probes wait for it."""
        self._tokens -= packets

    def next_packet(self, now: float) -> float:
        """When the next packet may leave."""
        missing = 1.0 - self._tokens
        return now if missing <= 0 else self._last + missing / self.rate
