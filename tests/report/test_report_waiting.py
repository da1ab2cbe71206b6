"""Rows of the history that are written many at a time are those that are written one by one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.report import waiting
from probe.report.waiting import Waiting

HOSTS, SAID = [70, 71, 72], [5, 9]
TABLE = "CREATE TABLE verdict (run, host, port, said, rtt_ms, PRIMARY KEY (run, host, port)) WITHOUT ROWID"
Row = tuple[int, int, int, float]

times = st.sampled_from([np.nan, 0.0005, 2.0005, 1e6, 1022.9999]) | st.floats(0, 2000)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """(host, look, port, time), mostly in ranges."""
    made: list[Row] = []
    for host in range(draw(st.integers(1, 3))):
        steps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 7]), min_size=1, max_size=40))
        look = draw(st.integers(0, 1))
        for port in accumulate(steps):
            look = 1 - look if draw(st.integers(0, 9)) == 0 else look
            made.append((host, look, port, draw(times)))
    return made


def written(told: Waiting) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as sql:
        sql.execute(TABLE)
        told.insert(sql, 3, HOSTS, SAID)
        return sql.execute("SELECT * FROM verdict").fetchall()


def in_turn(made: list[Row]) -> Waiting:
    told = Waiting()
    for host, look, port, time in made:
        told.add(host, look, port, None if time != time else time)
    return told


def at_once(made: list[Row]) -> Waiting:
    told = Waiting()
    hosts, looks, ports, rtts = zip(*made, strict=True)
    told.add_all(*(np.array(column, kind) for column, kind in zip((hosts, looks, ports, rtts), "IIHd", strict=True)))
    return told


@pytest.fixture(autouse=True)
def short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LONG", 3)


@given(rows())
def test_many_are_as_many_single_ones(made: list[Row]) -> None:
    expected = [
        (3, HOSTS[host], port, SAID[look], None if time != time else round(time, 3)) for host, look, port, time in made
    ]
    assert written(at_once(made)) == written(in_turn(made)) == expected


def test_both_ways_are_taken() -> None:
    statements: list[str] = []
    made = [(0, 0, port, 0.5) for port in (1, 2, 3, 4, 9, 10)] + [(1, 0, port, 0.0005) for port in range(11, 20)]
    with closing(sqlite3.connect(":memory:")) as sql:
        sql.execute(TABLE)
        sql.set_trace_callback(statements.append)
        at_once(made).insert(sql, 3, HOSTS, SAID)
    assert sum("json_each" in statement for statement in statements) == 1
    assert sum("VALUES" in statement for statement in statements) == 2 + 9


def test_where_sqlite_knows_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_knows_json", lambda _sql: False)
    made = [(0, 0, port, 0.5) for port in range(1, 20)]
    assert written(at_once(made)) == written(in_turn(made))


def test_whether_sqlite_knows_json() -> None:
    with closing(sqlite3.connect(":memory:")) as sql:
        assert waiting._knows_json(sql)
        sql.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_FUNCTION else 0)
        assert not waiting._knows_json(sql)
