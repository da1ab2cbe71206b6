"""Histories of the first version, which had a row for each port: made over, once, in one transaction."""

from __future__ import annotations

import sqlite3
from itertools import groupby

from probe.report.stretch import TABLE
from probe.report.waiting import Waiting

_AT_ONCE = 1 << 16  # verdicts
_ALL = "SELECT run, host, said, port, rtt_ms FROM verdict ORDER BY run, host, port"


def upgrade(sql: sqlite3.Connection) -> None:
    """From version 1 to 2, in a transaction of the caller's. Raises sqlite3.Error."""
    sql.execute(TABLE)
    themselves = range(1 << 32)  # hosts and looks have their numbers already
    for run, rows in groupby(sql.execute(_ALL), key=lambda row: int(row[0])):
        waiting = Waiting()
        for _, *verdict in rows:
            waiting.add(*verdict)
            if len(waiting) >= _AT_ONCE:
                waiting.insert(sql, run, themselves, themselves)
                waiting = Waiting()
        waiting.insert(sql, run, themselves, themselves)
    sql.execute("DROP TABLE verdict")
