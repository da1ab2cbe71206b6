"""A traced handshake for programs: a record for the head, one per packet, and one for what it means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from probe.core.dissect import Segment
from probe.core.notation import letters, name, relative
from probe.core.story import Step
from probe.core.traced import TraceEnd, TraceInfo
from probe.report import Out
from probe.report.jsonl import line
from probe.report.records import SCHEMA_VERSION, Record, present
from probe.services.text import escape

BANNER = 256  # bytes of a segment that are shown


class TraceSink(Protocol):
    """One format being written. Every method may raise OutputError."""

    def start(self, info: TraceInfo) -> None: ...

    def step(self, step: Step) -> None: ...

    def finish(self, end: TraceEnd) -> None: ...


class TraceLines:
    """JSON Lines; see `probe.report.jsonl`."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def start(self, info: TraceInfo) -> None:
        self._put(info_record(info))

    def step(self, step: Step) -> None:
        self._put(packet_record(step))

    def finish(self, end: TraceEnd) -> None:
        self._put(end_record(end))
        self._out.commit()

    def _put(self, record: Record) -> None:
        self._out.write(line(record))
        self._out.flush()


def info_record(info: TraceInfo) -> Record:
    ends = info.ends
    return present(
        type="trace",
        schema_version=SCHEMA_VERSION,
        target=info.target,
        address=str(ends.target),
        transport="tcp",
        port=ends.dport,
        source=str(ends.source),
        source_port=ends.sport,
        started=moment(info.started_ns),
        wire=info.wire,
        probe_version=info.probe_version,
    )


def packet_record(step: Step) -> Record:
    """One packet. Relative numbers count from the first of their side, and are absent where that is not known."""
    head = {
        "type": "packet",
        "number": step.number,
        "time": moment(step.time_ns),
        "since_ms": None if step.since_ns is None else round(step.since_ns / 1e6, 6),
        "direction": "out" if step.outgoing else "in",
    }
    fields = _segment(step, step.packet) if isinstance(step.packet, Segment) else _error(step)
    return present(**head, **fields, state=str(step.state), remark=step.remark or None)


def _segment(step: Step, segment: Segment) -> Record:
    ours, theirs = (step.iss, step.irs) if step.outgoing else (step.irs, step.iss)
    acknowledges = "." in letters(segment.flags)
    return {
        "name": name(segment),
        "flags": letters(segment.flags),
        "seq": segment.seq,
        "seq_relative": relative(segment.seq, ours),
        "ack": segment.ack if acknowledges else None,
        "ack_relative": relative(segment.ack, theirs) if acknowledges else None,
        "window": segment.window,
        "options": list(segment.options) or None,
        "ttl": segment.ttl,
        "length": segment.length,
        "data": escape(segment.data[:BANNER]) if segment.length else None,
    }


def _error(step: Step) -> Record:
    error = step.packet
    assert not isinstance(error, Segment)
    return {
        "name": "ICMP",
        "sender": str(error.sender),
        "reason": str(error.reason) if error.reason else None,
        "icmp_type": error.type,
        "icmp_code": error.code,
        "quoted_seq": error.seq,
        "quoted_seq_relative": relative(error.seq, step.iss),
        "ttl": error.ttl,
    }


def end_record(end: TraceEnd) -> Record:
    conclusion, place = end.conclusion, end.place
    return present(
        type="summary",
        exit_code=conclusion.exit_code,
        state=str(conclusion.state),
        reason=str(conclusion.reason),
        cause=str(conclusion.cause) if conclusion.cause else None,
        handshake=str(conclusion.handshake) if conclusion.handshake else None,
        attempts=end.attempts,
        rtt_ms=None if end.rtt_ms is None else round(end.rtt_ms, 6),
        hop=place.hop if place else None,
        hop_address=place.address if place else None,
        silent_hop=place.silent if place else None,
        meaning=list(conclusion.sentences),
    )


def moment(time_ns: int) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    at = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).replace(microsecond=time_ns // 1000 % 1_000_000)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
