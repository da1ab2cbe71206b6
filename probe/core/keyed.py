"""Keyed functions over numpy columns: the cookie in the sequence number, and the seeded order of a scan.

Both are pure functions of the seed, so a reply can be checked, and a run repeated or resumed, without any stored table.
"""

from __future__ import annotations

import hashlib

import numpy as np

from probe.core.columns import I64, U64

Key = tuple[int, int]

_MASK = (1 << 64) - 1


def key_from_seed(seed: int, purpose: str) -> Key:
    """128 bits for one purpose: two uses of the same seed never share a key."""
    digest = hashlib.blake2b(f"{purpose}:{seed}".encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _rotate(x: U64, bits: int, spare: U64) -> None:
    np.left_shift(x, np.uint64(bits), out=spare)
    np.right_shift(x, np.uint64(64 - bits), out=x)
    np.bitwise_or(x, spare, out=x)


def _round(v0: U64, v1: U64, v2: U64, v3: U64, spare: U64) -> None:
    """In place: half the time of a round goes where numpy would make new arrays."""
    v0 += v1
    v2 += v3
    _rotate(v1, 13, spare)
    v1 ^= v0
    _rotate(v3, 16, spare)
    v3 ^= v2
    _rotate(v0, 32, spare)
    v0 += v3
    v2 += v1
    _rotate(v3, 21, spare)
    v3 ^= v0
    _rotate(v1, 17, spare)
    v1 ^= v2
    _rotate(v2, 32, spare)


def siphash24(key: Key, words: list[U64]) -> U64:
    """SipHash-2-4 (Aumasson & Bernstein, 2012) of one message per row, each message the 64-bit `words` in order."""
    size = len(words[0])
    v0, v1, v2, v3 = (
        np.full(size, half ^ constant, np.uint64)
        for half, constant in (
            (key[0], 0x736F6D6570736575),
            (key[1], 0x646F72616E646F6D),
            (key[0], 0x6C7967656E657261),
            (key[1], 0x7465646279746573),
        )
    )
    spare = np.empty(size, np.uint64)
    # The last block holds the message length in its top byte; the messages here are whole words.
    for word in [*words, np.full(size, (8 * len(words) & 0xFF) << 56, np.uint64)]:
        v3 ^= word
        for _ in range(2):
            _round(v0, v1, v2, v3, spare)
        v0 ^= word
    v2 ^= np.uint64(0xFF)
    for _ in range(4):
        _round(v0, v1, v2, v3, spare)
    v0 ^= v1
    v2 ^= v3
    v0 ^= v2
    return v0


class Lots:
    """Numbers drawn by lot, one after the other; their key fixes which. A few are wanted at a time, and numpy.random
    takes 15 ms to import."""

    def __init__(self, key: Key) -> None:
        self._key, self._drawn = key, 0
        self._ready: U64 = np.empty(0, np.uint64)

    def draw(self, below: int, count: int) -> I64:
        """So many of 0 … below-1."""
        while self._ready.size < count:
            fresh = np.arange(self._drawn, self._drawn + 256, dtype=np.uint64)
            self._ready = np.concatenate([self._ready, siphash24(self._key, [fresh]) >> np.uint64(32)])
            self._drawn += fresh.size
        taken, self._ready = self._ready[:count], self._ready[count:]
        return (taken * np.uint64(below) >> np.uint64(32)).astype(np.int64)


def _mix(x: U64, key: int) -> U64:
    """A round function for the Feistel network: the finaliser of MurmurHash3 (Appleby), keyed by addition."""
    x = x + np.uint64(key)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


class Permutation:
    """A bijection of 0 … size-1, fixed by its key, computed where it is asked: nothing is stored.

    A balanced Feistel network on the next even power of two, walked along its cycles until it is back in range (Black &
    Rogaway, "Ciphers with arbitrary finite domains", 2002): at most 4 steps are expected for any size.
    """

    def __init__(self, size: int, key: Key) -> None:
        self.size = size
        self._half = np.uint64(max(1, ((max(size, 2) - 1).bit_length() + 1) // 2))
        self._low = (np.uint64(1) << self._half) - np.uint64(1)
        self._keys = [(key[n % 2] + 0x9E3779B97F4A7C15 * n) & _MASK for n in range(4)]

    def __getitem__(self, positions: slice) -> I64:
        start, stop, _ = positions.indices(self.size)
        values = self._cipher(np.arange(start, stop, dtype=np.uint64))
        outside = np.flatnonzero(values >= self.size)
        while outside.size:
            values[outside] = self._cipher(values[outside])
            outside = outside[values[outside] >= self.size]
        return values.astype(np.int64)

    def _cipher(self, x: U64) -> U64:
        left, right = x >> self._half, x & self._low
        for key in self._keys:
            left, right = right, left ^ (_mix(right, key) & self._low)
        return (left << self._half) | right
