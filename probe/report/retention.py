"""How long runs stay in the history: the newest so many of each profile, or those of the last so many days."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from probe.model import Keep

_OLDEST_BY_COUNT = """
    SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY profile ORDER BY id DESC) AS age FROM run WHERE {which})
    WHERE age > ?
"""
_OLDEST_BY_AGE = "SELECT id FROM run WHERE {which} AND started < ?"


def prune(sql: sqlite3.Connection, keep: Keep, *, now: str, profile: str | None = None) -> int:
    """Forget what `keep` does not keep, of one profile or of all; returns how many runs. `now` is UTC in ISO 8601.

    To be called in a transaction. What only the forgotten runs had said is forgotten too.
    """
    which, about = ("profile = ?", (profile,)) if profile is not None else ("1", ())
    if keep.runs is not None:
        old = sql.execute(_OLDEST_BY_COUNT.format(which=which), (*about, keep.runs)).fetchall()
    else:
        old = sql.execute(_OLDEST_BY_AGE.format(which=which), (*about, _days_before(now, keep.days or 0))).fetchall()
    forget(sql, old)
    if old:
        _forget_unsaid(sql)
    return len(old)


def forget(sql: sqlite3.Connection, runs: list[tuple[int]]) -> None:
    """Take these runs out; what they said stays for others to say."""
    for table, column in (("stretch", "run"), ("finding", "run"), ("run", "id")):
        sql.executemany(f"DELETE FROM {table} WHERE {column} = ?", runs)  # noqa: S608 - our own words


def _days_before(now: str, days: int) -> str:
    return (
        (datetime.fromisoformat(now) - timedelta(days=days)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _forget_unsaid(sql: sqlite3.Connection) -> None:
    still = "SELECT said FROM stretch UNION SELECT said FROM finding"
    sql.execute(f"DELETE FROM said WHERE id NOT IN ({still})")  # noqa: S608 - our own words
