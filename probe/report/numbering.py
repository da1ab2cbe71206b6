"""Looks of a sweep as numbers, for formats that say each of them once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from probe.core.columns import I64, alike
from probe.model import Verdict
from probe.sweep import Sweep


def numbered(sweep: Sweep, look: Callable[[Verdict], int]) -> tuple[list[int], I64]:
    """The numbers of its looks, and which of them each verdict has.

    The sweep is not empty. Each is asked for once; a look that several targets have is one for each of them.
    """
    targets = {target: number for number, (target, _) in enumerate(sweep.places)}
    target_of = np.array([targets[target] for target, _ in sweep.places])
    samples, which = alike(target_of[sweep.rows], sweep.which)
    return [look(sweep.at(sample)) for sample in samples.tolist()], which
