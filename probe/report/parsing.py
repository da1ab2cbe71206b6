"""Record to model: the way back from `records`. What a record does not say (`live`, columns) has the model's default.

Every function raises FieldError for what is no such record.
"""

from __future__ import annotations

from probe.model import (
    Cause,
    Conversation,
    Evidence,
    Expectation,
    Finding,
    Handshake,
    HostKey,
    Outcome,
    Place,
    PortKey,
    Proof,
    Reason,
    RunInfo,
    Service,
    State,
    Summary,
    Tls,
    Verdict,
)
from probe.report.fields import FieldError, Fields, address, flag, listed, nested, number, text, whole, word
from probe.report.records import SCHEMA_VERSION
from probe.services.text import unescape

_COUNT = whole(0, 1 << 63)
_PORT = whole(0, 65535)


def run_of(fields: Fields) -> RunInfo:
    """The head of a run."""
    version = fields.required("schema_version", _COUNT)
    if version != SCHEMA_VERSION:
        raise FieldError(f"'schema_version' is {version}; this probe reads {SCHEMA_VERSION}")
    return RunInfo(
        run_id=fields.required("run_id", text),
        profile=fields.required("profile", text),
        vantage=fields.optional("vantage", text),
        started=fields.required("started", text),
        seed=fields.required("seed", _COUNT),
        wire=fields.optional("wire", text) or "",
        probe_version=fields.optional("probe_version", text) or "",
        source=fields.optional("source", text),
        addresses=fields.optional("addresses", whole(0, 1 << 128)) or 0,
        ports=fields.optional("ports", _COUNT) or 0,
        deadline_s=fields.optional("deadline_s", number) or 0.0,
        warnings=fields.optional("warnings", listed(text)) or (),
        shard=fields.optional("shard", text),
    )


def verdict_of(fields: Fields) -> Verdict:
    """One verdict."""
    live = fields.optional("live", flag)
    return Verdict(
        target=fields.required("target", text),
        key=_key(fields),
        state=fields.required("state", _STATE),
        reason=fields.required("reason", _REASON),
        cause=fields.optional("cause", _CAUSE),
        evidence=fields.optional("evidence", _EVIDENCE) or Evidence(),
        attempts=fields.required("attempts", _COUNT),
        rtt_ms=fields.optional("rtt_ms", number),
        conversation=_conversation(fields),
        live=live is not False,
    )


def finding_of(fields: Fields) -> Finding:
    """One finding; its expectation has what the record says of it, and no ports."""
    by_port = "address" in fields.record
    return Finding(
        outcome=fields.required("outcome", _OUTCOME),
        expectation=_expectation(fields),
        observed=fields.required("observed", text),
        message=fields.required("message", text),
        proof=fields.optional("proof", _PROOF),
        key=_key(fields) if by_port else None,
        found=fields.optional("found", _PLACES) or (),
    )


def summary_of(fields: Fields) -> Summary:
    """The end of a run."""
    return Summary(
        complete=fields.required("complete", flag),
        exit_code=fields.required("exit_code", whole(0, 255)),
        counts=fields.required("counts", nested(_counts)),
        sent=fields.required("sent", _COUNT),
        received=fields.required("received", _COUNT),
        forged=fields.required("forged", _COUNT),
        duration_s=fields.required("duration_s", number),
        interrupted=fields.optional("interrupted", text),
        findings=fields.optional("findings", nested(_outcomes)) or {},
        p_miss=fields.optional("p_miss", nested(_numbers)) or {},
        rate=fields.optional("rate", number),
        rounds=fields.optional("rounds", _COUNT),
        held=fields.optional("held", _COUNT),
        held_since_s=fields.optional("held_since_s", number),
    )


def _key(fields: Fields) -> PortKey:
    return PortKey(
        fields.required("address", address), fields.required("transport", text), fields.required("port", _PORT)
    )


def _conversation(fields: Fields) -> Conversation | None:
    handshake = fields.optional("handshake", _HANDSHAKE)
    if handshake is None:
        return None
    banner = unescape(fields.optional("banner", text) or "")
    return Conversation(handshake, fields.optional("service", _SERVICE), banner)


def _evidence(fields: Fields) -> Evidence:
    return Evidence(
        responder=fields.optional("responder", text),
        ttl=fields.optional("ttl", _BYTE),
        window=fields.optional("window", _PORT),
        flags=fields.optional("flags", text),
        icmp_type=fields.optional("icmp_type", _BYTE),
        icmp_code=fields.optional("icmp_code", _BYTE),
        errno=fields.optional("errno", text),
        hop=fields.optional("hop", _BYTE),
        hop_address=fields.optional("hop_address", text),
        silent_hop=fields.optional("silent_hop", _BYTE),
        note=fields.optional("note", text),
        p_miss=fields.optional("p_miss", number),
    )


def _service(fields: Fields) -> Service:
    return Service(
        name=fields.optional("name", text),
        product=fields.optional("product", text),
        version=fields.optional("version", text),
        info=fields.optional("info", text),
        tls=fields.optional("tls", nested(_tls)),
        key=fields.optional("key", nested(_host_key)),
    )


def _tls(fields: Fields) -> Tls:
    return Tls(
        version=fields.required("version", text),
        alpn=fields.optional("alpn", text),
        subject=fields.optional("subject", text),
        issuer=fields.optional("issuer", text),
        names=fields.optional("names", listed(text)) or (),
        not_before=fields.optional("not_before", text),
        not_after=fields.optional("not_after", text),
        sha256=fields.optional("sha256", text),
        starttls=fields.optional("starttls", flag) or False,
    )


def _host_key(fields: Fields) -> HostKey:
    return HostKey(fields.required("type", text), fields.required("fingerprint", text))


def _expectation(fields: Fields) -> Expectation:
    return Expectation(
        number=fields.required("expectation", _COUNT),
        line=fields.required("line", _COUNT),
        column=0,
        target=fields.required("target", text),
        words=fields.optional("expected", listed(text)) or (),
        service=fields.optional("service", text),
        home=fields.optional("home", _PORT),
        baseline=fields.optional("baseline", text),
        was=fields.optional("was", listed(text)) or (),
        stay="must" in fields.record,
    )


def _place(fields: Fields) -> Place:
    where = str(fields.required("address", address))
    return Place(where, fields.required("port", _PORT), fields.optional("identity", text))


def _counts(fields: Fields) -> dict[State, int]:
    return {state: fields.optional(str(state), _COUNT) or 0 for state in State}


def _outcomes(fields: Fields) -> dict[Outcome, int]:
    return {outcome: fields.optional(str(outcome), _COUNT) or 0 for outcome in Outcome}


def _numbers(fields: Fields) -> dict[str, float]:
    return {text(name): fields.required(name, number) for name in fields.record}


# Made once: a run has hundreds of thousands of records.
_BYTE = whole(0, 255)
_STATE, _REASON, _CAUSE, _HANDSHAKE = word(State), word(Reason), word(Cause), word(Handshake)
_OUTCOME, _PROOF = word(Outcome), word(Proof)
_EVIDENCE, _SERVICE = nested(_evidence), nested(_service)
_PLACES = listed(nested(_place))
