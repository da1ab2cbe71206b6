"""Ports in the HTML page: the map, a cell per host and port, coloured by cause, and the list of hosts with it all."""

from __future__ import annotations

import json
from collections.abc import Iterator

from probe.judge.wording import evidence_in_words, plural, printable, ranges, seen_in_words, service_in_words
from probe.model import Address, Cause, Outcome, State, Verdict
from probe.report.fold import Host, Row, address_ranges
from probe.report.html_text import text
from probe.report.matrix import Line, Matrix, matrix
from probe.services.ports import name_of
from probe.services.text import escape

_MOST_CELLS = 200_000

Marked = dict[Outcome, dict[Address, set[int]]]


def port_map(groups: list[list[Host]], marked: Marked) -> Iterator[str]:
    """Hosts × ports. `marked` has the ports of violated and unknown findings."""
    made = matrix(groups, [ports for of in marked.values() for ports in of.values()], _MOST_CELLS)
    if made.columns:
        yield '<h2 id="ports">Ports</h2>'
        yield from _tools(made)
        yield from _table(made, marked)


def host_list(groups: list[list[Host]]) -> Iterator[str]:
    """Every host, those that look the same together, unfolded where something is open."""
    yield '<h2 id="hosts">Hosts</h2>'
    for hosts in groups:
        yield from _host(hosts)


def _colour(verdict: Verdict) -> str:
    """The class that colours a verdict: its cause, or that there is none."""
    if verdict.state is State.UNKNOWN:
        return "unknown"
    return str(verdict.cause or Cause.UNDETERMINED)


def _tools(made: Matrix) -> Iterator[str]:
    used = {_colour(cell) for line in made.lines for cell in line.cells if cell}
    causes = [cause for cause in (*map(str, Cause), "unknown") if cause in used]
    yield '<div class="tools" id="tools" hidden>'
    hint = "target, address, service, port or 8000-8100"
    yield f'<input id="filter" type="search" placeholder="{hint}" aria-label="filter">'
    for cause in causes:
        yield f'<button type="button" data-c="{cause}" aria-pressed="false"><i class="{cause}"></i>{cause}</button>'
    yield "</div>"


def _table(made: Matrix, marked: Marked) -> Iterator[str]:
    looks: dict[str, int] = {}
    yield '<div class="scroll"><table class="matrix"><thead><tr><th></th>'
    yield "".join(f"<th><span>{_span(first, last)}</span></th>" for first, last in made.columns)
    yield "</tr></thead><tbody>"
    for line in made.lines:
        address = line.hosts[0].address
        bad, doubt = (marked[outcome].get(address, set()) for outcome in (Outcome.VIOLATED, Outcome.UNKNOWN))
        cells = (
            _cell(cell, _mark(span, bad, doubt), looks) for cell, span in zip(line.cells, made.columns, strict=True)
        )
        yield f'<tr data-t="{text(_words(line))}"><th scope="row">{_name(line.hosts)}</th>{"".join(cells)}</tr>'
    yield "</tbody></table></div>"
    if made.left_out:
        yield f'<p class="quiet">… and {plural(made.left_out, "host")} more; they are in the list below</p>'
    yield f'<script type="application/json" id="looks">{_json(list(looks))}</script>'
    yield f'<script type="application/json" id="columns">{_json(made.columns)}</script>'


def _mark(span: tuple[int, int], bad: set[int], doubt: set[int]) -> str:
    if span[0] in bad:
        return " bad"
    return " doubt" if span[0] in doubt else ""


def _cell(verdict: Verdict | None, mark: str, looks: dict[str, int]) -> str:
    if verdict is None:
        return "<td></td>"
    return f'<td class="{_colour(verdict)}{mark}" data-l="{looks.setdefault(_evidence(verdict), len(looks))}"></td>'


def _evidence(verdict: Verdict) -> str:
    """What the page shows on hover."""
    lines = [f"{seen_in_words(verdict)}: {evidence_in_words(verdict)}", *_answers(verdict)]
    return "\n".join(lines)


def _answers(verdict: Verdict) -> Iterator[str]:
    talk = verdict.conversation
    if talk is None:
        return
    service = talk.service
    if service:
        inside = f" inside {printable(service.tls.version)}" if service.tls and service.name else ""
        subject = f", {printable(service.tls.subject)}" if service.tls and service.tls.subject else ""
        yield f"{service_in_words(service)}{inside}{subject}"
    if talk.banner:
        yield escape(talk.banner)[:300]


def _words(line: Line) -> str:
    """What the filter looks in."""
    services = {talk.service for cell in line.cells if cell and (talk := cell.conversation)}
    known = [service_in_words(service) for service in services if service]
    names = [f"{host.target} {host.address}" for host in line.hosts[:1000]]
    return " ".join([*names, *sorted(known)]).lower()


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _name(hosts: list[Host]) -> str:
    alike_too = f' <span class="quiet">({len(hosts)} hosts alike)</span>' if len(hosts) > 1 else ""
    return f"<b>{text(hosts[0].target)}</b> {text(address_ranges(hosts))}{alike_too}"


def _json(data: object) -> str:
    """JSON that cannot end the element which it stands in."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _host(hosts: list[Host]) -> Iterator[str]:
    counts = hosts[0].counts
    said = " · ".join(f"{number} {state}" for state, number in counts.items() if number)
    unfolded = " open" if counts[State.OPEN] else ""
    yield f'<details{unfolded}><summary>{_name(hosts)} <span class="quiet">{said}</span></summary><table class="hosts">'
    yield from map(_row, hosts[0].rows())
    yield "</table></details>"


def _row(row: Row) -> str:
    verdict = row.sample
    chip = f'<span class="chip {_colour(verdict)}">{verdict.observed}</span>'
    answers = [text(answer) for answer in _answers(verdict)] if len(row.ports) == 1 else []
    if not answers and verdict.state is State.OPEN and (name := name_of(verdict.key.port)):
        answers = [f'<span class="quiet">({text(name)})</span>']
    evidence = text(evidence_in_words(verdict, brief=True))
    cells = (f'<span class="mono">{ranges(row.ports)}</span>', chip, "<br>".join(answers), evidence)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
