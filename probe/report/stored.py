"""Rows of the history back into verdicts and findings. Looks and hosts are read once and remembered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from probe.model import Address, Finding, PortKey, Verdict
from probe.report.database import Database, damaged, explained
from probe.report.fields import FieldError, address, shown
from probe.report.hosts import NUMBERED
from probe.report.records import Record
from probe.report.shorthand import SOMEWHERE, finding_from, record_from, verdict_at, verdict_from
from probe.report.stretch import Stretch, stretch


@contextlib.contextmanager
def understood(path: str) -> Iterator[None]:
    """Raises OutputError for what SQLite cannot read, and for what it can and we cannot."""
    try:
        with explained(path):
            yield
    except FieldError as error:
        raise damaged(path, str(error)) from error


@dataclass
class Stored:
    """What numbers stand for. Its methods raise FieldError and sqlite3.Error: see `understood`."""

    database: Database
    _records: dict[int, Record] = field(default_factory=dict)
    _looks: dict[int, Verdict] = field(default_factory=dict)
    _hosts: dict[int, tuple[Address, str]] = field(default_factory=dict)

    def rows(self, query: str, *values: object) -> Iterator[Any]:
        return iter(self.database.sql.execute(query, values))

    def stretches(self, run: int, *, times: bool = False) -> Iterator[Stretch]:
        """All of a run by host and port, if wanted with their round-trip times."""
        rtts = ", rtts" if times else ""
        query = f"SELECT host, first, ports, said{rtts} FROM stretch WHERE run = ? ORDER BY host, first"  # noqa: S608 - ours
        return (stretch(*row) for row in self.rows(query, run))

    def verdict(self, said: int, key: PortKey, rtt_ms: float | None = None) -> Verdict:
        return verdict_at(self.look(said), key, rtt_ms)

    def finding(self, said: int, host: int | None, port: int) -> Finding:
        return finding_from(self._record(said), None if host is None else self.key(host, port))

    def look(self, said: int) -> Verdict:
        """The verdict that all with this look are like, at no place."""
        if said not in self._looks:
            self._looks[said] = verdict_from(self._record(said), SOMEWHERE)
        return self._looks[said]

    def key(self, host: int, port: int) -> PortKey:
        if host not in self._hosts:
            self._hosts[host] = self._host(host)
        if type(port) is not int or not 0 <= port <= 65535:  # SQLite's types are suggestions
            raise FieldError(f"{shown(port)} is no port")
        return PortKey(*self._hosts[host], port)

    def _host(self, number: int) -> tuple[Address, str]:
        if type(number) is int and 0 <= number < NUMBERED:
            return IPv4Address(number), "tcp"
        text, transport = self._one("SELECT address, transport FROM host WHERE id = ? - ?", number, NUMBERED)
        return address(text), transport

    def _record(self, said: int) -> Record:
        if said not in self._records:
            self._records[said] = record_from(*self._one("SELECT record FROM said WHERE id = ?", said))
        return self._records[said]

    def _one(self, query: str, *numbers: int) -> Any:
        row = next(self.rows(query, *numbers), None)
        if row is None:
            raise FieldError("a row names another that is not there")
        return row
