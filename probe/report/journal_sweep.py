"""The lines of a sweep in the journal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from probe.model import Reason, Verdict
from probe.report.numbering import numbered
from probe.report.stencil import decimals, joined, texts, times
from probe.sweep import Sweep


def lines(sweep: Sweep, host: Callable[[str, str], int], look: Callable[[Verdict], int]) -> str:
    """One for each verdict that is one; `host` and `look` give the numbers that these have in the journal."""
    sweep = _decided(sweep)
    if not len(sweep):
        return ""
    transport = sweep.looks[0].key.transport
    hosts = [host(address, transport) for address in sweep.addresses()]
    looks, which = numbered(sweep, look)
    columns = (
        texts(f"[{number}," for number in hosts)[sweep.rows],
        decimals(sweep.ports),
        texts(f",{number}," for number in looks)[which],
        *times(sweep.rtt_ms, "", none="null"),
        texts(["]\n"])[np.zeros_like(which)],
    )
    return joined(columns)


def _decided(sweep: Sweep) -> Sweep:
    """Without what an interruption left open."""
    final = np.array([look.reason is not Reason.INTERRUPTED for look in sweep.looks])
    return sweep if final.all() else sweep.only(final[sweep.which])
