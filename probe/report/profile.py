"""A run as the profile that expects exactly this: a first draft for whoever has none, and a baseline that can be read.

What was seen is not what should be: the file says so at its top. Round trip: while nothing changes, the profile is met.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator

from probe.judge.learning import Group, Learner
from probe.judge.wording import plural, printable, runs
from probe.model import Cause, RunInfo, ScanOptions, Summary, Verdict
from probe.profile import values
from probe.profile.scalars import SurpriseError, value_of
from probe.report import Out, PortByPort
from probe.report.fold import address_expressions

_WIDTH = 100
_ORDER = ("open", "closed", "rejected", "dropped", "blocked", "not-open")
_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"


class ProfileSink(PortByPort):
    """`options` are those of the scan, where they are known: what had to be set to learn must be set to check."""

    def __init__(self, out: Out, options: ScanOptions | None = None) -> None:
        self._out = out
        self._options = options
        self._learner = Learner()
        self._half_open = False

    def start(self, run: RunInfo) -> None:
        self._run = run

    def port(self, verdict: Verdict) -> None:
        self._half_open |= verdict.cause is Cause.HALF_OPEN
        self._learner.see(verdict)

    def finding(self, finding: object) -> None:
        """What was expected before does not matter."""

    def finish(self, summary: Summary) -> None:
        groups = _named(self._learner.groups())
        lines = [*self._head(summary), "targets:"]
        for name, group in groups.items():
            lines += _wrapped(f"  {scalar(name)}: ", map(scalar, address_expressions(group.addresses)))
        lines += ["scan:", *_wrapped("  tcp: ", _ports(self._learner.ports)), *self._scan_keys()]
        expected = [line for name, group in groups.items() for line in _lines(name, group)]
        lines += ["expect:", *expected] if any(not line.startswith("  #") for line in expected) else expected
        self._out.write("\n".join(lines) + "\n")
        self._out.commit()

    def _head(self, summary: Summary) -> Iterator[str]:
        run = self._run
        yield f"# Learned from a run of probe {printable(run.probe_version)} at {printable(run.started)}."
        yield "# This is what was there, not what should be: read it, and change it, before you rely on it."
        if not summary.complete:
            yield f"# The run was cut short ({printable(summary.interrupted or 'incomplete')}): some ports are missing."
        yield "version: 1"
        yield f"name: {scalar('learned' if run.profile == 'scan' else run.profile)}"

    def _scan_keys(self) -> Iterator[str]:
        if self._half_open or (self._options and not self._options.handshake):
            yield "  handshake: false"
        if self._options is None:
            return
        if self._options.locate:
            yield "  locate: true"
        usual = ScanOptions()
        for key in ("rate", "attempts", "timeout", "confidence"):
            value = getattr(self._options, key)
            if value != getattr(usual, key) or (key == "timeout" and not self._options.adaptive):
                yield (
                    f"  {key}: {value:.9f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"  {key}: {value}"
                )


def scalar(text: str) -> str:
    """Text as a YAML scalar that every reader takes for this text."""
    try:
        plain = text and not set(text) - set(_NAME) and value_of(text) == text
    except SurpriseError:
        plain = False
    return text if plain else json.dumps(printable(text), ensure_ascii=False)


def _named(groups: Iterable[Group]) -> dict[str, Group]:
    """Each group under a name that a profile takes, its target's own where it is the whole of it."""
    named: dict[str, Group] = {}
    for group in groups:
        base = f"host-{group.target}" if ":" in group.target else group.target
        base = "".join(char if char in _NAME else "-" for char in base)[:50].strip("._-") or "target"
        number = 0 if group.whole else 1
        while (name := f"{base}-{number}" if number else base) in named:
            number += 1
        named[name] = group
    return named


def _lines(name: str, group: Group) -> Iterator[str]:
    """The expectations of one group, and a word on what cannot be expected."""
    seen = group.seen
    words = [word for word in _ORDER if word in seen.words]
    closed = [word for word in words if word != "open"]
    # `rest` would take in the doubtful ports.
    rest = max(closed, key=lambda word: len(seen.words[word]), default=None) if not seen.doubtful else None
    for word in words:
        if word != rest:
            yield from _wrapped(f"  - {{to: {scalar(name)}, is: {word}, tcp: ", _ports(seen.words[word]), "}")
    for port, service in sorted(seen.services.items()):
        if not _is_service(service):  # a file of results may hold any name
            continue
        yield f"  - {{to: {scalar(name)}, service: {scalar(service)}, on: {port}}}"
    if rest:
        yield f"  - {{to: {scalar(name)}, is: {rest}, tcp: rest}}"
    if seen.doubtful:
        ports = textwrap.shorten(", ".join(_ports(seen.doubtful)), 60, placeholder=" …")
        yield f"  # {name}: {plural(len(seen.doubtful), 'port')} could not be decided, or not reached: {ports}"


def _is_service(name: str) -> bool:
    try:
        return values.service(name) == name
    except ValueError:
        return False


def _ports(ports: Iterable[int]) -> list[str]:
    return [str(first) if first == last else f"{first}-{last}" for first, last in runs(list(ports))]


def _wrapped(head: str, items: Iterable[str], tail: str = "") -> list[str]:
    """A YAML flow list behind `head`, over several lines where it is long; a single item stands for itself."""
    written = list(items)
    body = written[0] if len(written) == 1 else f"[{', '.join(written)}]"
    return textwrap.wrap(
        head + body + tail, _WIDTH, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False
    )
