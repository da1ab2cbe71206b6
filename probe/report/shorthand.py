"""Records without their place, and back: what a thousand ports have in common is said once.

A *look* is a `port` record without address, port and round-trip time; `live` stands in it, which no other record has,
and where the address was its own responder, the word `itself` for that. A
*remark* is a `finding` record without address and port, and its message without the words that name them (`told`).
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

from msgspec.structs import replace

from probe.judge.wording import place
from probe.model import Evidence, Finding, PortKey, Verdict
from probe.report.fields import FieldError, Fields, address, text
from probe.report.parsing import finding_of, verdict_of
from probe.report.records import Record, finding_record, port_record
from probe.sweep import own, placed

_PLACE = ("type", "address", "transport", "port", "rtt_ms", "registered")
_ITSELF = "itself"


# The place of a look, which stands for many.
SOMEWHERE = PortKey(address("0.0.0.0"), "tcp", 0)  # noqa: S104


def dense(record: Record | list[Any]) -> str:
    """A record as text: the same text for the same record."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False)


def look_key(verdict: Verdict) -> Hashable:
    """Equal for verdicts with the same look."""
    seen = (verdict.state, verdict.reason, verdict.cause, _unplaced(verdict), verdict.attempts)
    return (verdict.target, *seen, verdict.conversation, verdict.live)


def look(verdict: Verdict) -> str:
    whole = port_record(replace(verdict, evidence=_unplaced(verdict)))
    record = {name: value for name, value in whole.items() if name not in _PLACE}
    return dense(record if verdict.live else record | {"live": False})


def _unplaced(verdict: Verdict) -> Evidence:
    return replace(verdict.evidence, responder=_ITSELF) if own(verdict) else verdict.evidence


def remark_key(finding: Finding) -> Hashable:
    """Equal for findings with the same remark."""
    expectation = (finding.expectation.number, finding.expectation.target, finding.expectation.words)
    return (*expectation, finding.outcome, finding.proof, finding.observed, finding.found, _told(finding))


def remark(finding: Finding) -> str:
    record = {name: value for name, value in finding_record(finding).items() if name not in _PLACE}
    told = _told(finding)
    if told != finding.message:
        del record["message"]
        record["told"] = told
    return dense(record)


def verdict_from(look: Record, key: PortKey) -> Verdict:
    """A verdict of a look, with a place. Raises FieldError."""
    return verdict_of(Fields(look | _place_of(key)))


def verdict_at(seen: Verdict, key: PortKey, rtt_ms: float | None) -> Verdict:
    """The verdict of a look that was made already, at a place."""
    return placed(seen, seen.target, key, rtt_ms, itself=seen.evidence.responder == _ITSELF)


def finding_from(remark: Record, key: PortKey | None) -> Finding:
    """A finding of a remark, with its place if it has one. Raises FieldError."""
    if key is None:
        return finding_of(Fields(remark))
    whole = remark | _place_of(key)
    if "told" in remark:
        whole["message"] = _about(str(remark.get("target")), key) + Fields(remark).required("told", text)
    return finding_of(Fields(whole))


def record_from(dense_text: str) -> Record:
    """The record of `dense`. Raises FieldError."""
    try:
        record = json.loads(dense_text)
    except (ValueError, RecursionError, TypeError):
        raise FieldError("no record") from None
    if not isinstance(record, dict):
        raise FieldError("no record")
    return record


def _told(finding: Finding) -> str:
    return (
        finding.message.removeprefix(_about(finding.expectation.target, finding.key))
        if finding.key
        else finding.message
    )


def _about(target: str, key: PortKey) -> str:
    """How the message of a finding about a port begins."""
    return f"{target} {place(key)}: "


def _place_of(key: PortKey) -> Record:
    return {"address": str(key.address), "transport": key.transport, "port": key.port}
