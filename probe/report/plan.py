"""`probe plan` in words: addresses, ports, packets, time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from probe.model import Profile, ScanOptions, Target
from probe.profile.ports import format_ports
from probe.profile.ranges import describe

if TYPE_CHECKING:
    from probe.core.plan import Plan


def lines(profile: Profile, targets: tuple[Target, ...], plan: Plan) -> Iterator[str]:
    """One line per fact, targets first."""
    scan = plan.options
    lab = f", in the lab {profile.lab}" if profile.lab else ""
    yield f"{profile.name}: from {profile.vantage or 'this machine'}{lab}"
    for target in targets:
        yield f"  {target.name:<12} {', '.join(map(describe, target.ranges))}"
    yield f"ports       {format_ports(plan.ports, 12)} ({len(plan.ports)} TCP ports)"
    yield f"probes      {plan.addresses:,} addresses × {len(plan.ports):,} ports = {plan.probes:,}"
    yield f"packets     {plan.probes:,} if all are answered, at most {plan.packets:,} ({scan.attempts} attempts each)"
    if scan.locate:
        yield f"locating    at most {plan.locating.packets:,} packets more, to find where silent ports are dropped"
    yield f"rate        at most {scan.rate:,.0f} packets per second, {_patience(scan)}"
    yield f"duration    {plan.least_s:.1f} s if all are answered, {plan.most_s:.1f} s if none is"
    yield f"deadline    {plan.deadline_s:.1f} s; what is undecided then is unknown, and the exit code 3"
    yield f"handshakes  {'completed on open ports' if scan.handshake else 'none'}"


def _patience(scan: ScanOptions) -> str:
    if scan.adaptive:
        return f"each attempt waits {scan.timeout:g} s, but not for one another at hosts that answer"
    return f"each attempt waits {scan.timeout:g} s"
