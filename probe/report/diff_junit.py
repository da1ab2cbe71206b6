"""A diff as JUnit XML: a suite per target, a case per change, and what is not compared as cases that cannot pass.

A change is a `failure`; ports that could not be decided, and a run that was cut short, are an `error`; ports that one
run did not scan are `skipped`, since nobody can say more of them. What is unchanged is one case that passes.
"""

from __future__ import annotations

from collections.abc import Iterator

from probe.judge.diff import Change, Gap, Kind
from probe.judge.wording import plural
from probe.profile.ports import format_ports
from probe.report.compared import Compared
from probe.report.junit import attributes, trouble


def junit(compared: Compared) -> Iterator[str]:
    """The document, piece by piece."""
    suites = _suites(compared)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    everything = [case for cases in suites.values() for case in cases]
    yield f"<testsuites{attributes(name='probe diff')}{_totals(everything)}>\n"
    for name, cases in suites.items():
        head = attributes(name=f"{compared.new.profile}.{name}", timestamp=compared.new.started[:19])
        yield f"<testsuite{head}{_totals(cases)}>\n"
        yield from (f"{case}\n" for case in cases)
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def _suites(compared: Compared) -> dict[str, list[str]]:
    suites: dict[str, list[str]] = {}
    profile = compared.new.profile
    for change in compared.diff.changes:
        cases = suites.setdefault(change.new.target, [])
        cases.append(_case(f"{profile}.{change.new.target}", _name(change), _failure(change)))
    whole = suites.setdefault("diff", [])
    for gap, address, transport, ports in compared.gaps():
        name = f"{address} {transport}/{format_ports(ports, 16)} {gap}"
        whole.append(_case(f"{profile}.diff", name, _gap(gap, len(ports))))
    if not compared.complete:
        text = "one of the runs is incomplete: what it did not get to may have changed"
        whole.append(_case(f"{profile}.diff", "both runs are complete", trouble("error", "incomplete", text)))
    whole.append(_case(f"{profile}.diff", f"{plural(compared.diff.unchanged, 'port')} unchanged", ""))
    return suites


def _name(change: Change) -> str:
    key = change.old.key
    what = f"moved to {change.new.key.port}" if change.kind is Kind.MOVED else f"{change.kind} is unchanged"
    return f"{key.address} {key.transport}/{key.port} {what}"


def _failure(change: Change) -> str:
    return trouble("failure", f"{change.old.observed} -> {change.new.observed}", change.message)


def _gap(gap: Gap, ports: int) -> str:
    if gap is Gap.UNDECIDED:
        return trouble("error", "undecided", f"{plural(ports, 'port')} could not be decided by one of the runs")
    return f"<skipped{attributes(message=str(gap))}/>"


def _case(classname: str, name: str, result: str) -> str:
    return f"<testcase{attributes(classname=classname, name=name, time='0')}>{result}</testcase>"


def _totals(cases: list[str]) -> str:
    kinds = {"failures": "<failure", "errors": "<error", "skipped": "<skipped"}
    counts = {name: str(sum(tag in case for case in cases)) for name, tag in kinds.items()}
    return attributes(tests=str(len(cases)), **counts, time="0")
