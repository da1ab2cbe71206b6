"""The rows of a sweep: those that `CsvSink.port` writes of each verdict, at a tenth of the cost."""

from __future__ import annotations

from functools import lru_cache

from probe.model import Verdict
from probe.report.csv import COLUMNS, port_row, written
from probe.report.stencil import Cuts, Stencil
from probe.sweep import Sweep

_PORT, _RESPONDER, _RTT, _REGISTERED = map(COLUMNS.index, ("port", "responder", "rtt_ms", "registered"))


def lines(sweep: Sweep) -> str:
    """Each ends with CR LF (RFC 4180)."""
    return _STENCIL.text(sweep)


def _head(target: str, address: str, transport: str) -> str:
    return f"{_target(target)},{address},{transport},"


@lru_cache(maxsize=16)
def _target(name: str) -> str:
    return written({"type": "port", "target": name}, COLUMNS[:2])


def _cuts(look: Verdict, itself: bool) -> Cuts:
    row = port_row(look)
    opening = written(row, COLUMNS[_PORT + 1 : _RESPONDER])
    responder, closing = "" if itself else row.get("responder", ""), written(row, COLUMNS[_RESPONDER + 1 : _RTT])
    return Cuts(f",{opening},{responder}", f",{closing},", f",{written(row, COLUMNS[_REGISTERED + 1 :])}\r\n")


def _registered(name: str | None) -> str:
    return f",{written({'registered': name}, COLUMNS[_REGISTERED : _REGISTERED + 2])[:-1]}"


_STENCIL = Stencil(_head, _cuts, "", _registered)
