"""Queues of slots and tickets: what is due is taken from the front, array by array."""

from __future__ import annotations

from collections import deque

import numpy as np

from probe.core.columns import I64

NOTHING: I64 = np.empty(0, np.int64)


def take(queue: deque[I64], room: int) -> I64:
    """At most `room` from the front."""
    chosen = [NOTHING]
    while queue and room > 0:
        tickets = queue.popleft()
        if tickets.size > room:
            queue.appendleft(tickets[room:])
        chosen.append(tickets[:room])
        room -= chosen[-1].size
    return np.concatenate(chosen)
