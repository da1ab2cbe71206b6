"""The engine and the slow reference side by side, on frames that nobody would send.

A scan of 64 ports, IPv4 and IPv6, has sent each SYN twice. Then come batches of frames, and after every batch the two
must agree: on the packets that fragments make up, on every row of the parser's columns, on each probe's verdict, and on
the number of forgeries. The reference reads every single frame, not a sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

import numpy as np

from probe.core.columns import Bools, Halves
from probe.core.fragments import Fragments
from probe.core.replies import Batch, parse
from probe.core.scan import Scan
from tests.core.crafted import asked
from tests.core.playbook import PORT, US, block_of, scan_of
from tests.core.slow_replies import Packet, Slow, address, as_rows, batch_of, gathered, slow_parse, slow_read
from tests.core.words import word_of
from tests.fuzz.frames import KINDS, Frames, Pool, bent
from tests.fuzz.reference import Reference

HOSTS = ("198.18.0.1", "198.18.0.2", "fd18::1", "fd18::2")
PORTS = tuple(range(79, 95))
BATCHES = (
    1,
    3,
    64,
    512,
    512,
    2048,
    512,
    512,
    512,
    2048,
)  # frames at once; what order does is seen in large ones and in small
LIFE = 6  # batches that one scan gets
FIRST, AGAIN, LATER = 5.0, 6.5, 6.75  # seconds: both attempts, and the first batch
VOUCHED = 0.02  # of the frames come with the kernel's word that their checksum is right

Outcomes = Counter[tuple[str, str]]  # frames by (what the reference said, mutation)


class Sides:
    """One scan and its reference. Raises AssertionError where they disagree."""

    def __init__(self) -> None:
        self.scan = scan_of(block_of(HOSTS, PORTS), attempts=2, timeout=1.0)
        self.syns = [asked(syn) for syn in _send(self.scan, FIRST)]
        _send(self.scan, AGAIN)
        self.reference = Reference(self.syns, PORT, _clock(FIRST))
        self.fragments = Fragments(self._asked)  # the scan has its own; these are looked into
        self.now = LATER

    def _asked(self, peers: Halves) -> Bools:
        return self.scan.block.find(*peers, np.full(len(peers[0]), PORTS[0], np.uint16)) >= 0

    def hear(self, frames: Frames, intact: Bools, outcomes: Outcomes) -> None:
        """One batch to both, and the comparison."""
        batch = Batch(frames.rows[:, : frames.lengths.max()].copy(), frames.lengths, intact)
        packets = [
            Packet(row[:size].tobytes(), word)
            for row, size, word in zip(frames.rows, frames.lengths.tolist(), intact.tolist(), strict=True)
        ]
        joined = list(self.reference.join(packets, self.now))
        left = [packet for packet, _ in joined if packet]
        told = [slow_read(packet) for packet in left]
        self._compare_reading(self.fragments.join(batch, self.now), left, gathered(left, told))
        one = iter(told)
        for (packet, done), kind in zip(joined, frames.kind.tolist(), strict=True):
            name = KINDS[kind].__name__
            outcomes[done, name] += 1
            outcomes[self.reference.take(next(one), _clock(self.now)) if packet else "", name] += 1
        self.scan.receive(batch, self.now)
        self._compare_words()
        self.now += 0.25

    def _compare_reading(self, batch: Batch, packets: list[Packet], rows: Slow) -> None:
        sizes = batch.lengths.tolist()
        assert [row[:size].tobytes() for row, size in zip(batch.rows, sizes, strict=True)] == [p.data for p in packets]
        for packet in packets if as_rows(parse(batch)) != rows else ():
            assert as_rows(parse(batch_of([packet]))) == slow_parse([packet]), packet
        assert as_rows(parse(batch)) == rows

    def _compare_words(self) -> None:
        """Resets and SYN-ACKs exactly; of several ICMP errors the engine keeps one that came."""
        answers = {"open", "closed"}
        for slot in range(self.scan.block.slots):
            key = self.scan.block.key(slot)
            us = US[key.address.version]
            probe = (address(key.address.packed), key.port, address(ip_address(us).packed), PORT)
            said, expected = {*word_of(self.scan, slot).split("+")} - {""}, self.reference.words[probe]
            assert said & answers == expected & answers, (key, said, expected)
            assert said - answers <= expected - answers, (key, said, expected)
            assert bool(said - answers) == bool(expected - answers), (key, said, expected)
        assert self.scan.counters.forged == self.reference.forged


def _clock(now: float) -> int:
    return int(now * 1000)


def _send(scan: Scan, now: float) -> list[bytes]:
    sent = []
    for slots, rows in scan.frames(scan.due(now, scan.block.slots), now):
        sent += [row.tobytes() for row in rows]
        scan.sent(slots, now)
    return sent


def fuzz(frames: int, seed: int, on_progress: Callable[[int], None] = lambda _: None) -> Outcomes:
    """Holds the engine against the reference for at least `frames` frames; how often each outcome was met.

    Raises AssertionError at the first difference; its note says which batch of which seed shows it again.
    """
    random, outcomes, done = np.random.default_rng(seed), Outcomes(), 0
    pool = Pool(Sides().syns)
    while done < frames:
        sides = Sides()
        for _ in range(LIFE):
            part = bent(pool.draw(random, random.choice(BATCHES)), random)
            intact = random.random(len(part.lengths)) < VOUCHED
            try:
                sides.hear(part, intact, outcomes)
            except Exception as error:
                error.add_note(f"seed {seed}, after {done} frames")
                raise
            done += len(part.lengths)
        on_progress(done)
    return outcomes
