"""`probe trace`: one handshake, packet by packet, and what it means."""

from __future__ import annotations

import sys
from argparse import Namespace

from probe.cli.profiles import outputs, system_lookup
from probe.errors import OutputError, UsageError
from probe.model import Address, OutputSpec


def trace(options: Namespace) -> int:
    """0 if the port is open, 1 if it is not, 3 if that cannot be told."""
    address, port = _address(options.target), _port(options.port)
    timeout = _timeout(options.timeout)
    from probe.net import trace as tracing
    from probe.report.traces import Traces

    with Traces.open(_specs(options), options.pcap) as traces:
        errand = tracing.Errand(options.target, address, port, timeout, not options.no_locate)
        conclusion = tracing.trace(errand, traces, _say)
    for problem in traces.problems:
        _say(str(problem))
    return conclusion.exit_code if not traces.problems else OutputError.exit_code


def _say(message: str) -> None:
    sys.stderr.write(f"probe: {message}\n")
    sys.stderr.flush()


def _specs(options: Namespace) -> list[OutputSpec]:
    specs = outputs(options)
    return specs if any(spec.path == "-" for spec in specs) else [*specs, OutputSpec("table", "-")]


def _address(text: str) -> Address:
    """The one address of an address or a name; of several the first, and that is said. Raises UsageError."""
    from probe.profile.targets import TargetError, parse_target

    try:
        spec = parse_target(text)
    except TargetError as error:
        raise UsageError(str(error)) from error
    if spec.range is not None:
        if spec.range.size > 1:
            raise UsageError(f"{text} stands for {spec.range.size} addresses: trace follows one connection")
        return next(iter(spec.range))
    return _looked_up(text)


def _looked_up(name: str) -> Address:
    from probe.profile.targets import TargetError, parse_target

    try:
        found = [next(iter(part)) for each in system_lookup(name) if (part := parse_target(str(each)).range)]
    except (OSError, TargetError) as error:
        raise UsageError(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    if len(found) > 1:
        _say(f"{name} has {len(found)} addresses ({', '.join(map(str, found))}); this is the first")
    return found[0]


def _port(text: str) -> int:
    from probe.profile.ports import PortError, parse_ports

    try:
        ports = parse_ports(text)
    except PortError as error:
        raise UsageError(str(error)) from error
    if len(ports) > 1:
        raise UsageError(f"{text} stands for {len(ports)} ports: trace follows one connection")
    return ports[0]


def _timeout(text: str) -> float:
    from probe.profile.values import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from error
