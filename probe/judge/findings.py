"""A whole profile judged: verdicts in, findings out, at once or as the verdicts come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from probe.judge.changes import judge_change
from probe.judge.moves import Baseline, ServiceWatch
from probe.judge.ports import judge_port
from probe.judge.search import ServiceSearch
from probe.model import Address, Evidence, Expectation, Finding, PortKey, Reason, State, Target, Verdict
from probe.profile.words import UNCHANGED

# The runs that expectations name, by that name.
Baselines = Mapping[str, Mapping[PortKey, Verdict]]

Watch = ServiceWatch | ServiceSearch


class Judge:
    """Judges while the scan runs: `see` each verdict once, then `finish` for the findings about services.

    Memory grows with the expectations and with what answers, not with the ports scanned. `baseline` is what identified
    itself in an earlier run, by place: with it, servers are told apart by their keys. `baselines` has the verdicts of
    every run that an expectation compares with.
    """

    def __init__(
        self,
        expectations: Iterable[Expectation],
        targets: Iterable[Target],
        scanned_ports: Sequence[int],
        baseline: Baseline | None = None,
        baselines: Baselines = MappingProxyType({}),
    ) -> None:
        self._baselines = baselines
        self._targets = {target.name: target for target in targets}
        self._baseline = _servers(baselines) if baseline is None else baseline
        self._by_port: dict[tuple[str, int], list[Expectation]] = {}
        self._watches: dict[str, list[Watch]] = {}
        self._wanted: dict[str, set[int]] = {}
        for expectation in expectations:
            self._enter(expectation, scanned_ports)
        self._last: tuple[Address, tuple[str, ...]] | None = None

    def _enter(self, expectation: Expectation, scanned_ports: Sequence[int]) -> None:
        name = expectation.target
        if expectation.service is not None:
            watch = _watch(expectation, self._targets[name], scanned_ports, self._baseline)
            self._watches.setdefault(name, []).append(watch)
            self._wanted.setdefault(name, set()).update(scanned_ports)
        if expectation.ports:
            self._wanted.setdefault(name, set()).update(expectation.ports)
        for port in expectation.ports:
            self._by_port.setdefault((name, port), []).append(expectation)

    def see(self, verdict: Verdict) -> list[Finding]:
        """The findings that this verdict decides: one per port expectation that names it, often none."""
        about: list[Expectation] = []
        for name in self._names(verdict.key.address):
            for watch in self._watches.get(name, ()):
                watch.see(verdict)
            about += self._by_port.get((name, verdict.key.port), ())
        announced = {expectation.number for expectation in about if expectation.was}
        return [
            _judged(expectation, verdict, self._baselines)
            for expectation in about
            if expectation.words != (UNCHANGED,) or expectation.number not in announced
        ]

    def wants(self, address: Address) -> Collection[int]:
        """The ports of this address whose verdicts it must `see`; the others decide nothing."""
        if not self._wanted:
            return ()
        return frozenset().union(*(self._wanted.get(name, ()) for name in self._names(address)))

    def finish(self) -> list[Finding]:
        """The findings about services, in the order of the profile."""
        findings = [watch.finding() for watches in self._watches.values() for watch in watches]
        return sorted(findings, key=lambda finding: finding.expectation.number)

    def _names(self, address: Address) -> tuple[str, ...]:
        """Every target that the address belongs to: a host can stand in the profile under two names."""
        if self._last is None or self._last[0] != address:
            names = tuple(name for name, target in self._targets.items() if address in target)
            self._last = (address, names)
        return self._last[1]


def judge(
    expectations: Iterable[Expectation],
    targets: tuple[Target, ...],
    verdicts: Mapping[PortKey, Verdict],
    scanned_ports: tuple[int, ...],
    baseline: Baseline | None = None,
    baselines: Baselines = MappingProxyType({}),
) -> Iterator[Finding]:
    """Judge a finished scan, in the order of the profile: one finding per (port expectation, address, port), one per
    service expectation. A port that was to be scanned and has no verdict is `unknown/not-sent`.
    """
    by_name = {target.name: target for target in targets}
    for expectation in expectations:
        target = by_name[expectation.target]
        if expectation.service is None:
            ports = sorted(expectation.ports)
            yield from (_judged(expectation, one, baselines) for one in _verdicts(target, ports, verdicts))
            continue
        watch = _watch(expectation, target, scanned_ports, _servers(baselines) if baseline is None else baseline)
        for verdict in _verdicts(target, scanned_ports, verdicts):
            watch.see(verdict)
        yield watch.finding()


def _servers(baselines: Baselines) -> Baseline | None:
    """Who identified itself in the runs that the profile compares with; None where it compares with none."""
    if not baselines:
        return None
    known = (each for run in baselines.values() for each in run.items())
    talks = ((key, verdict.conversation) for key, verdict in known)
    return {key: talk.service for key, talk in talks if talk and talk.service}


def _watch(expectation: Expectation, target: Target, ports: Sequence[int], baseline: Baseline | None) -> Watch:
    """A service without a home is only looked for."""
    if expectation.home is None:
        return ServiceSearch(expectation, target, ports)
    return ServiceWatch(expectation, target, ports, baseline)


def _judged(expectation: Expectation, verdict: Verdict, baselines: Baselines) -> Finding:
    if expectation.baseline is None:
        return judge_port(expectation, verdict)
    return judge_change(expectation, verdict, baselines[expectation.baseline].get(verdict.key))


def _verdicts(target: Target, ports: Sequence[int], verdicts: Mapping[PortKey, Verdict]) -> Iterator[Verdict]:
    for address in target.addresses():
        for port in ports:
            key = PortKey(address, "tcp", port)
            yield verdicts.get(key) or _never_sent(target.name, key)


def _never_sent(target: str, key: PortKey) -> Verdict:
    return Verdict(target, key, State.UNKNOWN, Reason.NOT_SENT, None, Evidence(), attempts=0, live=False)
