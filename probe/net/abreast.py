"""Several ways of sending frames at once, each on a thread of its own: where a kernel spends a microsecond on a frame,
two processors send nearly twice as many.

A batch is cut into parts, and whoever is free takes the next one. So the order of a batch's packets is kept within a
part only; the engine's order is drawn by lot anyway.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64, Bytes
from probe.net.ipsend import joined
from probe.net.ways import FrameSender

PART = 512  # packets: long enough that a system call is worth it, short enough that all end at about the same time
PARTS = 8

Failed = dict[int, I64]


class Abreast:
    """See `probe.net.ways.FrameSender`."""

    most = PART * PARTS

    def __init__(self, first: FrameSender, *others: FrameSender) -> None:
        self._first, self._others = first, others if len(os.sched_getaffinity(0)) > 1 else ()
        self._closing = (first, *others)
        self._threads = ThreadPoolExecutor(max(1, len(others)), "frames")  # starts none before it has work

    def send(self, interface: int, headers: Bytes, rows: npt.NDArray[np.void]) -> Failed:
        """See `probe.net.devices.Devices`."""
        parts = [slice(at, at + PART) for at in range(0, len(rows), PART)]
        failed: list[Failed] = [{} for _ in parts]
        numbers = iter(range(len(parts)))  # whose `next` is one step of the interpreter, so no part is taken twice

        def work(sender: FrameSender, numbers: Iterator[int]) -> None:
            for number in numbers:
                own = headers if headers.ndim == 1 else headers[parts[number]]
                failed[number] = sender.send(interface, own, rows[parts[number]])

        begun = [self._threads.submit(work, each, numbers) for each in self._others if len(parts) > 1]
        try:
            work(self._first, numbers)
        finally:
            wait(begun)  # they read the caller's rows
        for each in begun:
            each.result()
        return joined(failed, PART).failed

    def close(self) -> None:
        """Twice is once."""
        self._threads.shutdown()
        for each in self._closing:
            each.close()
