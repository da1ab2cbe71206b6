"""Metrics for the textfile collector of Prometheus' node exporter: how the last run ended, and what it saw, in numbers.

One sample per target, state and cause, never one per port: what a host chooses to answer must not choose how many time
series there are. The exception are certificates on open ports, for their expiry, and they are counted out at
`_MOST_CERTIFICATES`. The collector takes no timestamps; when the run was is a metric of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from probe.judge.wording import printable
from probe.model import Finding, Outcome, RunInfo, State, Summary, Verdict
from probe.report import Out, PortByPort

_MOST_CERTIFICATES = 1000
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})

Labels = Mapping[str, object]
Sample = tuple[Labels, float]


class PrometheusSink(PortByPort):
    def __init__(self, out: Out) -> None:
        self._out = out
        self._ports: Counter[tuple[str, str, str]] = Counter()
        self._findings: Counter[tuple[str, int, int, Outcome]] = Counter()
        self._certificates: dict[tuple[str, str, str, int], float] = {}

    def start(self, run: RunInfo) -> None:
        self._run = run

    def port(self, verdict: Verdict) -> None:
        self._ports[(verdict.target, str(verdict.state), str(verdict.cause or ""))] += 1
        expiry = _expiry(verdict)
        if expiry is not None and len(self._certificates) < _MOST_CERTIFICATES:
            key = verdict.key
            self._certificates[(verdict.target, str(key.address), key.transport, key.port)] = expiry

    def finding(self, finding: Finding) -> None:
        expectation = finding.expectation
        self._findings[(expectation.target, expectation.number, expectation.line, finding.outcome)] += 1

    def finish(self, summary: Summary) -> None:
        for name, about, samples in self._metrics(summary):
            self._out.write(f"# HELP probe_{name} {about}\n# TYPE probe_{name} gauge\n")
            for labels, value in samples:
                self._out.write(f"probe_{name}{_labels({'profile': self._run.profile, **labels})} {value:.15g}\n")
        self._out.commit()

    def _metrics(self, summary: Summary) -> Iterable[tuple[str, str, Iterable[Sample]]]:
        run = self._run
        about = {"run_id": run.run_id, "vantage": run.vantage or "", "wire": run.wire, "version": run.probe_version}
        packets = {"sent": summary.sent, "received": summary.received, "forged": summary.forged}
        yield "run_info", "What the last run was.", [(about, 1)]
        yield "run_start_timestamp_seconds", "When the last run began.", [({}, _seconds(run.started) or 0)]
        yield "run_duration_seconds", "How long the last run took.", [({}, summary.duration_s)]
        yield "run_complete", "1 if everything was scanned, else 0.", [({}, summary.complete)]
        yield "run_exit_code", "How the last run ended: 0 well, 1 violated, 3 incomplete.", [({}, summary.exit_code)]
        yield (
            "packets",
            "Probes sent, answers received, answers that were forged.",
            [({"kind": kind}, number) for kind, number in packets.items()],
        )
        yield "ports", "Ports by what was seen and what it means.", self._port_samples()
        yield "findings", "Findings by expectation and outcome; of each expectation all outcomes.", self._judged()
        yield (
            "certificate_not_after_timestamp_seconds",
            "When a certificate on an open port expires.",
            [
                ({"target": target, "address": address, "transport": transport, "port": port}, expiry)
                for (target, address, transport, port), expiry in self._certificates.items()
            ],
        )

    def _port_samples(self) -> Iterable[Sample]:
        for target in dict.fromkeys(target for target, _, _ in self._ports):
            for state in State:  # a state that was not seen is 0, so that an alert on it does not go stale
                causes = {cause for of, seen, cause in self._ports if (of, seen) == (target, state)} or {""}
                for cause in sorted(causes):
                    labels = {"target": target, "state": state, "cause": cause}
                    yield labels, self._ports[(target, str(state), cause)]

    def _judged(self) -> Iterable[Sample]:
        for target, number, line in dict.fromkeys(key[:3] for key in self._findings):
            for outcome in Outcome:
                labels = {"target": target, "expectation": number, "line": line, "outcome": outcome}
                yield labels, self._findings[(target, number, line, outcome)]


def _expiry(verdict: Verdict) -> float | None:
    service = verdict.conversation.service if verdict.conversation else None
    return _seconds(service.tls.not_after) if service and service.tls and service.tls.not_after else None


def _seconds(moment: str) -> float | None:
    """Seconds since the epoch of a time in ISO 8601; a certificate may hold any."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError):
        return None


def _labels(labels: Labels) -> str:
    pairs = (f'{name}="{printable(str(value)).translate(_ESCAPES)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"
