"""A sweep folded at once: for each host and each look of its ports, their ranges."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from probe.report.fold import Hosts, signature
from probe.sweep import Sweep


def fold(hosts: Hosts, sweep: Sweep) -> None:
    """As `hosts.add` with each verdict in turn."""
    signatures = list(map(signature, sweep.looks))
    known = [hosts.at(*place) for place in sweep.places]
    for row, which, port, indices in _ranges(sweep):
        host, look = known[row], sweep.looks[which]
        alone = 0
        while alone < len(indices) and not host.folds(look):
            host.add(sweep.at(indices[alone]))
            alone += 1
        if folded := len(indices) - alone:
            host.counts[look.state] += folded
            ports = host.alike(signatures[which]) or host.begin(signatures[which], sweep.later(indices[alone]))
            ports.add_range(port + alone, port + len(indices) - 1)


def _ranges(sweep: Sweep) -> Iterator[tuple[int, int, int, list[int]]]:
    """(place, look, first port, where in the sweep) of verdicts that share the first two, of ports without a gap; by
    place, then by look."""
    kinds = sweep.rows * len(sweep.looks) + sweep.which
    order = np.argsort(kinds, kind="stable")
    ports, kinds = sweep.ports[order].astype(np.int64), kinds[order]
    heads = np.flatnonzero(np.insert((np.diff(kinds) != 0) | (np.diff(ports) != 1), 0, True))
    rows, which = np.divmod(kinds[heads], len(sweep.looks))
    indices, ends = order.tolist(), [*heads.tolist(), len(sweep)]
    parts = (indices[start:stop] for start, stop in pairwise(ends))
    return zip(rows.tolist(), which.tolist(), ports[heads].tolist(), parts, strict=True)
