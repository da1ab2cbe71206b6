"""JUnit XML as CI servers read it: a suite per target, a case per finding.

Violated is a `failure`, unknown an `error` (nobody may take it for a pass), met passes; met but unproven says so in
`system-out`. `skipped` is always 0: what was not scanned is unknown. A run that ended early has one more case, an error
that says so, since otherwise a cut run with few findings would look like a good one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from probe.judge.exits import MEANING
from probe.judge.wording import printable, words_in_words
from probe.model import Finding, Outcome, Proof, RunInfo, Summary
from probe.report import Out


@dataclass(slots=True)
class _Suite:
    """The finished cases of one target, as text: a finding is large, its case is not."""

    cases: list[str] = field(default_factory=list)
    failures: int = 0
    errors: int = 0

    def add(self, case: str, outcome: Outcome) -> None:
        self.cases.append(case)
        self.failures += outcome is Outcome.VIOLATED
        self.errors += outcome is Outcome.UNKNOWN

    def totals(self) -> dict[str, int]:
        return {"tests": len(self.cases), "failures": self.failures, "errors": self.errors}


class JunitSink:
    def __init__(self, out: Out) -> None:
        self._out = out
        self._suites: dict[str, _Suite] = {}

    def start(self, run: RunInfo) -> None:
        self._run = run

    def port(self, verdict: object) -> None:
        """Ports that nobody expects anything of are no test cases."""

    def ports(self, sweep: object) -> None:
        """Nor are many of them."""

    def finding(self, finding: Finding) -> None:
        target = finding.expectation.target
        self._suite(target).add(_case(f"{self._run.profile}.{target}", finding), finding.outcome)

    def finish(self, summary: Summary) -> None:
        if not summary.complete:
            self._suite("run").add(_cut_short(self._run.profile, summary), Outcome.UNKNOWN)
        self._out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        self._out.write(f"<testsuites{attributes(name='probe')}{_numbers(self._totals(), summary.duration_s)}>\n")
        for name, suite in self._suites.items():
            self._write_suite(name, suite, summary.duration_s)
        self._out.write("</testsuites>\n")
        self._out.commit()

    def _suite(self, name: str) -> _Suite:
        return self._suites.setdefault(name, _Suite())

    def _totals(self) -> dict[str, int]:
        totals = [suite.totals() for suite in self._suites.values()]
        return {name: sum(part[name] for part in totals) for name in _Suite().totals()}

    def _write_suite(self, name: str, suite: _Suite, seconds: float) -> None:
        # Schemas want a local time without zone; started is UTC, to the second.
        head = attributes(name=f"{self._run.profile}.{name}", timestamp=self._run.started[:19])
        self._out.write(f"<testsuite{head}{_numbers(suite.totals() | {'skipped': 0}, seconds)}>\n{self._properties()}")
        for case in suite.cases:
            self._out.write(case)
        self._out.write("</testsuite>\n")

    def _properties(self) -> str:
        run = self._run
        known = {"run_id": run.run_id, "vantage": run.vantage, "seed": run.seed, "wire": run.wire}
        known["probe_version"] = run.probe_version
        rows = (attributes(name=name, value=str(value)) for name, value in known.items() if value is not None)
        return "<properties>" + "".join(f"<property{row}/>" for row in rows) + "</properties>\n"


def _case(classname: str, finding: Finding) -> str:
    expectation = finding.expectation
    head = attributes(classname=classname, name=_case_name(finding), line=str(expectation.line), time="0")
    return f"<testcase{head}>{_result(finding)}</testcase>\n"


def _case_name(finding: Finding) -> str:
    expectation, key = finding.expectation, finding.key
    if key is None:
        return f"{expectation.service} {'anywhere' if expectation.home is None else f'on tcp/{expectation.home}'}"
    return f"{key.address} {key.transport}/{key.port} is {words_in_words(expectation.words)}"


def _result(finding: Finding) -> str:
    if finding.outcome is Outcome.VIOLATED:
        return trouble("failure", finding.observed, finding.message)
    if finding.outcome is Outcome.UNKNOWN:
        return trouble("error", finding.observed, finding.message)
    doubtful = finding.proof is Proof.UNPROVEN
    return f"<system-out>{escape(printable(finding.message))}</system-out>" if doubtful else ""


def _cut_short(profile: str, summary: Summary) -> str:
    why = f"interrupted by {summary.interrupted}" if summary.interrupted else "ended before everything was decided"
    text = f"The run is incomplete: {why} (exit {summary.exit_code}: {MEANING.get(summary.exit_code, 'see the log')})"
    head = attributes(classname=f"{profile}.run", name="the run is complete", time="0")
    return f"<testcase{head}>{trouble('error', 'incomplete', text)}</testcase>\n"


def trouble(kind: str, observed: str, message: str) -> str:
    # Some readers show only the attribute, some only the text.
    return f"<{kind}{attributes(message=message, type=observed)}>{escape(printable(message))}</{kind}>"


def _numbers(totals: dict[str, int], seconds: float) -> str:
    return attributes(**{name: str(number) for name, number in totals.items()}, time=f"{seconds:.3f}")


def attributes(**values: str) -> str:
    # Printable text is valid XML 1.0: what its Char production forbids (C0, surrogates, FFFE, FFFF) is not printable.
    return "".join(f" {name}={quoteattr(printable(value))}" for name, value in values.items())
