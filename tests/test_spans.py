"""Ports as ranges behave like the set that they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probe.judge.wording import ranges, runs
from probe.spans import Spans

near = st.integers(0, 40) | st.integers(65500, 65535)
ports = st.lists(near, unique=True) | st.lists(near, unique=True).map(sorted)


@given(ports)
def test_they_are_their_ports_in_any_order(came: list[int]) -> None:
    spans = Spans(came)
    assert list(spans) == sorted(came)
    assert len(spans) == len(came)
    assert [port for port in range(65536) if port in spans] == sorted(came)


@given(ports)
def test_equal_sets_are_equal_bytes(came: list[int]) -> None:
    other = sorted(came, reverse=True)
    assert Spans(came).dense() == Spans(other).dense()
    assert Spans(came).dense() != Spans([*came, 50]).dense()


@given(ports)
def test_their_ranges_are_those_of_a_list(came: list[int]) -> None:
    assert list(runs(Spans(came))) == list(runs(came))
    assert ranges(Spans(came), 3) == ranges(came, 3)


@given(ports)
def test_ranges_may_be_added_whole(came: list[int]) -> None:
    spans = Spans()
    for first, last in reversed(list(runs(came))):
        spans.add_range(first, last)
    assert list(spans) == sorted(came)


def test_all_ports_take_four_bytes() -> None:
    assert len(Spans(range(65536)).dense()) == 4
    assert len(Spans(range(65536))) == 65536
