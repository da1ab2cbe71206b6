"""A sweep folded at once: for each host and each look of its ports, their ranges."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from probe.core.columns import I64
from probe.report.fold import Hosts, signature
from probe.sweep import Sweep


def fold(hosts: Hosts, sweep: Sweep) -> None:
    """As `hosts.add` with each verdict in turn."""
    signatures = list(map(signature, sweep.looks))
    known = [hosts.at(*place) for place in sweep.places]
    for indices in _ranges(sweep):
        first = indices[0]
        host, which = known[sweep.rows[first]], sweep.which[first]
        look = sweep.looks[which]
        alone = 0
        while alone < len(indices) and not host.folds(look):
            host.add(sweep.at(indices[alone]))
            alone += 1
        if folded := len(indices) - alone:
            port = int(sweep.ports[indices[alone]])
            host.counts[look.state] += folded
            host.alike(signatures[which], sweep.later(indices[alone])).add_range(port, port + folded - 1)


def _ranges(sweep: Sweep) -> Iterator[list[int]]:
    """Where in the sweep verdicts stand that share host and look, of ports without a gap; by host, then by look."""
    kinds = sweep.rows * len(sweep.looks) + sweep.which
    order = np.argsort(kinds, kind="stable")
    ports = sweep.ports[order].astype(np.int64)
    breaks: I64 = np.flatnonzero((np.diff(kinds[order]) != 0) | (np.diff(ports) != 1)) + 1
    return (order[start:stop].tolist() for start, stop in pairwise([0, *breaks.tolist(), len(sweep)]))
