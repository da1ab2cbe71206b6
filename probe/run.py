"""The corridor: profile in, packets out, verdicts back, findings and reports on, in that order and nothing else.

The rooms do the work; this file opens their doors. It owns the clock, the signals and the seed.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

import probe
from probe.core.counters import Counters
from probe.core.pace import Pace
from probe.core.plan import Plan, Scope
from probe.errors import WireError
from probe.judge import Baselines, Judge, Tally, answers_as, exit_code
from probe.judge.exits import OK
from probe.model import Address, Finding, Outcome, PortKey, Profile, RunInfo, State, Summary, Target, Verdict
from probe.net.handshakes import Handshakes
from probe.net.orders import Orders
from probe.net.rights import demand_raw
from probe.sweep import Sweep

if TYPE_CHECKING:
    from probe.net.connect import ConnectScan
    from probe.net.syn import SynScan
    from probe.profile import Resolution
    from probe.report.journal import Journal
    from probe.report.progress import Progress
    from probe.report.reports import Reports

    Scanner = SynScan | ConnectScan

TICK = 0.1  # seconds from one drawing of the progress to the next, where no packet moves


class Job(Struct, frozen=True):
    """A profile, its addresses pinned. `wire` as in `--wire`; `strict` makes an unproven deny incomplete.

    `baselines` has the verdicts of every run that an expectation compares with; `shard` is the part that is sent,
    see `Plan`; `resumed` is the unfinished run that goes on, with its seed in the profile.
    """

    profile: Profile
    resolution: Resolution
    wire: Literal["auto", "raw", "packet", "xdp", "connect"] = "auto"
    strict: bool = False
    baselines: Baselines = msgspec.field(default_factory=dict)
    shard: tuple[int, int] = (0, 1)
    resumed: Journal | None = None

    @property
    def wanted(self) -> str | None:
        """The service that is only looked for (`probe find`), wherever it may be."""
        return next((each.service for each in self.profile.expectations if each.service and each.home is None), None)


@dataclass
class _Stop:
    """Why the run ends early, if it does."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str | None = None

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        self.reason = number.name
        self.event.set()


def run(job: Job, reports: Reports, progress: Progress) -> int:
    """Scan, judge, report; returns the exit code. Raises WireError before anything is sent."""
    plan = Plan.of(job.resolution.targets, job.profile.scan, job.shard)
    scanner, warnings = open_scanner(job.wire, job.profile.scan.rate, plan.packets)
    if job.profile.scan.locate and scanner.name == "connect":
        warnings += ("dropped ports are not located: that needs raw sockets",)
    for warning in warnings:
        progress.say(f"probe: {warning}")
    try:
        return asyncio.run(_run(job, scanner, warnings, reports, progress))
    finally:
        progress.clear()
        scanner.close()


def open_scanner(wire: str, rate: float, packets: int) -> tuple[Scanner, tuple[str, ...]]:
    """The best scanner that this user may use for at most so many packets, and what must be said about the choice. Only
    that one is imported."""
    from probe.net.connect import ConnectScan

    if wire == "connect":
        return ConnectScan(), ()
    try:
        demand_raw()
        from probe.net.syn import SynScan

        scanner = SynScan(wire, rate, packets)
        return scanner, scanner.warnings
    except WireError as error:
        if wire != "auto":
            raise
        return ConnectScan(), (f"{error}. Falling back to a connect scan: it sees no TTLs and no senders of ICMP.",)


