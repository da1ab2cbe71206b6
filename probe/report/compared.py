"""A diff with the two runs that it compares, and as records: the canonical form of `probe diff`.

Kinds of record: `diff` (the head), `change` (one event), `not-compared` (ports, by address and reason), `summary`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from probe.judge.diff import Change, Diff, Gap, Kind
from probe.model import Address, RunInfo, Verdict
from probe.profile.ports import format_ports
from probe.report.records import SCHEMA_VERSION, Record, port_record


class Compared(Struct, frozen=True):
    """`complete` says that both runs were: what an interrupted run did not get to may have changed."""

    old: RunInfo
    new: RunInfo
    diff: Diff
    complete: bool

    @property
    def exit_code(self) -> int:
        return self.diff.exit_code(complete=self.complete)

    def gaps(self) -> Iterator[tuple[Gap, Address, str, list[int]]]:
        """What is not compared: (why, address, transport, ports), by address."""
        for gap in Gap:
            places = self.diff.gaps[gap].items()
            for (address, transport), ports in sorted(places, key=lambda item: (item[0][0].version, int(item[0][0]))):
                yield gap, address, transport, ports


# The comparison of a run with the one before it, where there is one. Asked for at the end of the run.
Baseline = Callable[[RunInfo], Compared | None]


def records(compared: Compared) -> Iterator[Record]:
    """The whole comparison, changes in the order of addresses and ports."""
    yield {
        "type": "diff",
        "schema_version": SCHEMA_VERSION,
        "old": _head(compared.old),
        "new": _head(compared.new),
    }
    yield from (_change(change) for change in compared.diff.changes)
    for gap, address, transport, ports in compared.gaps():
        place: Record = {"address": str(address), "transport": transport, "ports": format_ports(ports)}
        yield {"type": "not-compared", "reason": str(gap)} | place
    yield _summary(compared)


def _head(run: RunInfo) -> Record:
    return {"run_id": run.run_id, "profile": run.profile, "started": run.started}


def _change(change: Change) -> Record:
    key = change.old.key
    return {
        "type": "change",
        "kind": str(change.kind),
        "target": change.new.target,
        "address": str(key.address),
        "transport": key.transport,
        "port": key.port,
        **({"moved_to": change.new.key.port} if change.kind is Kind.MOVED else {}),
        "old": _side(change.old),
        "new": _side(change.new),
        "message": change.message,
    }


def _side(verdict: Verdict) -> Record:
    """A verdict without its place, which the change names."""
    place = ("type", "target", "address", "transport", "port", "registered")
    return {name: value for name, value in port_record(verdict).items() if name not in place}


def _summary(compared: Compared) -> Record:
    diff = compared.diff
    kinds = [change.kind for change in diff.changes]
    return {
        "type": "summary",
        "complete": compared.complete,
        "exit_code": compared.exit_code,
        "changes": {str(kind): kinds.count(kind) for kind in Kind},
        "unchanged": diff.unchanged,
        "not_compared": {str(gap): diff.not_compared(gap) for gap in Gap},
    }
