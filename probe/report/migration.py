"""Histories of the first version, which had a row for each port and host: made over, once, in one transaction."""

from __future__ import annotations

import sqlite3
from ipaddress import ip_address
from itertools import groupby

from probe.report.hosts import NUMBERED, own_number
from probe.report.stretch import TABLE
from probe.report.waiting import Waiting

_AT_ONCE = 1 << 16  # verdicts
_ALL = "SELECT run, host, said, port, rtt_ms FROM verdict ORDER BY run, host, port"


def upgrade(sql: sqlite3.Connection) -> None:
    """From version 1 to 2, in a transaction of the caller's. Raises sqlite3.Error, and where the rows are not what
    probe wrote, ArithmeticError, LookupError, TypeError or ValueError."""
    sql.execute(TABLE)
    numbers = {}
    for number, address, transport in sql.execute("SELECT id, address, transport FROM host").fetchall():
        own = own_number(ip_address(address), transport)
        numbers[number] = NUMBERED + number if own is None else own
    looks = range(1 << 32)  # have their numbers already
    for run, rows in groupby(sql.execute(_ALL), key=lambda row: int(row[0])):
        waiting = Waiting()
        for _, *verdict in rows:
            waiting.add(*verdict)
            if len(waiting) >= _AT_ONCE:
                waiting.insert(sql, run, numbers.__getitem__, looks)
                waiting = Waiting()
        waiting.insert(sql, run, numbers.__getitem__, looks)
    sql.execute("DROP TABLE verdict")
    sql.execute("CREATE TEMP TABLE renumbered (old INTEGER PRIMARY KEY, new INTEGER)")
    sql.executemany("INSERT INTO renumbered VALUES (?, ?)", numbers.items())
    sql.execute("UPDATE finding SET host = (SELECT new FROM renumbered WHERE old = host) WHERE host IS NOT NULL")
    sql.execute("DROP TABLE renumbered")
    sql.executemany("DELETE FROM host WHERE id = ?", ((old,) for old, new in numbers.items() if new < NUMBERED))
