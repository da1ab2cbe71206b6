"""Model to record: the one place that knows the shape of the canonical form. Absent fields leave no trace.

Keys are in the order that the README shows; readers may rely on names, not on the order. Values are plain JSON.
"""

from __future__ import annotations

from typing import Any

from probe.judge.wording import printable
from probe.model import Conversation, Evidence, Finding, Place, RunInfo, Service, State, Summary, Tls, Verdict
from probe.services.ports import name_of
from probe.services.text import escape

SCHEMA_VERSION = 1
Record = dict[str, Any]


def run_record(run: RunInfo) -> Record:
    """The first record: what is scanned, from where, how."""
    return present(
        type="run",
        schema_version=SCHEMA_VERSION,
        run_id=run.run_id,
        profile=run.profile,
        vantage=run.vantage,
        started=run.started,
        seed=run.seed,
        wire=run.wire,
        probe_version=run.probe_version,
        source=run.source,
        addresses=run.addresses,
        ports=run.ports,
        deadline_s=round(run.deadline_s, 3),
        warnings=list(run.warnings) or None,
        shard=run.shard,
    )


def port_record(verdict: Verdict) -> Record:
    """One verdict. `registered` is only what the table calls the number; `service` is what answered."""
    talk = verdict.conversation
    return present(
        type="port",
        target=verdict.target,
        address=str(verdict.key.address),
        transport=verdict.key.transport,
        port=verdict.key.port,
        state=str(verdict.state),
        reason=str(verdict.reason),
        cause=str(verdict.cause) if verdict.cause else None,
        evidence=evidence_record(verdict.evidence),
        attempts=verdict.attempts,
        rtt_ms=None if verdict.rtt_ms is None else round(verdict.rtt_ms, 3),
        registered=name_of(verdict.key.port),
        handshake=str(talk.handshake) if talk else None,
        service=service_record(talk.service) if talk and talk.service else None,
        banner=_banner(talk),
    )


def finding_record(finding: Finding) -> Record:
    """One finding: by port with its address, by service with its home and the places where it was found."""
    expectation = finding.expectation
    by_service = expectation.service is not None
    return present(
        type="finding",
        outcome=str(finding.outcome),
        proof=str(finding.proof) if finding.proof else None,
        expectation=expectation.number,
        line=expectation.line,
        target=expectation.target,
        address=str(finding.key.address) if finding.key else None,
        transport=finding.key.transport if finding.key else None,
        port=finding.key.port if finding.key else None,
        expected=None if by_service else list(expectation.words),
        was=list(expectation.was) or None,
        baseline=expectation.baseline,
        must="stay" if expectation.stay else None,
        service=expectation.service,
        home=expectation.home,
        observed=finding.observed,
        found=[_place_record(place) for place in finding.found] if by_service else None,
        message=finding.message,
    )


def _place_record(place: Place) -> Record:
    return present(address=place.address, port=place.port, identity=place.identity)


def summary_record(summary: Summary) -> Record:
    """The last record. Without it the run did not end in good order."""
    return present(
        type="summary",
        complete=summary.complete,
        exit_code=summary.exit_code,
        counts={str(state): summary.counts.get(state, 0) for state in State},
        sent=summary.sent,
        received=summary.received,
        forged=summary.forged,
        duration_s=round(summary.duration_s, 3),
        findings={str(outcome): number for outcome, number in summary.findings.items()} or None,
        interrupted=summary.interrupted,
        p_miss={kind: float(f"{value:.2g}") for kind, value in summary.p_miss.items()} or None,
        rate=round(summary.rate, 1) if summary.rate else None,
        rounds=summary.rounds,
        held=summary.held,
        held_since_s=None if summary.held_since_s is None else round(summary.held_since_s, 3),
    )


def evidence_record(evidence: Evidence) -> Record:
    return present(
        responder=evidence.responder,
        ttl=evidence.ttl,
        window=evidence.window,
        flags=evidence.flags,
        icmp_type=evidence.icmp_type,
        icmp_code=evidence.icmp_code,
        errno=evidence.errno,
        hop=evidence.hop,
        hop_address=evidence.hop_address,
        silent_hop=evidence.silent_hop,
        note=evidence.note,
        p_miss=evidence.p_miss,
    )


def service_record(service: Service) -> Record:
    return present(
        name=service.name,
        product=_text(service.product),
        version=_text(service.version),
        info=_text(service.info),
        tls=_tls_record(service.tls) if service.tls else None,
        key=present(type=service.key.type, fingerprint=service.key.fingerprint) if service.key else None,
    )


def _tls_record(tls: Tls) -> Record:
    return present(
        version=tls.version,
        alpn=_text(tls.alpn),
        subject=_text(tls.subject),
        issuer=_text(tls.issuer),
        names=[printable(name) for name in tls.names] or None,
        not_before=tls.not_before,
        not_after=tls.not_after,
        sha256=tls.sha256,
        starttls=tls.starttls or None,
    )


def _banner(talk: Conversation | None) -> str | None:
    return escape(talk.banner) if talk and talk.banner else None


def _text(remote: str | None) -> str | None:
    return printable(remote) if remote else None


def present(**fields: Any) -> Record:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