@dataclass
class _Ledger:
    """Everything decided passes through here once: counted, judged, reported."""

    judge: Judge
    reports: Reports
    wanted: str | None = None
    tally: Tally = field(default_factory=Tally)
    counts: Counter[State] = field(default_factory=Counter)
    known: Mapping[PortKey, Verdict] = field(default_factory=dict)
    _begun: frozenset[Address] = frozenset()  # those of which something is known

    def resume(self) -> None:
        """What was decided before the run was interrupted comes first, and is not decided again."""
        known, self.known = self.known, {}
        for verdict in known.values():
            self._one(verdict)
        self.known, self._begun = known, frozenset(key.address for key in known)

    def take(self, verdicts: Iterable[Verdict]) -> None:
        """Many at once where nobody looks at them one by one."""
        if isinstance(verdicts, Sweep) and self.wanted is None:
            from probe.judge.stretches import stretches  # it needs numpy, and a connect scan does not

            for part, in_turn in stretches(verdicts, self._wants):
                self._each(part) if in_turn else self._all(part)
        else:
            self._each(verdicts)

    def _wants(self, address: Address) -> Collection[int]:
        begun = self._begun and address in self._begun  # the hash of an address takes longer than all else here
        return range(65536) if begun else self.judge.wants(address)

    def _all(self, sweep: Sweep) -> None:
        for look, number in zip(sweep.looks, sweep.numbers(), strict=True):
            self.counts[look.state] += number
        self.reports.ports(sweep)

    def _each(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            if verdict.key not in self.known:
                self._one(verdict)

    def _one(self, verdict: Verdict) -> None:
        self.counts[verdict.state] += 1
        if self.wanted is None or answers_as(self.wanted, verdict):
            self.reports.port(verdict)
        self.findings(self.judge.see(verdict))

    def findings(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.tally.add(finding)
            self.reports.finding(finding)

    def exit_code(self, job: Job, complete: bool, interrupted: str | None) -> int:
        if self.wanted and self.tally.outcomes[Outcome.MET] and not (interrupted or self.reports.problems):
            return OK  # it was found: what the other ports hide does not matter any more
        return exit_code(
            self.tally.outcomes,
            complete=complete and not self.reports.problems,
            unknown_verdicts=self.counts[State.UNKNOWN],
            unproven=self.tally.unproven,
            strict=job.strict,
            interrupted=interrupted,
        )


async def _run(job: Job, scanner: Scanner, warnings: tuple[str, ...], reports: Reports, progress: Progress) -> int:
    clock = asyncio.get_running_loop().time
    stop, counters, began = _Stop(), Counters(), clock()
    stop.listen()
    plan = Plan.of(job.resolution.targets, job.profile.scan, job.shard)
    info = _describe(job, plan, scanner.name, warnings)
    judge = Judge(job.profile.expectations, job.resolution.targets, plan.ports, baselines=job.baselines)
    ledger = _Ledger(judge, reports, job.wanted, known=job.resumed.verdicts if job.resumed else {})
    reports.start(info)
    ledger.resume()
    plan = plan.resumed(ledger.known)
    ticking = asyncio.create_task(_tick(progress, clock))
    orders = replace(_orders(job, plan, info.seed, counters, stop, progress), on_rest=reports.prepare)
    async for verdicts in scanner.verdicts(orders):
        ledger.take(verdicts)
    ledger.findings(ledger.judge.finish())
    ticking.cancel()
    progress.clear()
    complete = ledger.counts.total() == plan.probes and stop.reason is None
    summary = Summary(
        complete=complete,
        exit_code=ledger.exit_code(job, complete, stop.reason),
        counts={state: ledger.counts[state] for state in State},
        sent=counters.sent,
        received=counters.received,
        forged=counters.forged,
        duration_s=clock() - began,
        interrupted=stop.reason or (None if complete else "deadline"),
        findings=dict(ledger.tally.outcomes),
        p_miss=counters.p_miss(),
        rate=counters.slowest,
    )
    reports.finish(summary)
    for problem in reports.problems:
        progress.say(f"probe: {problem}")
    return ledger.exit_code(job, complete, stop.reason)


async def _tick(progress: Progress, clock: Callable[[], float]) -> None:
    """Handshakes go on when no packet moves any more, and people want to see that."""
    began = clock()
    while progress.enabled:
        await asyncio.sleep(TICK)
        progress.tick(clock() - began)


def _describe(job: Job, plan: Plan, wire: str, warnings: tuple[str, ...]) -> RunInfo:
    seed = job.profile.scan.seed
    before = job.resumed.run if job.resumed else None
    return RunInfo(
        run_id=before.run_id if before else os.urandom(8).hex(),
        profile=job.profile.name,
        vantage=job.profile.vantage,
        started=before.started
        if before
        else datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        seed=_fresh_seed() if seed is None else seed,
        wire=wire,
        probe_version=probe.__version__,
        source=job.profile.path,
        addresses=plan.addresses,
        ports=len(plan.ports),
        deadline_s=plan.deadline_s,
        warnings=warnings,
        shard=f"{job.shard[0] + 1}/{job.shard[1]}" if job.shard[1] > 1 else None,
    )


def _fresh_seed() -> int:
    return int.from_bytes(os.urandom(7), "big") >> 3  # 53 bits survive JSON readers that use doubles


def _orders(job: Job, plan: Plan, seed: int, counters: Counters, stop: _Stop, progress: Progress) -> Orders:
    began = asyncio.get_running_loop().time()
    pace = Pace(plan.options.rate, began)

    def on_progress(sent: int, most: int, received: int) -> None:
        elapsed = asyncio.get_running_loop().time() - began
        progress.update(sent, most, received, elapsed, plan.deadline_s)

    def on_open(keys: list[PortKey]) -> None:
        progress.opened(keys, asked=plan.options.handshake)

    return Orders(
        plan=plan,
        scope=Scope(job.resolution.scope),
        seed=seed,
        pace=pace,
        handshakes=Handshakes(pace, _host_names(job.resolution.targets), job.wanted, on_result=progress.told)
        if plan.options.handshake
        else None,
        stop=stop.event,
        deadline=began + plan.deadline_s,
        target_of=_target_names(job.resolution.targets),
        on_progress=on_progress,
        counters=counters,
        on_open=on_open,
    )


def _target_names(targets: tuple[Target, ...]) -> Callable[[Address], str]:
    """The first target of the profile that has the address."""
    if len(targets) == 1:
        return lambda _: targets[0].name
    return lambda address: next(target.name for target in targets if address in target)


def _host_names(targets: tuple[Target, ...]) -> Callable[[PortKey], str | None]:
    """The name that was looked up for an address: what TLS asks for (SNI, RFC 6066) and HTTP's Host."""
    named = [part for target in targets for part in target.ranges if part.host]
    return lambda key: next((part.host for part in named if key.address in part), None)
