"""A sweep cut into stretches: those that nobody expects anything of, and those whose verdicts are looked at in turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import pairwise

import numpy as np

from probe.core.columns import Bools
from probe.model import Address
from probe.sweep import Sweep

SHORT = 32  # verdicts that are dealt with in turn as fast as together


def stretches(sweep: Sweep, wants: Callable[[Address], Collection[int]]) -> Iterator[tuple[Sweep, bool]]:
    """The whole sweep in parts, in order, and whether that part is to be taken one by one. `wants` has the ports of an
    address that must be."""
    if len(sweep) < SHORT:
        yield sweep, True
        return
    wanted = _wanted(sweep, wants)
    edges = np.flatnonzero(wanted[1:] != wanted[:-1]) + 1
    for start, stop in pairwise([0, *edges.tolist(), len(sweep)]):
        yield sweep.only(slice(start, stop)), bool(wanted[start]) or stop - start < SHORT


def _wanted(sweep: Sweep, wants: Callable[[Address], Collection[int]]) -> Bools:
    wanted = np.zeros(len(sweep), np.bool_)
    ends = np.searchsorted(sweep.rows, np.arange(len(sweep.places) + 1)).tolist()
    for (_, address), (start, end) in zip(sweep.places, pairwise(ends), strict=True):
        if ports := wants(address):
            by_number = np.zeros(65536, np.bool_)
            by_number[list(ports)] = True
            wanted[start:end] = by_number[sweep.ports[start:end]]
    return wanted
