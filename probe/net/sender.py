"""Who calls `send`: this thread, or one beside it.

A wire that sends by the thousand spends nearly all of that time in the kernel, with the interpreter free. Meanwhile
the engine works through the answers that came before. The wire is only ever used by one thread at a time: who has
begun a batch leaves it alone until that is finished.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64
from probe.net.wire import Sent, Wire

Parts = list[tuple[I64, npt.NDArray[np.void]]]
Reports = list[tuple[I64, Sent]]


class Sender:
    """Sends parts as `Driver.frames` gives them; `begin`, then `finish` for the tickets of each and what became of
    them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._begun: Callable[[], Reports] | Future[Reports] = list
        beside = wire.threaded and len(os.sched_getaffinity(0)) > 1
        self._thread = ThreadPoolExecutor(1, "sender") if beside else None

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._thread:
            self._thread.shutdown()  # whoever uses the wire next finds it at rest

    def begin(self, parts: Parts) -> None:
        if not parts:
            self._begun = list
        elif self._thread:
            self._begun = self._thread.submit(self._send, parts)
        else:
            self._begun = lambda: self._send(parts)

    async def finish(self) -> Reports:
        begun, self._begun = self._begun, list
        return begun() if callable(begun) else await asyncio.wrap_future(begun)

    def _send(self, parts: Parts) -> Reports:
        return [(tickets, self._wire.send(rows)) for tickets, rows in parts]
