"""SARIF 2.1.0 (OASIS), as code hosts show it: each finding at the line of the profile that it contradicts.

A violation is of kind `fail`, level `error`. What could not be decided is of kind `open`, for which the standard allows
no level but `none`; and a run that was cut short is an invocation that was not successful. Findings that differ in the
port alone are one result, so that a host that is off is not a thousand alerts. What is met is not told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from probe.judge.exits import MEANING
from probe.judge.wording import printable, ranges
from probe.model import Finding, Outcome, RunInfo, Summary
from probe.report import Out
from probe.report.fold import FindingFold, FindingGroup

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RULES = {
    "port": "A port is not what the profile promises.",
    "service": "A service does not answer where the profile promises.",
}
_KINDS = {Outcome.VIOLATED: ("fail", "error"), Outcome.UNKNOWN: ("open", "none")}
_RANGES_SHOWN = 16

Json = dict[str, Any]


class SarifSink:
    def __init__(self, out: Out) -> None:
        self._out = out
        self._folds = {outcome: FindingFold() for outcome in _KINDS}

    def start(self, run: RunInfo) -> None:
        self._run = run

    def port(self, verdict: object) -> None:
        """Ports that nobody expects anything of are no results."""

    def ports(self, sweep: object) -> None:
        """Nor are many of them."""

    def finding(self, finding: Finding) -> None:
        if finding.outcome in self._folds:
            self._folds[finding.outcome].add(finding)

    def finish(self, summary: Summary) -> None:
        log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [self._log(summary)]}
        self._out.write(json.dumps(log, indent=1, allow_nan=False) + "\n")
        self._out.commit()

    def _log(self, summary: Summary) -> Json:
        rules = [{"id": name, "shortDescription": {"text": about}} for name, about in _RULES.items()]
        driver = {"name": "probe", "version": self._run.probe_version, "rules": rules}
        return {
            "tool": {"driver": driver},
            "automationDetails": {"id": f"{printable(self._run.profile)}/{printable(self._run.run_id)}"},
            "columnKind": "unicodeCodePoints",
            "invocations": [_invocation(self._run, summary)],
            "results": list(self._results()),
        }

    def _results(self) -> Iterator[Json]:
        for outcome, fold in self._folds.items():
            kind, level = _KINDS[outcome]
            for group in fold.groups():
                rule = "port" if group.sample.key else "service"
                yield {"ruleId": rule, "kind": kind, "level": level} | self._result(group)

    def _result(self, group: FindingGroup) -> Json:
        finding, expectation = group.sample, group.sample.expectation
        where = _where(group)
        promise = " ".join(expectation.words) or f"{expectation.service} {expectation.home}"
        address = finding.key.address if finding.key else ""
        identity = f"{expectation.target} {address} {promise} {finding.observed}"
        return {
            "message": {"text": _message(group, where)},
            "locations": [self._location(finding, where)],
            "partialFingerprints": {"probe/v1": printable(identity)},
        }

    def _location(self, finding: Finding, where: str) -> Json:
        logical = [{"fullyQualifiedName": printable(where), "kind": "resource"}]
        source, expectation = self._run.source or "", finding.expectation
        if not source or source.startswith("<"):  # <stdin>: there is no file that one could open
            return {"logicalLocations": logical}
        region = {"startLine": max(expectation.line, 1)}
        region |= {"startColumn": expectation.column} if expectation.column > 0 else {}
        artifact = {"uri": quote(source) if source.startswith("/") else quote(source.removeprefix("./"))}
        return {"physicalLocation": {"artifactLocation": artifact, "region": region}, "logicalLocations": logical}


def _invocation(run: RunInfo, summary: Summary) -> Json:
    invocation: Json = {
        "executionSuccessful": summary.complete,
        "exitCode": summary.exit_code,
        "exitCodeDescription": MEANING.get(summary.exit_code, "see the messages"),
    }
    try:
        began = datetime.fromisoformat(run.started)
        ended = began + timedelta(seconds=summary.duration_s)
    except (ValueError, OverflowError):
        return invocation
    return invocation | {"startTimeUtc": _utc(began), "endTimeUtc": _utc(ended)}


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _where(group: FindingGroup) -> str:
    key, expectation = group.sample.key, group.sample.expectation
    if key is None:
        return f"{expectation.target} {expectation.service} tcp/{expectation.home}"
    return f"{expectation.target} {key.address} {key.transport}/{ranges(group.ports, _RANGES_SHOWN)}"


def _message(group: FindingGroup, where: str) -> str:
    finding = group.sample
    if finding.key is None or len(group.ports) == 1:
        return printable(finding.message)
    one = f"{finding.expectation.target} {finding.key.address} {finding.key.transport}/{finding.key.port}"
    return printable(where + finding.message.removeprefix(one))
