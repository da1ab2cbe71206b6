"""The rows of the history: ports in a row that look alike are one, however they came, and all come back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.report.fields import FieldError
from probe.report.stored_diff import Common, side_by_side
from probe.report.stretch import TABLE, Stretch, stretch
from probe.report.waiting import Waiting

HOSTS, SAID = [70, 71, 72], [5, 9]
READ = "SELECT host, first, ports, said, rtts FROM stretch WHERE run = ? ORDER BY host, first"
Row = tuple[int, int, int, float]

times = st.sampled_from([np.nan, 0.0005, 2.0005, 1e6, 1022.9999, 4294967.2949]) | st.floats(0, 2000)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """(host, look, port, time), mostly in ranges."""
    made: list[Row] = []
    for host in range(draw(st.integers(1, 3))):
        steps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 7]), min_size=1, max_size=40))
        look = draw(st.integers(0, 1))
        timed = draw(st.booleans())
        for port in accumulate(steps):
            look = 1 - look if draw(st.integers(0, 9)) == 0 else look
            made.append((host, look, port, draw(times) if timed else np.nan))
    return made


def expected(made: list[Row]) -> list[tuple[object, ...]]:
    return [
        (HOSTS[host], port, SAID[look], None if time != time else min(round(time, 3), 4294967.294))
        for host, look, port, time in made
    ]


def stretches(sql: sqlite3.Connection, run: int = 3) -> list[Stretch]:
    return [stretch(*row) for row in sql.execute(READ, (run,))]


def unfolded(read: list[Stretch]) -> list[tuple[object, ...]]:
    return [
        (each.host, port, each.said, time)
        for each in read
        for port, time in zip(range(each.first, each.end), each.times(), strict=True)
    ]


def written(told: Waiting) -> list[Stretch]:
    with closing(sqlite3.connect(":memory:")) as sql:
        sql.execute(TABLE)
        told.insert(sql, 3, HOSTS.__getitem__, SAID)
        return stretches(sql)


def in_turn(made: list[Row]) -> Waiting:
    told = Waiting()
    for host, look, port, time in made:
        told.add(host, look, port, None if time != time else time)
    return told


def at_once(made: list[Row]) -> Waiting:
    told = Waiting()
    hosts, looks, ports, rtts = zip(*made, strict=True)
    told.add_all(*(np.array(column, kind) for column, kind in zip((hosts, looks, ports, rtts), "QIHd", strict=True)))
    return told


@given(rows())
def test_all_come_back_and_many_are_as_many_single_ones(made: list[Row]) -> None:
    assert unfolded(written(at_once(made))) == expected(made)
    assert written(in_turn(made)) == written(at_once(made))


def test_ports_in_a_row_that_look_alike_are_one_row() -> None:
    made = [(0, 0, port, 0.5) for port in (1, 2, 3, 4, 9)] + [(0, 1, port, np.nan) for port in range(10, 20)]
    made += [(1, 1, 20, np.nan)]
    assert [(each.host, each.first, each.end, each.said, each.rtts is None) for each in written(at_once(made))] == [
        (70, 1, 5, 5, False),
        (70, 9, 10, 5, False),
        (70, 10, 20, 9, True),
        (71, 20, 21, 9, True),
    ]


def test_nothing_is_no_row() -> None:
    assert written(Waiting()) == []


@pytest.mark.parametrize("ports", [(-1, 5), (65536, 1), (65530, 7), (5, 0), (5, -1), ("5", 1), (5, None), (5.0, 1)])
def test_what_are_no_ports(ports: tuple[object, object]) -> None:
    with pytest.raises(FieldError, match="are no ports"):
        stretch(1, *ports, 1)


@pytest.mark.parametrize("rtts", [b"", b"1234567", "12345678", 8, 0.5])
def test_what_are_no_times(rtts: object) -> None:
    with pytest.raises(FieldError, match="are no round-trip times of 2 ports"):
        stretch(1, 80, 2, 1, rtts).times()


@given(rows(), rows())
def test_side_by_side_every_port_is_seen_once(old: list[Row], new: list[Row]) -> None:
    was, now = ({(row[0], row[1]): row[2] for row in expected(made)} for made in (old, new))
    seen: dict[tuple[object, object], Common] = {}
    for part in side_by_side(iter(written(at_once(old))), iter(written(at_once(new)))):
        for port in range(part.first, part.end):
            assert seen.setdefault((part.host, port), part) is part
    assert {key: (part.was, part.now) for key, part in seen.items()} == {
        key: (was.get(key), now.get(key)) for key in was | now
    }
