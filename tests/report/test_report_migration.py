"""Histories of the first version, with a row for each port and host: made over when they are opened, whole or not at
all."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from probe.errors import OutputError
from probe.model import PortKey
from probe.report.archive import Archive
from probe.report.database import Database
from probe.report.records import run_record
from probe.report.shorthand import dense, look, remark
from tests.report.report_world import RUN, findings, verdicts

FIRST_VERSION = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, profile TEXT NOT NULL, started TEXT NOT NULL,
    head TEXT NOT NULL, summary TEXT
);
CREATE INDEX run_of_profile ON run (profile, id);
CREATE TABLE host (id INTEGER PRIMARY KEY, address TEXT NOT NULL, transport TEXT NOT NULL, UNIQUE (address, transport));
CREATE TABLE said (id INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE);
CREATE TABLE verdict (
    run INTEGER NOT NULL, host INTEGER NOT NULL, port INTEGER NOT NULL, said INTEGER NOT NULL, rtt_ms REAL,
    PRIMARY KEY (run, host, port)
) WITHOUT ROWID;
CREATE TABLE finding (
    run INTEGER NOT NULL, number INTEGER NOT NULL, host INTEGER, port INTEGER, said INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
PRAGMA application_id = 0x70726F62;
PRAGMA user_version = 1;
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A history as the first version wrote it: one run, with the findings of its verdicts."""
    path = str(tmp_path / "history.sqlite")
    seen = verdicts()
    with closing(sqlite3.connect(path)) as sql:
        sql.executescript(FIRST_VERSION)
        sql.execute("INSERT INTO run VALUES (1, ?, ?, ?, ?, NULL)", first_run())
        for one in seen:
            rtt = None if one.rtt_ms is None else round(one.rtt_ms, 3)
            row = (host(sql, one.key), one.key.port, said(sql, look(one)), rtt)
            sql.execute("INSERT INTO verdict VALUES (1, ?, ?, ?, ?)", row)
        for number, each in enumerate(findings(seen)):
            place = (host(sql, each.key), each.key.port) if each.key else (None, None)
            sql.execute("INSERT INTO finding VALUES (1, ?, ?, ?, ?)", (number, *place, said(sql, remark(each))))
        sql.commit()
    return path


def first_run() -> tuple[str, ...]:
    return RUN.run_id, RUN.profile, RUN.started, dense(run_record(RUN))


def host(sql: sqlite3.Connection, key: PortKey) -> int:
    return numbered(sql, "host", "address = ? AND transport = ?", str(key.address), key.transport)


def said(sql: sqlite3.Connection, record: str) -> int:
    return numbered(sql, "said", "record = ?", record)


def numbered(sql: sqlite3.Connection, table: str, same: str, *values: str) -> int:
    places = ", ".join("?" * len(values))
    sql.execute(f"INSERT OR IGNORE INTO {table} SELECT NULL, {places}", values)
    return int(sql.execute(f"SELECT id FROM {table} WHERE {same}", values).fetchone()[0])


def version(path: str) -> int:
    with closing(sqlite3.connect(path)) as sql:
        return int(sql.execute("PRAGMA user_version").fetchone()[0])


def test_all_of_it_is_there_again(path: str) -> None:
    with Archive.open(path) as opened:
        found = {verdict.key: verdict for verdict in opened.verdicts(opened.find("last"))}
    assert {key: json.dumps(look(verdict)) for key, verdict in found.items()} == {
        verdict.key: json.dumps(look(verdict)) for verdict in verdicts()
    }
    assert {key: verdict.rtt_ms for key, verdict in found.items()} == {
        one.key: None if one.rtt_ms is None else round(one.rtt_ms, 3) for one in verdicts()
    }
    with closing(sqlite3.connect(path)) as sql:
        tables = {name for (name,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        hosts = [address for (address,) in sql.execute("SELECT address FROM host")]
    assert tables == {"run", "host", "said", "stretch", "finding"}
    assert all(":" in address for address in hosts)
    assert version(path) == 2


def test_findings_stay_with_their_hosts(path: str) -> None:
    with Archive.open(path) as opened:
        query = "SELECT said, host, port FROM finding WHERE run = 1 ORDER BY number"
        found = [opened._stored.finding(*row).key for row in opened._stored.rows(query)]
    assert found == [each.key for each in findings(verdicts())]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM host",
        "UPDATE host SET address = 'nowhere' WHERE id = 1",
        "UPDATE verdict SET port = port + 70000",
        "UPDATE verdict SET said = 'said'",
        "UPDATE verdict SET rtt_ms = 'long'",
        "UPDATE verdict SET run = 'x'",
    ],
)
def test_what_is_damaged_stays_as_it_is(path: str, damage: str) -> None:
    with closing(sqlite3.connect(path)) as sql:
        sql.execute(damage)
        sql.commit()
    with pytest.raises(OutputError, match="rows that no version of probe wrote"):
        Database.open(path, create=True)
    assert version(path) == 1
    with closing(sqlite3.connect(path)) as sql:
        assert sql.execute("SELECT count(*) FROM verdict").fetchone() == (len(verdicts()),)
