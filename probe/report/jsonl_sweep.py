"""The lines of a sweep: those that `jsonl.line` makes of each verdict, at a tenth of the cost."""

from __future__ import annotations

from functools import lru_cache

from msgspec.structs import replace

from probe.model import Verdict
from probe.report.records import Record, port_record
from probe.report.shorthand import dense
from probe.report.stencil import Cuts, Stencil
from probe.sweep import Sweep

_BODY = ("state", "reason", "cause", "evidence", "attempts")
_END = ("handshake", "service", "banner")
_HERE = "\0"
_SEAM = dense([_HERE])[2:-2]


def lines(sweep: Sweep) -> str:
    """Each ends with a line feed."""
    return _STENCIL.text(sweep)


def _head(target: str, address: str, transport: str) -> str:
    return f'{_target(target)},"address":"{address}","transport":"{transport}","port":'


@lru_cache(maxsize=16)
def _target(name: str) -> str:
    return dense({"type": "port", "target": name})[:-1]


def _cuts(look: Verdict, itself: bool) -> Cuts:
    if not itself:
        record = port_record(look)
        return Cuts(_members(record, _BODY), "", _members(record, _END) + "}\n")
    record = port_record(replace(look, evidence=replace(look.evidence, responder=_HERE)))
    opening, _, closing = _members(record, _BODY).partition(_SEAM)  # the responder is the first that could have it
    return Cuts(opening, closing, _members(record, _END) + "}\n")


def _members(record: Record, names: tuple[str, ...]) -> str:
    members = dense({name: record[name] for name in names if name in record})[1:-1]
    return f",{members}" if members else ""


def _registered(name: str | None) -> str:
    if name and name.replace("-", "").isalnum() and name.isascii():  # nearly all of them, and nothing in it to escape
        return f',"registered":"{name}"'
    return f",{dense({'registered': name})[1:-1]}" if name else ""


def prepare() -> None:
    """Make the tables that `lines` looks things up in."""
    _STENCIL.prepare()


_STENCIL = Stencil(_head, _cuts, ',"rtt_ms":', _registered)
