"""A run into the history, as it is decided: rows are gathered and handed over in batches, each one transaction.

Batches do not wait for another writer, since a scan cannot: what could not be written is kept and goes with the next
one. Only the end waits. A run that was killed stands in the history without its summary, until it is resumed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import chain

from probe.errors import OutputError
from probe.model import Address, Finding, Keep, PortKey, RunInfo, Summary, Verdict
from probe.report.database import Database, LockedError
from probe.report.hosts import NUMBERED, own_number
from probe.report.records import run_record, summary_record
from probe.report.retention import forget, prune
from probe.report.shorthand import dense, look, look_key, remark, remark_key
from probe.report.waiting import Waiting
from probe.sweep import Sweep

_AT_ONCE = 500  # rows in one query
_BATCH = 8192  # rows; some 20 ms of writing
_MOST_REMEMBERED = 50_000  # looks that are known again: a host may say something new on every port


@dataclass(slots=True)
class _Catalogue:
    """Things that the database numbers: here they have the place in which they were first seen, until it does.

    `table` has the columns `columns`, unique together; `ids` has the numbers of those that are written, `waiting` the
    values of the others.
    """

    table: str
    columns: tuple[str, ...]
    places: dict[Hashable, int] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    waiting: list[tuple[str, ...]] = field(default_factory=list)

    def place(self, key: Hashable, values: Callable[[], tuple[str, ...]]) -> int:
        found = self.places.get(key)
        if found is None:
            found = self.places[key] = len(self.places)
            self.waiting.append(values())
        return found

    def numbers(self, sql: sqlite3.Connection) -> list[int]:
        """The numbers of all of them by place, once the transaction has succeeded."""
        names, places = ", ".join(self.columns), ", ".join("?" * len(self.columns))
        insert = f"INSERT OR IGNORE INTO {self.table} ({names}) VALUES ({places})"  # noqa: S608 - our own words
        sql.executemany(insert, self.waiting)
        same = " AND ".join(f"{name} = column{place}" for place, name in enumerate(self.columns, 1))
        numbers: dict[tuple[str, ...], int] = {}
        for start in range(0, len(self.waiting), _AT_ONCE):
            some = self.waiting[start : start + _AT_ONCE]
            wanted = ", ".join([f"({places})"] * len(some))
            query = f"SELECT id, {names} FROM (VALUES {wanted}) CROSS JOIN {self.table} ON {same}"  # noqa: S608 - ours
            numbers |= {tuple(values): number for number, *values in sql.execute(query, list(chain(*some)))}
        return self.ids + [numbers[values] for values in self.waiting]

    def written(self, numbers: list[int]) -> None:
        self.ids, self.waiting = numbers, []
        if len(numbers) > _MOST_REMEMBERED:
            self.places, self.ids = {}, []


class HistorySink:
    """One run. Every method may raise OutputError; `keep` says how many runs of this profile stay."""

    def __init__(self, database: Database, keep: Keep | None = None) -> None:
        self._database = database
        self._keep = keep
        self._hosts = _Catalogue("host", ("address", "transport"))
        self._said = _Catalogue("said", ("record",))
        # Rows as they will be written, but with places instead of numbers.
        self._verdicts = Waiting()
        self._findings: list[tuple[int | None, int | None, int, int]] = []  # host, port, said, order
        self._flush_at = _BATCH
        self._count = 0
        self._last: tuple[Address, str, int] | None = None
        self._id: int | None = None  # until the run has a row

    def start(self, run: RunInfo) -> None:
        self._run = run
        with self._database.transaction() as sql:
            forget(sql, sql.execute("SELECT id FROM run WHERE run_id = ?", (run.run_id,)).fetchall())
            row = (run.run_id, run.profile, run.started, dense(run_record(run)))
            added = sql.execute("INSERT INTO run (run_id, profile, started, head) VALUES (?, ?, ?, ?)", row)
            self._id = added.lastrowid

    def port(self, verdict: Verdict) -> None:
        self._verdicts.add(self._host(verdict.key), self._look(verdict), verdict.key.port, verdict.rtt_ms)
        self._flush_if_full()

    def ports(self, sweep: Sweep) -> None:
        import numpy as np  # takes 0.1 s, and who sweeps has it

        from probe.report.numbering import numbered

        transport = sweep.looks[0].key.transport
        hosts = [self._place(address, transport) for _, address in sweep.places]
        looks, which = numbered(sweep, self._look)
        columns = np.array(hosts, np.uint64)[sweep.rows], np.array(looks, np.uint32)[which]
        self._verdicts.add_all(*columns, sweep.ports, sweep.rtt_ms)
        self._flush_if_full()

    def _look(self, verdict: Verdict) -> int:
        return self._said.place(look_key(verdict), lambda: (look(verdict),))

    def finding(self, finding: Finding) -> None:
        said = self._said.place(remark_key(finding), lambda: (remark(finding),))
        key = finding.key
        self._findings.append((self._host(key) if key else None, key.port if key else None, said, self._count))
        self._count += 1
        self._flush_if_full()

    def finish(self, summary: Summary) -> None:
        self._flush()
        with self._database.transaction() as sql:
            sql.execute("UPDATE run SET summary = ? WHERE id = ?", (dense(summary_record(summary)), self._id))
            if self._keep:
                prune(sql, self._keep, now=self._run.started, profile=self._run.profile)
        self._database.close()

    def abandon(self, *, keep: bool) -> None:
        """Give up without a summary; what was decided stays. Never raises."""
        with contextlib.suppress(OutputError):
            if keep and self._id is not None:
                self._flush(0)
        self._database.close()

    def _host(self, key: PortKey) -> int:
        # Verdicts come host by host, and making text of an address costs more than the rest of a row.
        last = self._last
        if last is None or last[0] != key.address or last[1] != key.transport:
            last = self._last = (key.address, key.transport, self._place(key.address, key.transport))
        return last[2]

    def _place(self, address: Address, transport: str) -> int:
        """Its own number, or that of its place in the catalogue, from NUMBERED on."""
        own = own_number(address, transport)
        if own is not None:
            return own
        host = (str(address), transport)
        return NUMBERED + self._hosts.place(host, lambda: host)

    def _flush_if_full(self) -> None:
        waiting = len(self._verdicts) + len(self._findings)
        if waiting >= self._flush_at:
            self._flush_at = waiting + _BATCH
            with contextlib.suppress(LockedError):
                self._flush(0)

    def _flush(self, patience_s: float | None = None) -> None:
        run = self._id
        with self._database.transaction(patience_s) as sql:
            hosts, said = self._hosts.numbers(sql), self._said.numbers(sql)

            def host_number(host: int) -> int:
                return host if host < NUMBERED else NUMBERED + hosts[host - NUMBERED]

            self._verdicts.insert(sql, run, host_number, said)
            sql.executemany(
                "INSERT INTO finding (run, host, port, said, number) VALUES (?, ?, ?, ?, ?)",
                [
                    (run, None if host is None else host_number(host), port, said[what], number)
                    for host, port, what, number in self._findings
                ],
            )
        self._hosts.written(hosts)
        self._said.written(said)
        self._last = None  # places may have begun anew
        self._verdicts, self._findings, self._flush_at = Waiting(), [], _BATCH
