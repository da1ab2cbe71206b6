"""The limits of the command line are those of the profile, and so are the defaults: pydantic is the oracle."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from probe.model import ScanOptions
from probe.profile.limits import SCAN
from probe.profile.schema import ScanModel

WHOLE = {"attempts", "max_probes", "seed"}
BOUNDS = sorted({bound for limits in SCAN.values() for bound in limits if bound is not None})
near = st.sampled_from(BOUNDS).flatmap(lambda bound: st.sampled_from([bound, bound - 1, bound + 1, -bound, bound / 2]))


def allowed(name: str, value: float) -> bool:
    try:
        ScanModel.model_validate({name: value})
    except ValidationError:
        return False
    return True


@given(st.sampled_from(sorted(SCAN)), near | st.floats())
def test_a_number_is_refused_where_the_profile_refuses_it(name: str, value: float) -> None:
    if name in WHOLE:
        value = int(value) if math.isfinite(value) else 0
    assert (SCAN[name].complaint(value) is None) == allowed(name, value)


@pytest.mark.parametrize("name", ["handshake", "locate", "timeout", *SCAN])
def test_what_is_not_said_is_the_same(name: str) -> None:
    assert getattr(ScanOptions(), name) == getattr(ScanModel(), name)
