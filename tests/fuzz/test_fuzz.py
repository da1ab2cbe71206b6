"""A slice of the fuzz run, always the same one; `python -m tests.fuzz` runs on (README.md)."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fuzz.frames import KINDS
from tests.fuzz.run import fuzz
from tests.fuzz.table import table

# What a run must have met, or it has tested less than it says.
MET = """
open
closed
tcp, right tuple, not believed
tcp to us, forged tuple
tcp to others
tcp IP length
tcp IP checksum
tcp IP options
tcp TCP length
tcp TCP checksum
tcp data offset
tcp signed
tcp fragment
tcp hop-by-hop
tcp destination
tcp routing
tcp authentication
tcp mapped address
icmp net-unreach
icmp host-unreach
icmp proto-unreach
icmp port-unreach
icmp net-prohibited
icmp host-prohibited
icmp admin-prohibited
icmp time-exceeded
icmp that says nothing
icmp quotes us, forged
icmp quotes others
icmp ICMP checksum
icmp no ICMP error
icmp quote
fragment kept
fragments joined
fragment refused
fragment of a stranger
other protocol
no IP
"""


def test_engine_and_reference_agree() -> None:
    outcomes = fuzz(40_000, seed=2026)
    met = {outcome for outcome, _ in outcomes}
    assert set(MET.strip().splitlines()) <= met
    assert {name for _, name in outcomes} == {kind.__name__ for kind in KINDS}
    assert table(outcomes).count("\n") == len(met - {""}) + 2


@pytest.mark.parametrize("lie", ["acceptable", "parse"])
def test_a_broken_engine_is_found_out(monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    if lie == "acceptable":  # believes whatever comes from the right place
        monkeypatch.setattr("probe.core.ledger.acceptable", lambda flags, *_, **__: np.ones(len(flags), np.bool_))
    else:  # takes the kernel's word for packets about which it said nothing
        monkeypatch.setattr("probe.core.replies._undamaged", lambda packets, **_: np.ones(len(packets.rows), np.bool_))
    with pytest.raises(AssertionError) as caught:
        fuzz(5_000, seed=1)
    assert caught.value.__notes__[0].startswith("seed 1, after ")
