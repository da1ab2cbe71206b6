"""The table on the terminal: hosts, then findings (what is wrong first), then one line that sums up.

All of it is printed at the end, since folding needs to have seen everything. Remote text is escaped and only ever put
into `Text`, so neither control characters nor rich's own markup in it can do anything. No colour or any other escape
sequence without a terminal, or with NO_COLOR set; a pipe is `_PIPE_WIDTH` columns wide.

rich takes 60 ms to import: nothing may import this file before a table is wanted.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from probe.judge.exits import MEANING, OK
from probe.judge.wording import evidence_in_words, plural, printable, ranges, seen_in_words, words_in_words
from probe.model import Finding, Outcome, Proof, RunInfo, State, Summary, Tls, Verdict
from probe.report import Out
from probe.report.fold import FindingFold, FindingGroup, Host, Hosts, Row, address_ranges, alike
from probe.report.terminal import size_of
from probe.services.ports import name_of
from probe.services.text import escape
from probe.sweep import Sweep

_PIPE_WIDTH = 100
STYLES = {State.OPEN: "green", State.CLOSED: "yellow", State.FILTERED: "cyan", State.UNKNOWN: "magenta"}
_SIGNS = {Outcome.VIOLATED: ("✗ violated", "bold red"), Outcome.UNKNOWN: ("? unknown", "bold magenta")}
_GROUPS_SHOWN = 100
_RANGES_SHOWN = 16
_BANNER_SHOWN = 40
_PRINT_SHOWN = len("SHA256:") + 10


def console_for(stream: TextIO, into: io.StringIO, width: int | None = None) -> Console:
    """A console that renders `into` memory what suits `stream`: its width, and colour only if it is a terminal."""
    terminal = stream.isatty()
    # NO_COLOR would let rich still write bold and dim; whoever asks for no colour gets plain text (no-color.org).
    plain = not terminal or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    width = width or (size_of(stream).columns if terminal else _PIPE_WIDTH)
    return Console(
        file=into,
        width=max(width, 40),
        force_terminal=not plain,
        color_system=None if plain else "auto",
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )


class TableSink:
    """`width` and `stream` are for tests; by default they are those of standard output, or a pipe's for a file."""

    def __init__(self, out: Out, *, stream: TextIO | None = None, width: int | None = None) -> None:
        self._out = out
        self._buffer = io.StringIO()
        self._console = console_for(stream or stream_of(out), self._buffer, width)
        self._hosts = Hosts()
        self._folds = {Outcome.VIOLATED: FindingFold(), Outcome.UNKNOWN: FindingFold()}
        self._findings = dict.fromkeys(Outcome, 0)
        self._unproven = 0

    def start(self, run: RunInfo) -> None:
        self._run = run

    def port(self, verdict: Verdict) -> None:
        self._hosts.add(verdict)

    def ports(self, sweep: Sweep) -> None:
        from probe.report.fold_sweep import fold  # numpy takes 0.1 s to import, and who sweeps has it

        fold(self._hosts, sweep)

    def finding(self, finding: Finding) -> None:
        self._findings[finding.outcome] += 1
        self._unproven += finding.proof is Proof.UNPROVEN
        if finding.outcome in self._folds:
            self._folds[finding.outcome].add(finding)

    def finish(self, summary: Summary) -> None:
        for part in self._page(summary):
            self._console.print(part)
        # rich pads lines to the full width: on paper that is noise.
        text = "\n".join(line.rstrip() for line in self._buffer.getvalue().splitlines())
        self._out.write(text + "\n")
        self._out.commit()

    def _page(self, summary: Summary) -> Iterator[RenderableType]:
        yield _heading(self._run)
        groups = [(hosts, hosts[0].rows()) for hosts in alike(self._hosts.values())]
        widths = _widths([row for _, rows in groups for row in rows], self._console.width)
        for hosts, rows in groups:
            yield Text()
            yield _host_line(hosts)
            yield _host_table(rows, widths)
        yield Text()
        yield from self._findings_part()
        yield _summary_line(summary, self._findings)

    def _findings_part(self) -> Iterator[RenderableType]:
        if not any(self._findings.values()):
            return
        for outcome, fold in self._folds.items():
            groups = fold.groups()
            for group in groups[:_GROUPS_SHOWN]:
                yield from _finding_lines(outcome, group)
            if len(groups) > _GROUPS_SHOWN:
                yield Text(
                    f"  … and {len(groups) - _GROUPS_SHOWN} more like these; `-o jsonl:PATH` has every one", "dim"
                )
        yield _met_line(self._findings[Outcome.MET], self._unproven)
        yield Text()


def stream_of(out: Out) -> TextIO:
    stream = getattr(out, "stream", None)
    return stream if stream is not None else io.StringIO()


def _heading(run: RunInfo) -> Text:
    text = Text(printable(run.profile), "bold")
    vantage = [f"from {printable(run.vantage)}"] if run.vantage else []
    scanned = f"{plural(run.ports, 'port')} of {plural(run.addresses, 'address')}"
    return text.append(f"  {' · '.join([*vantage, scanned, run.wire, f'seed {run.seed}'])}", "dim")


def _host_line(hosts: list[Host]) -> Text:
    name, addresses = printable(hosts[0].target), address_ranges(hosts)
    text = Text(name, "bold")
    if name != addresses:  # `probe scan` calls targets by their addresses
        text.append(f"  {addresses}")
    if len(hosts) > 1:
        text.append(f"  ({len(hosts)} hosts alike)", "dim")
    counts = [f"{number} {state}" for state, number in hosts[0].counts.items() if number]
    text.append(f"  {' · '.join(counts)}", "dim")
    return text


