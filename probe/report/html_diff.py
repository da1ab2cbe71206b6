"""What changed since the run before, as a part of the HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from probe.judge.diff import Gap
from probe.judge.wording import plural, ranges
from probe.report.compared import Compared
from probe.report.html_text import text

_CHANGES_SHOWN = 500
_GAPS_SHOWN = 100


def changes(compared: Compared) -> Iterator[str]:
    """The section: one row per change, and what is not compared."""
    diff = compared.diff
    since = text(compared.old.started)
    yield f'<h2>Since <span title="{text(compared.old.run_id)}">{since}</span></h2>'
    if diff.changes:
        yield '<table class="list" id="changes"><tbody>'
        for change in diff.changes[:_CHANGES_SHOWN]:
            yield f'<tr><td class="sign">{change.kind}</td><td>{text(change.message)}</td></tr>'
        yield "</tbody></table>"
    if len(diff.changes) > _CHANGES_SHOWN:
        yield f'<p class="quiet">… and {len(diff.changes) - _CHANGES_SHOWN} more; `probe diff` tells all of them</p>'
    yield f"<p>{plural(len(diff.changes), 'change')}, {plural(diff.unchanged, 'port')} unchanged</p>"
    gaps = list(compared.gaps())
    if gaps:
        yield f"<details><summary>{plural(sum(len(ports) for *_, ports in gaps), 'port')} not compared</summary>"
        yield '<table class="hosts">'
        for gap, address, transport, ports in gaps[:_GAPS_SHOWN]:
            style = "undecided" if gap is Gap.UNDECIDED else "quiet"
            place = f'<td class="mono">{address} {transport}/{ranges(ports, 16)}</td>'
            yield f'<tr>{place}<td class="{style}">{gap}</td></tr>'
        yield "</table></details>"
