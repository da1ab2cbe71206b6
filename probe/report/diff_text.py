"""A diff for people: changes that differ in the port alone are one entry, then what is not compared, then one line.

rich takes 60 ms to import: nothing may import this file before the text is wanted.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from msgspec import Struct
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from probe.judge.diff import Change, Gap, Kind
from probe.judge.likeness import answering
from probe.judge.wording import look_in_words, printable, ranges
from probe.model import RunInfo
from probe.report import Out
from probe.report.compared import Compared
from probe.report.fold import Signature, signature
from probe.report.table import console_for, stream_of

_RANGES_SHOWN = 16
_GROUPS_SHOWN = 200
_MEANING = {0: "nothing changed", 1: "something changed", 3: "no change was seen, but not everything could be compared"}


class _Group(Struct, frozen=True):
    sample: Change
    ports: list[int]


def write_text(compared: Compared, out: Out, width: int | None = None) -> None:
    """The whole page. Raises OutputError."""
    buffer = io.StringIO()
    console = console_for(stream_of(out), buffer, width)
    for part in _page(compared):
        console.print(part)
    out.write("\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n")


def _page(compared: Compared) -> Iterator[RenderableType]:
    yield _heading(compared)
    yield Text()
    groups = _folded(compared.diff.changes)
    for group in groups[:_GROUPS_SHOWN]:
        yield from _entry(group)
    if len(groups) > _GROUPS_SHOWN:
        yield Text(f"  … and {len(groups) - _GROUPS_SHOWN} more like these; `-o jsonl:PATH` has every one", "dim")
    if gaps := list(compared.gaps()):
        yield Text("not compared", "bold")
        for gap, address, transport, ports in gaps[:_GROUPS_SHOWN]:
            line = Text(f"  {address} {transport}/{ranges(ports, _RANGES_SHOWN)}")
            yield line.append(f"  {gap}", "magenta" if gap is Gap.UNDECIDED else "dim")
    if groups or gaps:
        yield Text()
    yield _summary(compared)


def _heading(compared: Compared) -> Text:
    old, new = compared.old, compared.new
    text = Text(printable(new.profile), "bold")
    if old.profile != new.profile:
        text = Text(f"{printable(old.profile)} → {printable(new.profile)}", "bold")
    return text.append(f"  {_when(old)} → {_when(new)}", "dim")


def _when(run: RunInfo) -> str:
    return f"{printable(run.started)} ({printable(run.run_id)})"


def _folded(changes: tuple[Change, ...]) -> list[_Group]:
    groups: dict[Signature, _Group] = {}
    for change in changes:
        key = change.old.key
        alone = key.port if answering(change.old) or answering(change.new) else 0
        looks = (change.kind, change.new.target, key.address, alone, signature(change.old), signature(change.new))
        groups.setdefault(looks, _Group(change, [])).ports.append(key.port)
    return list(groups.values())


def _entry(group: _Group) -> Iterator[RenderableType]:
    change = group.sample
    key = change.old.key
    where = f"{change.new.target} {key.address} {key.transport}/{ranges(group.ports, _RANGES_SHOWN)}"
    if change.kind is Kind.MOVED:
        yield Text("→ moved  ", "bold yellow").append(
            f"  {printable(where)} → {change.new.key.port}", "bold not yellow"
        )
        yield Padding(Text(printable(change.message)), (0, 0, 0, 2))
        return
    yield (
        Text("± changed", "bold red").append(f"  {printable(where)}", "bold not red").append(f"  {change.kind}", "dim")
    )
    details = Table.grid(padding=(0, 2, 0, 0))
    details.add_column(width=3, style="dim")
    details.add_column(overflow="fold")
    details.add_row(Text("was"), Text(look_in_words(change.old)))
    details.add_row(Text("is"), Text(look_in_words(change.new)))
    yield Padding(details, (0, 0, 0, 2))


def _summary(compared: Compared) -> Text:
    diff = compared.diff
    moved = sum(change.kind is Kind.MOVED for change in diff.changes)
    parts = [f"{len(diff.changes) - moved} changed", f"{moved} moved", f"{diff.unchanged} unchanged"]
    parts += [f"{number} {gap}" for gap in Gap if (number := diff.not_compared(gap))]
    parts += [] if compared.complete else ["one of the runs is incomplete"]
    text = Text(" · ".join(parts) + " · ", "dim")
    code = compared.exit_code
    return text.append(f"exit {code}: {_MEANING[code]}", f"not dim {'red' if code else 'green'}")