def _widths(rows: Iterable[Row], width: int) -> tuple[int, int, int, int]:
    """Column widths that all hosts share, so that the eye can run down the page."""
    cells = [[cell.cell_len for cell in _cells(row)] for row in rows] or [[0, 0, 0, 0]]
    ports, state, service, evidence = (max(column) for column in zip(*cells, strict=True))
    ports = min(ports, 28 if width >= 100 else 16)
    room = max(width - 2 - ports - state - 3 * 2, 20)
    # Who answers is what people look for: where there is little room, evidence wraps first.
    service = min(service, max(room - evidence, room // 2 if width >= 100 else room * 3 // 5))
    return ports, state, service, max(min(evidence, room - service), 1)


def _host_table(rows: Iterable[Row], widths: tuple[int, int, int, int]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for width in widths:
        table.add_column(width=width, overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    return Padding(table, (0, 0, 0, 2))


def _cells(row: Row) -> tuple[Text, Text, Text, Text]:
    verdict = row.sample
    state = Text(verdict.observed, STYLES[verdict.state])
    service = _service(verdict) if len(row.ports) == 1 else Text()
    return Text(ranges(row.ports, _RANGES_SHOWN)), state, service, Text(evidence_in_words(verdict, brief=True))


def _service(verdict: Verdict) -> Text:
    """What answered; where nothing identified itself, dim and in brackets what the number is registered for."""
    talk = verdict.conversation
    service = talk.service if talk else None
    if service is None or service.name is None:
        text = _registered(verdict)
        if service is None and talk and talk.banner:
            text.append(f" {_shortened(talk.banner)}", "dim")
    else:
        text = Text(printable(service.name), "bold")
        text.append(printable("".join(f" {part}" for part in (service.product, service.version) if part)))
        text.append(f" ({printable(service.info)})" if service.info else "", "dim")
    if service and service.tls:
        text.append(_tls(service.tls, alone=service.name is None))
    if service and service.key:
        text.append(f" · {_shortened_print(service.key.fingerprint)}", "dim")
    return text


def _registered(verdict: Verdict) -> Text:
    name = name_of(verdict.key.port)
    return Text(f"({name})" if name and verdict.state is State.OPEN else "", "dim")


def _shortened(banner: bytes) -> str:
    text = escape(banner)
    return f'"{text[:_BANNER_SHOWN]}…"' if len(text) > _BANNER_SHOWN else f'"{text}"'


def _shortened_print(fingerprint: str) -> str:
    """Enough to see which keys are the same; the whole of it is in the records."""
    return f"{fingerprint[:_PRINT_SHOWN]}…"


def _tls(tls: Tls, *, alone: bool) -> str:
    subject = f" {printable(tls.subject)}" if tls.subject else ""
    return f" {'' if alone else '· '}{'STARTTLS ' if tls.starttls else ''}{printable(tls.version)}{subject}"


def _finding_lines(outcome: Outcome, group: FindingGroup) -> Iterator[RenderableType]:
    finding, (sign, style) = group.sample, _SIGNS[outcome]
    head = Text(sign, style)
    head.append(f"  {_where(group)}", "bold not red not magenta")
    head.append(f"  line {finding.expectation.line}" if finding.expectation.line else "", "dim")
    yield head
    details = Table.grid(padding=(0, 2, 0, 0))
    details.add_column(width=8, style="dim")
    details.add_column(overflow="fold")
    for label, text in _details(finding):
        details.add_row(Text(label), Text(text))
    yield Padding(details, (0, 0, 0, 2))


def _where(group: FindingGroup) -> str:
    key, expectation = group.sample.key, group.sample.expectation
    if key is None:
        place = "anywhere" if expectation.home is None else f"on tcp/{expectation.home}"
        return printable(f"{expectation.target}: {expectation.service} {place}")
    return f"{expectation.target} {key.address} {key.transport}/{ranges(group.ports, _RANGES_SHOWN)}"


def _details(finding: Finding) -> Iterator[tuple[str, str]]:
    verdict, expectation = finding.verdict, finding.expectation
    if verdict is None:
        yield finding.observed, printable(finding.message)
        return
    if expectation.baseline:
        yield "compared", printable(finding.message)
        return
    yield "expected", words_in_words(expectation.words)
    yield "seen", f"{seen_in_words(verdict)}: {evidence_in_words(verdict)}"


def _met_line(met: int, unproven: int) -> Text:
    text = Text(f"✓ {met} met", "green")
    if unproven:
        text.append(f"  {unproven} of them unproven: nothing was seen to live on those hosts", "yellow")
    return text


def _rounds(summary: Summary) -> str:
    if summary.rounds is None:
        return ""
    since = f" since {summary.held_since_s:.1f} s" if summary.held_since_s is not None else ""
    return f"held {summary.held} times in a row{since}, {plural(summary.rounds, 'round')}"


def _summary_line(summary: Summary, findings: dict[Outcome, int]) -> Text:
    probes = f"{summary.sent} sent, {summary.received} received, {summary.forged} forged in {summary.duration_s:.1f} s"
    ports = ", ".join(f"{summary.counts.get(state, 0)} {state}" for state in State)
    judged = ", ".join(f"{number} {outcome}" for outcome, number in findings.items()) if any(findings.values()) else ""
    text = Text(" · ".join(filter(None, [probes, ports, judged, _rounds(summary)])) + " · ", "dim")
    meaning = MEANING.get(summary.exit_code, "see the messages on standard error")
    if summary.exit_code == OK and not any(findings.values()):
        meaning = "everything was decided"
    return text.append(
        f"exit {summary.exit_code}: {meaning}", "not dim green" if summary.exit_code == 0 else "not dim red"
    )
