"""A traced handshake on the terminal, packet by packet as they come: a line for the step, below it the packet.

Remote text is escaped and put into `Text` only, see `table`. Times are UTC.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from probe.core.dissect import Segment
from probe.core.notation import icmp_fields, name, segment_fields
from probe.core.story import Step
from probe.core.traced import TraceEnd, TraceInfo
from probe.model import State
from probe.report import Out
from probe.report.table import STYLES, console_for, stream_of
from probe.report.trace import moment
from probe.services.text import escape

_DATA_SHOWN = 60
_INDENT = 4


class TraceView:
    """`width` and `stream` are for tests, as for the table."""

    def __init__(self, out: Out, *, stream: TextIO | None = None, width: int | None = None) -> None:
        self._out = out
        self._buffer = io.StringIO()
        self._console = console_for(stream or stream_of(out), self._buffer, width)

    def start(self, info: TraceInfo) -> None:
        ends = info.ends
        text = Text(f"{ends.target} tcp/{ends.dport}", "bold")
        started = moment(info.started_ns)
        rest = [f"from {ends.source} port {ends.sport}", info.wire, f"{started[:10]} {started[11:19]} UTC"]
        self._print(text.append(f"  {' · '.join(rest)}", "dim"))

    def step(self, step: Step) -> None:
        if step.number == 1:
            self._print(Text())
        room = self._console.width - _INDENT
        self._print(_headline(step), *(Padding(line, (0, 0, 0, _INDENT)) for line in _details(step, room)))

    def finish(self, end: TraceEnd) -> None:
        self._print(Text(), _verdict(end), *(Text(sentence) for sentence in end.conclusion.sentences))
        self._out.commit()

    def _print(self, *parts: RenderableType) -> None:
        for part in parts:
            self._console.print(part)
        text = "\n".join(line.rstrip() for line in self._buffer.getvalue().splitlines())
        self._buffer.seek(0)
        self._buffer.truncate()
        self._out.write(text + "\n")
        self._out.flush()


def _headline(step: Step) -> Text:
    since = "" if step.since_ns is None else f"+{step.since_ns / 1e6:.3f} ms"
    text = Text(f"{step.number:>3} {moment(step.time_ns)[11:-1]} {since:>13}  ", "dim")
    called = name(step.packet) if isinstance(step.packet, Segment) else "ICMP"
    text.append(f"{'→' if step.outgoing else '←'} {called:<12}", "bold not dim")
    text.append(f" {step.state}", "not dim")
    return text.append(f"  {step.remark}", "yellow not dim") if step.remark else text


def _details(step: Step, room: int) -> Iterator[Text]:
    packet = step.packet
    if not isinstance(packet, Segment):
        yield from _filled(icmp_fields(packet, step.iss), room)
        return
    firsts = (step.iss, step.irs) if step.outgoing else (step.irs, step.iss)
    yield from _filled(segment_fields(packet, *firsts), room)
    if packet.length:
        shown = escape(packet.data[: _DATA_SHOWN + 1])
        yield Text(f'"{shown[:_DATA_SHOWN]}{"…" if len(shown) > _DATA_SHOWN else ""}"', "dim")


def _filled(fields: list[str], room: int) -> Iterator[Text]:
    """Lines that break between fields, where a field fits into one at all."""
    line = ""
    for field in fields:
        if line and len(line) + len(field) + 3 > room:
            yield Text(line + ",")
            line = field
        else:
            line = f"{line}, {field}" if line else field
    yield Text(line)


def _verdict(end: TraceEnd) -> Text:
    conclusion = end.conclusion
    words = [str(conclusion.state), *([str(conclusion.cause)] if conclusion.cause else [])]
    text = Text("/".join(words), f"bold {STYLES[State(conclusion.state)]}")
    rest = [str(conclusion.reason)]
    rest += [f"handshake {conclusion.handshake}"] if conclusion.handshake else []
    rest += [f"RTT {end.rtt_ms:.3f} ms"] if end.rtt_ms is not None else []
    return text.append(f"  {' · '.join([*rest, f'exit {conclusion.exit_code}'])}", "dim")
