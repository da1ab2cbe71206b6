"""Results of several runs of one profile as one run: what `--shard` took apart, put together and judged again.

A shard sees a part of the hosts, so what it says of a service (`gone`?) and of a deny (does the host live?) is but half
the truth. The expectations are taken from the findings in the files, and judged over all the ports in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from probe.errors import UsageError
from probe.judge import ServiceWatch, Tally, exit_code, judge_port
from probe.judge.wording import place
from probe.model import Address, AddressRange, Expectation, Finding, PortKey, RunInfo, State, Summary, Target, Verdict
from probe.report.reading import Recorded

_SHARD = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")


class Part(Struct, frozen=True):
    """A file and the run in it."""

    path: str
    recorded: Recorded


def merge(parts: Sequence[Part], run_id: str, *, strict: bool = False) -> tuple[Recorded, list[str]]:
    """One run of these, and what must be said about it (a shard that is missing). Raises UsageError where they do not
    belong together.
    """
    _check(parts)
    runs = [part.recorded.run for part in parts]
    verdicts = _alive(_verdicts(parts))
    findings = list(_judged(parts, verdicts))
    missing = _missing(runs)
    merged = Recorded(_head(runs, verdicts, run_id, missing), verdicts, findings)
    merged.summary = _summary(parts, merged, complete=not missing, strict=strict)
    return merged, missing


def _check(parts: Sequence[Part]) -> None:
    first = parts[0].recorded.run
    for part in parts[1:]:
        run = part.recorded.run
        for name in ("profile", "vantage"):
            if getattr(run, name) != getattr(first, name):
                one, other = getattr(first, name), getattr(run, name)
                raise UsageError(f"{part.path}: the {name} is {other!r}, that of {parts[0].path} is {one!r}")
        if _shard(run)[1] != _shard(first)[1]:
            raise UsageError(
                f"{part.path}: shard {run.shard} does not belong to shard {first.shard} of {parts[0].path}"
            )


def _shard(run: RunInfo) -> tuple[int, int]:
    match = _SHARD.fullmatch(run.shard or "")
    return (int(match[1]), int(match[2])) if match else (1, 1)


def _missing(runs: Iterable[RunInfo]) -> list[str]:
    found = {_shard(run) for run in runs}
    shards = max(of for _, of in found)
    return [f"shard {index}/{shards} is missing" for index in range(1, shards + 1) if (index, shards) not in found]


def _verdicts(parts: Sequence[Part]) -> dict[PortKey, Verdict]:
    verdicts: dict[PortKey, Verdict] = {}
    for part in parts:
        for key, verdict in part.recorded.verdicts.items():
            if key in verdicts:
                raise UsageError(f"{part.path}: {place(key)} has a verdict in more than one of the files")
            verdicts[key] = verdict
    return verdicts


def _alive(verdicts: dict[PortKey, Verdict]) -> dict[PortKey, Verdict]:
    """Records do not say whether a host was seen to live; an answer of its own shows it."""
    living = {key.address for key, verdict in verdicts.items() if verdict.evidence.responder == str(key.address)}
    return {key: replace(verdict, live=key.address in living) for key, verdict in verdicts.items()}


def _judged(parts: Sequence[Part], verdicts: dict[PortKey, Verdict]) -> Iterator[Finding]:
    services: dict[tuple[int, str], Expectation] = {}
    for finding in chain.from_iterable(part.recorded.findings for part in parts):
        expectation = finding.expectation
        if finding.key is None:
            services.setdefault((expectation.number, expectation.target), expectation)
        elif expectation.baseline or finding.key not in verdicts:
            yield finding  # its baseline is not in these files
        else:
            yield judge_port(expectation, verdicts[finding.key])
    for expectation in services.values():
        yield _watched(expectation, [seen for seen in verdicts.values() if seen.target == expectation.target])


def _watched(expectation: Expectation, seen: Sequence[Verdict]) -> Finding:
    ports = {verdict.key.port for verdict in seen}
    watch = ServiceWatch(
        expectation, _target(expectation.target, {verdict.key.address for verdict in seen}), sorted(ports)
    )
    for verdict in seen:
        watch.see(verdict)
    return watch.finding()


def _target(name: str, addresses: Iterable[Address]) -> Target:
    return Target(name, tuple(AddressRange(one.version, int(one), int(one)) for one in addresses))


def _head(runs: Sequence[RunInfo], verdicts: dict[PortKey, Verdict], run_id: str, missing: list[str]) -> RunInfo:
    warnings = dict.fromkeys([*chain.from_iterable(run.warnings for run in runs), *missing])
    return replace(
        min(runs, key=lambda run: run.started),
        run_id=run_id,
        wire="+".join(dict.fromkeys(run.wire for run in runs)),
        addresses=len({key.address for key in verdicts}),
        ports=len({key.port for key in verdicts}),
        deadline_s=max(run.deadline_s for run in runs),
        warnings=tuple(warnings),
        shard=None,
    )


def _summary(parts: Sequence[Part], merged: Recorded, *, complete: bool, strict: bool) -> Summary:
    ends = [part.recorded.summary for part in parts if part.recorded.summary]
    tally = Tally()
    for finding in merged.findings:
        tally.add(finding)
    counts = dict.fromkeys(State, 0)
    for verdict in merged.verdicts.values():
        counts[verdict.state] += 1
    complete = complete and all(part.recorded.complete for part in parts)
    return Summary(
        complete=complete,
        exit_code=exit_code(
            tally.outcomes,
            complete=complete,
            unknown_verdicts=counts[State.UNKNOWN],
            unproven=tally.unproven,
            strict=strict,
        ),
        counts=counts,
        sent=sum(end.sent for end in ends),
        received=sum(end.received for end in ends),
        forged=sum(end.forged for end in ends),
        duration_s=max((end.duration_s for end in ends), default=0.0),
        interrupted=next((end.interrupted for end in ends if end.interrupted), None if complete else "incomplete"),
        findings=tally.outcomes,
    )
