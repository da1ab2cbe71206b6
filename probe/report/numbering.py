"""Hosts and looks of a sweep as numbers, for formats that say each of them once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from probe.core.columns import I64, alike
from probe.model import PortKey, Verdict
from probe.sweep import Sweep


def numbered(
    sweep: Sweep, host: Callable[[PortKey], int], look: Callable[[Verdict], int]
) -> tuple[list[int], list[int], I64]:
    """The number of each of its places, those of its looks, and which of these each verdict has.

    The sweep is not empty. Both are asked for once; a look that several targets have is one for each of them.
    """
    targets = {target: number for number, (target, _) in enumerate(sweep.places)}
    target_of = np.array([targets[target] for target, _ in sweep.places])
    samples, which = alike(target_of[sweep.rows], sweep.which)
    transport = sweep.looks[0].key.transport
    hosts = [host(PortKey(address, transport, 0)) for _, address in sweep.places]
    return hosts, [look(sweep.at(sample)) for sample in samples.tolist()], which
