"""SipHash against a slow twin that is itself held against the paper; the order is a bijection fixed by its seed."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.keyed import Key, Lots, Permutation, key_from_seed, siphash24

WORD = (1 << 64) - 1
PAPER_KEY: Key = struct.unpack("<2Q", bytes(range(16)))
words = st.integers(0, WORD)
keys = st.tuples(words, words)


def slow_siphash(key: Key, message: bytes) -> int:
    """SipHash-2-4 as the paper's section 2 tells it, a byte string at a time."""
    v = [
        key[0] ^ 0x736F6D6570736575,
        key[1] ^ 0x646F72616E646F6D,
        key[0] ^ 0x6C7967656E657261,
        key[1] ^ 0x7465646279746573,
    ]

    def rotate(x: int, bits: int) -> int:
        return (x << bits | x >> (64 - bits)) & WORD

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = (v[0] + v[1]) & WORD
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & WORD
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & WORD
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & WORD
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for (block,) in struct.iter_unpack("<Q", padded):
        v[3] ^= block
        rounds(2)
        v[0] ^= block
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def test_the_twin_gives_the_papers_example() -> None:
    # Appendix A: key 00 … 0f, message 00 … 0e.
    assert slow_siphash(PAPER_KEY, bytes(range(15))) == 0xA129CA6149BE45E5


@pytest.mark.parametrize(
    ("size", "expected"),
    [  # the first and the whole-word messages of the authors' test vectors (same key, message 00 01 02 …)
        (0, "310e0edd47db6f72"),
        (8, "6224939a79f5f593"),
        (16, "db9bc2577fcc2a3f"),
    ],
)
def test_reference_vectors(size: int, expected: str) -> None:
    message = bytes(range(size))
    assert slow_siphash(PAPER_KEY, message) == int.from_bytes(bytes.fromhex(expected), "little")
    if size:
        columns = [np.array([word], np.uint64) for (word,) in struct.iter_unpack("<Q", message)]
        assert int(siphash24(PAPER_KEY, columns)[0]).to_bytes(8, "little").hex() == expected


@settings(max_examples=60)
@given(keys, st.integers(1, 5).flatmap(lambda n: st.lists(st.tuples(*[words] * n), min_size=1, max_size=5)))
def test_siphash_is_its_slow_twin(key: Key, rows: list[tuple[int, ...]]) -> None:
    columns = [np.array(column, np.uint64) for column in zip(*rows, strict=True)]
    expected = [slow_siphash(key, struct.pack(f"<{len(row)}Q", *row)) for row in rows]
    assert siphash24(key, columns).tolist() == expected


def test_siphash_of_nothing() -> None:
    assert siphash24(PAPER_KEY, [np.empty(0, np.uint64)] * 3).size == 0


def test_keys_differ_by_seed_and_purpose() -> None:
    made = [key_from_seed(seed, purpose) for seed in range(50) for purpose in ("order", "cookie")]
    assert len(set(made)) == 100
    assert key_from_seed(7, "order") == key_from_seed(7, "order")
    assert all(0 <= half <= WORD for key in made for half in key)


@pytest.mark.parametrize("size", [*range(1, 70), 255, 256, 257, 1000, 4095, 4096, 4097, 65535, 65536, 65537])
def test_permutation_is_a_bijection(size: int) -> None:
    order = Permutation(size, key_from_seed(size, "order"))[:]
    assert np.array_equal(np.sort(order), np.arange(size))


@settings(max_examples=60)
@given(st.integers(1, 3000), keys, st.lists(st.integers(0, 3000), max_size=6))
def test_slices_agree_with_the_whole(size: int, key: Key, cuts: list[int]) -> None:
    permutation = Permutation(size, key)
    whole = permutation[0:size]
    assert np.array_equal(np.sort(whole), np.arange(size))
    edges = [0, *sorted(cuts), size]
    parts = [permutation[start:stop] for start, stop in pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_order_depends_on_the_seed_and_leaves_no_one_in_place() -> None:
    orders = {tuple(Permutation(1000, key_from_seed(seed, "order"))[:].tolist()) for seed in range(20)}
    assert len(orders) == 20
    fixed = [sum(value == place for place, value in enumerate(order)) for order in orders]
    assert max(fixed) < 10  # a random permutation has one fixed point on average


def test_neighbours_are_spread() -> None:
    """No host is hit by a burst: two consecutive probes rarely fall into the same sixteenth of the plan."""
    order = Permutation(1 << 16, key_from_seed(3, "order"))[:]
    together = (order[1:] // 4096 == order[:-1] // 4096).mean()
    assert 0.04 < together < 0.09  # 1/16 = 0.0625 by chance


@given(keys, st.integers(1, 1 << 32), st.lists(st.integers(0, 600), max_size=5))
def test_lots_are_fixed_by_their_key_however_they_are_drawn(key: Key, below: int, counts: list[int]) -> None:
    lots = Lots(key)
    drawn = np.concatenate([np.empty(0, np.int64), *(lots.draw(below, count) for count in counts)])
    assert np.array_equal(drawn, Lots(key).draw(below, sum(counts)))
    assert ((drawn >= 0) & (drawn < below)).all()


def test_every_lot_is_drawn_as_often() -> None:
    drawn = np.bincount(Lots(key_from_seed(1, "lots")).draw(10, 10_000))
    assert drawn.size == 10
    assert drawn.min() > 900
    assert drawn.max() < 1100
