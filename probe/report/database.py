"""The SQLite file that holds the history: opened, made, and every failure of it in a sentence.

What runs say repeats itself: a thousand dropped ports are one look, seen at a thousand places, run after run. So the
record of each look (`said`) is stored once, and ports in a row that look alike are one row (`stretch`). Everything in
`said`, `run.head` and `run.summary` is a record of the canonical form, without what the row says already.

WAL lets one writer and many readers work side by side; writers take turns, one short transaction after the other.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from probe.errors import OutputError, UsageError
from probe.judge.wording import printable
from probe.report.files import opening_error, refuse_odd
from probe.report.stretch import TABLE

PATIENCE_S = 5.0  # how long to wait for another writer where nothing else is to be done
_APPLICATION = 0x70726F62  # "prob": tells our files from other people's databases
_VERSION = 2
_DAMAGE = ("not a database", "malformed", "corrupt", "decode")
_LONGEST_REASON = 200

_SCHEMA = f"""
{TABLE};
CREATE TABLE run (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, profile TEXT NOT NULL, started TEXT NOT NULL,
    head TEXT NOT NULL, summary TEXT
);
CREATE INDEX run_of_profile ON run (profile, id);
CREATE TABLE host (id INTEGER PRIMARY KEY, address TEXT NOT NULL, transport TEXT NOT NULL, UNIQUE (address, transport));
CREATE TABLE said (id INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE);
CREATE TABLE finding (
    run INTEGER NOT NULL, number INTEGER NOT NULL, host INTEGER, port INTEGER, said INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
"""


class Database:
    """An open history. Errors of SQLite become OutputError; the file itself is never thrown away."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self.sql = connection

    @classmethod
    def open(cls, path: str, *, create: bool) -> Database:
        """Raises UsageError where the path is not one for a history, OutputError where the machine fails.

        With `create` the file and its folder are made where they are missing; others get no right to either.
        """
        _prepare(path, create)
        with explained(path):
            connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
            try:
                _set_up(connection, path)
            except BaseException:
                connection.close()
                raise
            return cls(path, connection)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.sql.close()

    @contextlib.contextmanager
    def transaction(self, patience_s: float | None = None) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises OutputError, of the kind LockedError where another writer is at it for too long."""
        patience_s = PATIENCE_S if patience_s is None else patience_s
        with explained(self.path):
            self.sql.execute(f"PRAGMA busy_timeout = {int(patience_s * 1000)}")
            self.sql.execute("BEGIN IMMEDIATE")
            try:
                yield self.sql
                self.sql.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
                    self.sql.execute("ROLLBACK")
                raise


class LockedError(OutputError):
    """Another program writes to the history, and did not end in time."""


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """SQLite's errors in a sentence. Raises OutputError."""
    try:
        yield
    except UnicodeDecodeError as error:  # sqlite3 makes text of SQLite's messages, which quote what is in the file
        raise damaged(path, "text in it is not UTF-8") from error
    except sqlite3.Error as error:
        text = printable(str(error))[:_LONGEST_REASON]
        if "locked" in text or "busy" in text:
            raise LockedError(f"{path}: another program has locked the history; try again, or --no-history") from error
        if any(sign in text for sign in _DAMAGE):
            raise damaged(path, text) from error
        raise OutputError(f"{path}: the history cannot be used: {text}") from error


def damaged(path: str, reason: str) -> OutputError:
    hint = "move it away, and the next run makes a new one"
    return OutputError(f"{path}: the history is damaged, or no history at all ({reason}); {hint}")


def _prepare(path: str, create: bool) -> None:
    final = Path(path)
    refuse_odd(path, final, UsageError)
    if not create:
        if not final.exists():
            raise UsageError(f"{path}: there is no history yet; `probe run` and `probe scan` write it")
        return
    try:
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its own files (-wal, -shm) the mode of this one.
        os.close(os.open(final, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise opening_error(path, error) from error


def _set_up(connection: sqlite3.Connection, path: str) -> None:
    (application,), (version,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != _APPLICATION:
        raise UsageError(f"{path}: is a database of another program; it was left untouched")
    if version > _VERSION:
        raise UsageError(f"{path}: was written by a newer probe (version {version}, this one knows {_VERSION})")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if not tables:
        _make(connection)
    elif version < _VERSION:
        _upgrade(connection, path)


def _make(connection: sqlite3.Connection) -> None:
    """Two runs may come here at once: the second finds it made."""
    connection.execute("BEGIN IMMEDIATE")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _upgrade(connection: sqlite3.Connection, path: str) -> None:
    """Likewise. Where it fails, the file is what it was."""
    from probe.report.migration import upgrade

    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < _VERSION:
            upgrade(connection)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    except BaseException as error:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        if isinstance(error, ArithmeticError | LookupError | TypeError | ValueError):
            raise damaged(path, "it has rows that no version of probe wrote") from error
        raise
