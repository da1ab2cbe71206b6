"""The columns of a block: what is computed for all slots at once, against the slow way for each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from probe.core.block import Block
from probe.core.columns import MAPPED
from probe.core.keyed import key_from_seed, siphash24
from probe.core.ledger import STRETCH, Ledger, Local
from probe.net.craft import syn_templates

SEED, PORT = 7, 40000


def ledger(addresses: int, ports: int) -> Ledger:
    low = np.arange(addresses, dtype=np.uint64) + np.uint64(MAPPED | 0xC6120001)
    high, own = np.zeros_like(low), np.full(addresses, MAPPED | 0xC6120A0A, np.uint64)
    block = Block(high, low, np.arange(1, ports + 1, dtype=np.uint16))
    return Ledger(block, Local(high, own, PORT), syn_templates(), SEED)


SMALL = ledger(1, 100)


@given(st.lists(st.integers(0, 99)))
def test_the_first_of_each_slot_is_the_one_that_came_first(slots: list[int]) -> None:
    found = SMALL._first_of_each(np.array(slots, np.int64))
    assert found.tolist() == [slot not in slots[:place] for place, slot in enumerate(slots)]


def test_a_cookie_is_the_hash_of_its_tuple_whatever_stretch_it_was_hashed_in() -> None:
    columns = ledger(3, STRETCH // 2 + 1)
    for slot in (0, 1, STRETCH - 1, STRETCH, columns.block.slots - 1):
        row, column = divmod(slot, len(columns.block.ports))
        ports = int(columns.block.ports[column]) | PORT << 16
        words = [np.array([word], np.uint64) for word in (columns.block.high[row], columns.block.low[row], ports)]
        wanted = int(siphash24(key_from_seed(SEED, "cookie"), words)[0]) & 0xFFFFFFFF
        assert columns.cookies(np.array([slot])).tolist() == [wanted]


def test_a_second_look_has_a_number_of_its_own() -> None:
    slots = np.arange(SMALL.block.slots)
    assert not np.isin(SMALL.look_cookies(slots), SMALL.cookies(slots)).any()
