"""Two threads that send the parts of one batch."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from probe.core.columns import I64, Bytes
from probe.core.frames import SYN4
from probe.net.abreast import PART, Abreast
from probe.net.hops import HEADER
from probe.net.sender import Sender
from probe.net.wire import Sent

PATIENCE = 30.0  # seconds, for a thread that never comes


@dataclass
class FakeDevice:
    """Keeps what it is given; fails the packets to odd ports. Waits at `gate` for the other, the first time."""

    gate: threading.Barrier | None = None
    most: int = 4096
    got: list[tuple[int, int]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    closed: int = 0

    def send(self, interface: int, headers: Bytes, rows: npt.NDArray[np.void]) -> dict[int, I64]:
        if self.gate and not self.got:
            self.gate.wait(PATIENCE)
        own = np.broadcast_to(headers, (len(rows), HEADER))[:, 0]
        self.got += list(zip(rows["dport"].tolist(), own.tolist(), strict=True))
        self.threads.add(threading.get_ident())
        odd = np.flatnonzero(rows["dport"] % 2)
        return {errno.ENOBUFS: odd} if odd.size else {}

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def packets(count: int) -> npt.NDArray[np.void]:
    rows = np.zeros(count, SYN4)
    rows["dport"] = np.arange(count)
    return rows


@pytest.mark.parametrize("headers", [np.full(HEADER, 7, np.uint8), None], ids=["shared", "own"])
def test_each_packet_leaves_once_behind_its_header_by_either_thread(headers: Bytes | None) -> None:
    gate = threading.Barrier(2)
    devices = [FakeDevice(gate), FakeDevice(gate)]
    count = 7 * PART + 3
    own = np.arange(count).astype(np.uint8)[:, None].repeat(HEADER, axis=1) if headers is None else headers
    abreast = Abreast(*devices)
    failed = abreast.send(1, own, packets(count))
    got = sorted(devices[0].got + devices[1].got)
    assert got == [(n, n % 256 if headers is None else 7) for n in range(count)]
    assert devices[0].threads == {threading.get_ident()}
    assert devices[0].threads.isdisjoint(devices[1].threads)
    assert sorted(failed[errno.ENOBUFS].tolist()) == list(range(1, count, 2))
    abreast.close()
    assert [device.closed for device in devices] == [1, 1]


def test_a_few_packets_are_not_worth_a_thread() -> None:
    devices = [FakeDevice(), FakeDevice()]
    Abreast(*devices).send(1, np.zeros(HEADER, np.uint8), packets(PART))
    assert [len(device.got) for device in devices] == [PART, 0]


def test_one_processor_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    devices = [FakeDevice(), FakeDevice()]
    Abreast(*devices).send(1, np.zeros(HEADER, np.uint8), packets(4 * PART))
    assert [len(device.got) for device in devices] == [4 * PART, 0]


@dataclass
class FakeWire:
    threaded: bool
    name: str = "fake"
    threads: set[int] = field(default_factory=set)

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        self.threads.add(threading.get_ident())
        return Sent({errno.EPERM: np.array([0])})

    def receive(self) -> None:
        return None

    def fileno(self) -> int:
        return -1

    def drops(self) -> int:
        return 0

    def close(self) -> None: ...


@pytest.mark.parametrize("threaded", [True, False])
def test_a_batch_is_begun_finished_and_told_of(threaded: bool) -> None:
    wire = FakeWire(threaded)

    async def send() -> list[tuple[list[int], dict[int, list[int]]]]:
        with Sender(wire) as sender:
            assert await sender.finish() == []
            sender.begin([(np.array([5, 6]), packets(2)), (np.array([9]), packets(1))])
            told = await sender.finish()
            assert await sender.finish() == []
        return [(t.tolist(), {code: rows.tolist() for code, rows in sent.failed.items()}) for t, sent in told]

    assert asyncio.run(send()) == [([5, 6], {errno.EPERM: [0]}), ([9], {errno.EPERM: [0]})]
    assert (threading.get_ident() in wire.threads) is not threaded
