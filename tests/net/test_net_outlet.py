"""The stock of slots that outlets share, against sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from probe.net.outlet import SLOT, Stock
from probe.net.xdpring import Ring, advance

SLOTS, SHARES, START = 16, 2, 4096


def ring() -> Ring:
    return Ring(np.zeros(1, np.uint32), np.zeros(1, np.uint32), np.zeros(SLOTS, np.uint64))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 10), st.integers(0, 10), st.booleans()), max_size=40))
def test_no_slot_is_lost_doubled_or_taken_by_another(steps: list[tuple[int, int, int, bool]]) -> None:
    """Each step takes slots, gives some of them back unsent, and lets the kernel finish those that left."""
    done = ring()
    stock = Stock(np.zeros((SLOTS, SLOT), np.uint8), START, done, SHARES)
    away: set[int] = set()
    for share, most, unsent, finish in steps:
        taken = stock.take(share, most)
        assert len(taken) <= most
        assert set(taken // (SLOTS // SHARES)) <= {share}
        assert away.isdisjoint(taken.tolist())
        stock.give_back(share, taken[len(taken) - min(unsent, len(taken)) :])
        away |= set(taken[: len(taken) - min(unsent, len(taken))].tolist())
        if finish:
            done.entries[done.places(done.producer, len(away))] = stock.addresses(np.array(sorted(away), np.int64))
            advance(done.producer, len(away))
            away.clear()
    stock.collect()
    free = [slot for share in range(SHARES) for slot in stock.take(share, SLOTS).tolist()]
    assert sorted([*free, *away]) == list(range(SLOTS))
