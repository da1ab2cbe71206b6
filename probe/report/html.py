"""One HTML page that needs nothing else: findings, what changed, hosts × ports coloured by cause, and every host.

It can be mailed and opened anywhere, so it trusts nobody: a content security policy lets no script run but the one
whose hash it names, nothing is loaded, and all that hosts say is escaped for terminals and then for HTML. Without
scripts it is complete but for the hovering evidence, which the list of hosts has too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from probe.judge.exits import MEANING
from probe.judge.wording import place, plural, ranges
from probe.model import Address, Finding, Outcome, Proof, RunInfo, State, Summary, Verdict
from probe.report import Out
from probe.report.compared import Baseline
from probe.report.fold import FindingFold, FindingGroup, Hosts, alike
from probe.report.html_diff import changes
from probe.report.html_ports import host_list, port_map
from probe.report.html_text import text
from probe.sweep import Sweep

_GROUPS_SHOWN = 500
_RANGES_SHOWN = 16
_HERE = Path(__file__).parent


class HtmlSink:
    """`baseline` is asked at the end for the comparison with the run before this one, if there is one."""

    def __init__(self, out: Out, baseline: Baseline | None = None) -> None:
        self._out = out
        self._baseline = baseline
        self._hosts = Hosts()
        self._folds = {Outcome.VIOLATED: FindingFold(), Outcome.UNKNOWN: FindingFold()}
        self._marked: dict[Outcome, dict[Address, set[int]]] = {outcome: {} for outcome in self._folds}
        self._met = self._unproven = 0

    def start(self, run: RunInfo) -> None:
        self._run = run

    def port(self, verdict: Verdict) -> None:
        self._hosts.add(verdict)

    def ports(self, sweep: Sweep) -> None:
        from probe.report.fold_sweep import fold  # numpy takes 0.1 s to import, and who sweeps has it

        fold(self._hosts, sweep)

    def finding(self, finding: Finding) -> None:
        if finding.outcome is Outcome.MET:
            self._met += 1
            self._unproven += finding.proof is Proof.UNPROVEN
            return
        self._folds[finding.outcome].add(finding)
        if finding.key:
            self._marked[finding.outcome].setdefault(finding.key.address, set()).add(finding.key.port)

    def finish(self, summary: Summary) -> None:
        for piece in self._page(summary):
            self._out.write(piece + "\n")
        self._out.commit()

    def _page(self, summary: Summary) -> Iterator[str]:
        style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
        yield from _head(text(self._run.profile), style, script)
        yield from _heading(self._run, summary)
        yield "<main>"
        yield from self._findings()
        compared = self._baseline(self._run) if self._baseline else None
        if compared:
            yield from changes(compared)
        groups = list(alike(self._hosts.values()))
        yield from port_map(groups, self._marked)
        yield from host_list(groups)
        yield f"</main><footer>probe {text(self._run.probe_version)} · run {text(self._run.run_id)}</footer>"
        yield '<div id="tip" class="mono" role="tooltip" hidden></div>'
        yield f"<script>{script}</script></body></html>"

    def _findings(self) -> Iterator[str]:
        groups = [(outcome, group) for outcome, fold in self._folds.items() for group in fold.groups()]
        if not groups and not self._met:
            return
        yield "<h2>Findings</h2>"
        if groups:
            yield '<table class="list"><thead><tr><th></th><th>where</th><th>line</th><th>what</th></tr></thead><tbody>'
            yield from (_finding(outcome, group) for outcome, group in groups[:_GROUPS_SHOWN])
            yield "</tbody></table>"
        if len(groups) > _GROUPS_SHOWN:
            yield f'<p class="quiet">… and {len(groups) - _GROUPS_SHOWN} more like these</p>'
        unproven = f", {self._unproven} of them unproven: nothing was seen to live there" if self._unproven else ""
        yield f'<p><span class="met">✓ {self._met} met</span><span class="quiet">{unproven}</span></p>'


def _head(title: str, style: str, script: str) -> Iterator[str]:
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    yield f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}; form-action \'none\'">'
    yield '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
    yield f"<style>{style}</style></head><body>"


def _hash(source: str) -> str:
    """A hash as a content security policy names it (CSP 3, section 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def _heading(run: RunInfo, summary: Summary) -> Iterator[str]:
    vantage = f"from {text(run.vantage)} · " if run.vantage else ""
    scanned = f"{plural(run.ports, 'port')} of {plural(run.addresses, 'address')}"
    yield f"<header><h1>{text(run.profile)}</h1>"
    yield f'<div class="quiet">{text(run.started)} · {vantage}{scanned} · {text(run.wire)} · seed {run.seed}</div>'
    mood = {0: "good", 1: "bad"}.get(summary.exit_code, "doubt")
    meaning = MEANING.get(summary.exit_code, "see the messages")
    yield f'<div class="verdict {mood}">exit {summary.exit_code}: {meaning}</div>'
    ports = ", ".join(f"{summary.counts.get(state, 0)} {state}" for state in State)
    probes = f"{summary.sent} sent, {summary.received} received, {summary.forged} forged in {summary.duration_s:.1f} s"
    yield f'<p class="quiet">{ports} · {probes}</p></header>'


def _finding(outcome: Outcome, group: FindingGroup) -> str:
    finding, expectation = group.sample, group.sample.expectation
    sign, style = ("✗ violated", "violated") if outcome is Outcome.VIOLATED else ("? unknown", "unknown-finding")
    key = finding.key
    if key is None:
        where, about = f"{expectation.target}: {expectation.service} on tcp/{expectation.home}", expectation.target
    else:
        where = f"{expectation.target} {key.address} {key.transport}/{ranges(group.ports, _RANGES_SHOWN)}"
        about = f"{expectation.target} {place(key)}"
    cells = f'<td class="sign {style}">{sign}</td><td class="where">{text(where)}</td><td>{expectation.line}</td>'
    return f"<tr>{cells}<td>{text(finding.message.removeprefix(f'{about}: '))}</td></tr>"
