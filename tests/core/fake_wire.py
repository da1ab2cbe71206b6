"""A network that is not there: truth by address and port, weather by a seeded generator, time by the caller's clock.

It knows the engine's frames only by their bytes. Answers are lost, late, doubled, and joined by forgeries that say the
opposite of the truth and arrive before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, U64, Bools, Bytes
from probe.core.replies import Batch
from probe.net.wire import Sent
from tests.core.fake_packets import ACK, FIN, RST, SYN, header_size, icmp, read, seal, tcp, write

OPEN, CLOSED, FILTERED, REJECTED = range(4)
WIDTH = 160
Truth = Callable[[U64, U64, U64], npt.NDArray[np.uint8]]
Times = npt.NDArray[np.float64]


def scattered_truth(high: U64, low: U64, port: U64) -> npt.NDArray[np.uint8]:
    """A fixed mixture by hash: a fifth open, half closed, a quarter filtered, a twentieth rejected by ICMP."""
    x = (high ^ low << np.uint64(16) ^ port) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ x >> np.uint64(29)) * np.uint64(0xBF58476D1CE4E5B9)
    percent = (x >> np.uint64(32)) % np.uint64(100)
    return np.searchsorted([20, 70, 95], percent, side="right").astype(np.uint8)


@dataclass(frozen=True)
class Weather:
    """Probabilities per packet, and the least and most seconds of an answer. `late` answers take `late_delay`."""

    syn_loss: float = 0.0
    reply_loss: float = 0.0
    duplicates: float = 0.0
    forgeries: float = 0.0
    late: float = 0.0
    delay: tuple[float, float] = (0.001, 0.03)
    late_delay: float = 1.3


@dataclass
class FakeWire:
    """See `probe.net.wire.Wire`. `log` has (time, packets) of each send, `forged` counts the forgeries handed out."""

    truth: Truth
    clock: Callable[[], float]
    weather: Weather = Weather()
    seed: int = 0
    name: str = "fake"
    threaded: bool = False
    fd: int = -1
    refuse: Callable[[Bytes], dict[int, I64]] = lambda _: {}
    log: list[tuple[float, int]] = field(default_factory=list)
    forged: int = 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._order, self._turn = count(), count()
        self._pending: list[tuple[float, int, Times, Bytes, I64, Bools]] = []

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        frames = rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
        sent = Sent(self.refuse(frames))
        frames = frames[sent.rows(len(frames))]
        self.log.append((self.clock(), len(frames)))
        if len(frames):
            self._forge(frames[self._lucky(len(frames), self.weather.forgeries)])
            self._answer(frames[~self._lucky(len(frames), self.weather.syn_loss)])
        return sent

    def receive(self) -> Batch | None:
        """All that has arrived by now, in the order of arrival within each batch that was sent."""
        rows, lengths = [], []
        while self._pending and self._pending[0][0] <= self.clock():
            _, _, times, packets, sizes, forged = heapq.heappop(self._pending)
            ripe = int(np.searchsorted(times, self.clock(), side="right"))
            rows.append(packets[:ripe])
            lengths.append(sizes[:ripe])
            self.forged += int(forged[:ripe].sum())
            self._queue(times[ripe:], packets[ripe:], sizes[ripe:], forged[ripe:])
        if not rows:
            return None
        size = np.concatenate(lengths)
        return Batch(np.concatenate(rows), size, np.zeros(len(size), np.bool_))

    def next_arrival(self) -> float | None:
        return self._pending[0][0] if self._pending else None

    def fileno(self) -> int:
        return self.fd

    def drops(self) -> int:
        return 0

    def close(self) -> None:
        self._pending.clear()

    # --- what the network does -----------------------------------------------------------------------------------

    def _lucky(self, number: int, probability: float) -> Bools:
        lucky: Bools = self._random.random(number) < probability
        return lucky

    def kinds(self, frames: Bytes) -> npt.NDArray[np.uint8]:
        start = header_size(frames)
        port = read(frames, start + 2, 2)
        if start == 20:
            return self.truth(np.zeros(len(frames), np.uint64), read(frames, 16, 4) | np.uint64(0xFFFF << 32), port)
        return self.truth(read(frames, 24, 8), read(frames, 32, 8), port)

    def _answer(self, frames: Bytes) -> None:
        if not len(frames):
            return
        kinds = self.kinds(frames)
        for kind, make in ((OPEN, _accept), (CLOSED, _refuse), (REJECTED, _reject)):
            chosen = frames[kinds == kind]
            if len(chosen):
                self._deliver(make(chosen))

    def _deliver(self, packets: Bytes) -> None:
        for copies in (np.ones(len(packets), np.bool_), self._lucky(len(packets), self.weather.duplicates)):
            chosen = packets[copies & ~self._lucky(len(packets), self.weather.reply_loss)]
            delay = self._random.uniform(*self.weather.delay, len(chosen))
            delay[self._lucky(len(chosen), self.weather.late)] += self.weather.late_delay
            self._arrive(chosen, delay)

    def _forge(self, frames: Bytes) -> None:
        """Each forgery says what is not true, and comes before the true answer can. The kinds take turns."""
        if not len(frames):
            return
        bend = FORGERIES[next(self._turn) % len(FORGERIES)]
        is_open = self.kinds(frames) == OPEN
        for victims, lie in ((frames[is_open], RST | ACK), (frames[~is_open], SYN | ACK)):
            if len(victims):
                self._arrive(bend(victims, lie), self._random.uniform(0, self.weather.delay[0], len(victims)), True)

    def _arrive(self, packets: Bytes, delay: Times, forged: bool = False) -> None:
        order = np.argsort(delay)
        rows = np.zeros((len(packets), WIDTH), np.uint8)
        rows[:, : packets.shape[1]] = packets[order]
        sizes = np.full(len(packets), packets.shape[1], np.int64)
        self._queue(self.clock() + delay[order], rows, sizes, np.full(len(packets), forged))

    def _queue(self, times: Times, rows: Bytes, sizes: I64, forged: Bools) -> None:
        if len(times):
            heapq.heappush(self._pending, (float(times[0]), next(self._order), times, rows, sizes, forged))


def _hops(frames: Bytes) -> Bytes:
    """Each host is as far away as its last byte says, and all its answers come from there."""
    return np.uint8(63) - frames[:, 19 if header_size(frames) == 20 else 39] % np.uint8(8)


def _accept(frames: Bytes) -> Bytes:
    return tcp(frames, SYN | ACK, ttl=_hops(frames))


def _refuse(frames: Bytes) -> Bytes:
    return tcp(frames, RST | ACK, ttl=_hops(frames))


def _reject(frames: Bytes) -> Bytes:
    """Administratively prohibited, in the words of each family."""
    return icmp(frames, 3, 13) if header_size(frames) == 20 else icmp(frames, 1, 1)


# --- forgeries: all that a liar can send who does not see our probes, and some that one can who does -----------------


def wrong_ack(frames: Bytes, flags: int) -> Bytes:
    rows, start = tcp(frames, flags), header_size(frames)
    write(rows, start + 8, 4, read(rows, start + 8, 4) ^ np.uint64(1 << 20))
    return seal(rows)


def off_by_one(frames: Bytes, flags: int) -> Bytes:
    """Acknowledges our sequence number itself, not the one after it."""
    rows, start = tcp(frames, flags), header_size(frames)
    rows[:, start + 8 : start + 12] = frames[:, start + 4 : start + 8]
    return seal(rows)


def ack_zero(frames: Bytes, flags: int) -> Bytes:
    rows, start = tcp(frames, flags), header_size(frames)
    rows[:, start + 8 : start + 12] = 0
    return seal(rows)


def no_ack_flag(frames: Bytes, flags: int) -> Bytes:
    return tcp(frames, flags & ~ACK)


def neither_syn_nor_reset(frames: Bytes, _flags: int) -> Bytes:
    return tcp(frames, ACK | FIN)


def wrong_port(frames: Bytes, flags: int) -> Bytes:
    """From another port of the same host, which the scan may have probed too."""
    rows, start = tcp(frames, flags), header_size(frames)
    write(rows, start, 2, (read(rows, start, 2) + np.uint64(1)) & np.uint64(0xFFFF))
    return seal(rows)


def wrong_host(frames: Bytes, flags: int) -> Bytes:
    rows = tcp(frames, flags)
    rows[:, 15 if header_size(frames) == 20 else 23] ^= 1
    return seal(rows)


def bad_checksum(frames: Bytes, flags: int) -> Bytes:
    rows, start = tcp(frames, flags), header_size(frames)
    rows[:, start + 17] ^= 0x55
    return rows


def wrong_quote(frames: Bytes, _flags: int) -> Bytes:
    """An ICMP error about a packet with another sequence number."""
    start = header_size(frames)
    rows = _reject(frames)
    rows[:, 2 * start + 8 + 6] ^= 0x10
    return seal(rows)


FORGERIES: tuple[Callable[[Bytes, int], Bytes], ...] = (
    wrong_ack,
    off_by_one,
    ack_zero,
    no_ack_flag,
    neither_syn_nor_reset,
    wrong_port,
    wrong_host,
    bad_checksum,
    wrong_quote,
)
