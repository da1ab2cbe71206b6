"""Hosts and looks of a sweep as numbers, for formats that say each of them once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from probe.core.columns import I64, alike
from probe.model import Verdict
from probe.sweep import Sweep


def numbered(
    sweep: Sweep, host: Callable[[str, str], int], look: Callable[[Verdict], int]
) -> tuple[list[int], list[int], I64]:
    """The number of each of its places (by address and transport), those of its looks, and which each verdict has.

    The sweep is not empty. Both are asked for once; a look that several targets have is one for each of them.
    """
    targets = {target: number for number, (target, _) in enumerate(sweep.places)}
    target_of = np.array([targets[target] for target, _ in sweep.places])
    samples, which = alike(target_of[sweep.rows], sweep.which)
    transport = sweep.looks[0].key.transport
    hosts = [host(address, transport) for address in sweep.addresses()]
    return hosts, [look(sweep.at(sample)) for sample in samples.tolist()], which
