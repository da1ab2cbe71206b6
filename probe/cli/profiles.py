"""Profiles from files, standard input, and command lines."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from probe.errors import Problem, ProfileError, UsageError
from probe.model import Address, Expectation, OutputSpec, Profile, ScanOptions, TargetSpec
from probe.profile import Lookup, load

if TYPE_CHECKING:
    from probe.lab import Lab

MOST_BYTES = 2 << 20  # the loader refuses at half of this; no need to read on


def read(path: str) -> bytes:
    """The bytes of a file, or of standard input for `-`. Raises ProfileError."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(MOST_BYTES)
        with open(path, "rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise ProfileError([Problem(path, 1, 1, f"cannot be read: {error.strerror}")]) from error


def load_profile(path: str) -> Profile:
    """Raises ProfileError with every mistake."""
    return load(read(path), "<stdin>" if path == "-" else path)


def from_command_line(options: Namespace) -> Profile:
    """The profile that `probe scan` stands for. Raises UsageError."""
    from probe.profile.ports import PortError, parse_ports
    from probe.profile.targets import TargetError, parse_address, parse_target

    try:
        targets = [parse_target(text) for text in options.targets]
        exclude = tuple(parse_address(text) for text in options.exclude)
        ports = parse_ports(options.tcp)
    except (PortError, TargetError) as error:
        raise UsageError(str(error)) from error
    return Profile(
        name="scan",
        path="command line",
        scan=_scan_options(options, ports),
        targets=tuple(TargetSpec(spec.text, (spec,)) for spec in targets),
        exclude=exclude,
    )


def search_from_command_line(options: Namespace) -> Profile:
    """The profile that `probe find` stands for: one target of everything, and one service without a home.

    Raises UsageError.
    """
    from probe.profile.values import service

    try:
        wanted = service(options.service)
    except ValueError as error:
        raise UsageError(str(error)) from error
    scan = from_command_line(options)
    everything = TargetSpec(", ".join(options.targets), tuple(spec for each in scan.targets for spec in each.addresses))
    expectation = Expectation(1, 0, 0, everything.name, service=wanted)
    return replace(scan, name="find", targets=(everything,), expectations=(expectation,))


def _scan_options(options: Namespace, ports: tuple[int, ...]) -> ScanOptions:
    """The options by the same rules as the profile's `scan:` keys; what is not given is as there. Raises UsageError."""
    from probe.profile.limits import SCAN
    from probe.profile.values import seconds

    given = {name: getattr(options, name) for name in (*SCAN, "timeout") if getattr(options, name) is not None}
    try:
        if "timeout" in given:
            given["timeout"] = seconds(given["timeout"])
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from error
    for name, limits in SCAN.items():
        if name in given and (complaint := limits.complaint(given[name])):
            raise UsageError(f"--{name.replace('_', '-')} {complaint}, not {given[name]:,.12g}")
    return ScanOptions(
        tcp=tuple(sorted(ports)),
        handshake=not getattr(options, "no_handshake", False),
        locate=getattr(options, "locate", False),
        adaptive="timeout" not in given,
        **given,
    )


def outputs(options: Namespace) -> list[OutputSpec]:
    """The `-o FORMAT:PATH` options. Raises UsageError."""
    specs = []
    for text in options.output:
        kind, colon, path = text.partition(":")
        if not (kind and colon and path):
            raise UsageError(f"-o {text}: write FORMAT:PATH, such as jsonl:results.jsonl or jsonl:-")
        specs.append(OutputSpec(kind, path))
    return specs


def system_lookup(name: str) -> Sequence[Address]:
    """Names as this machine knows them. Raises OSError."""
    from probe.net.routes import lookup

    return lookup(name)


def lab_lookup(lab: Lab) -> Lookup:
    """Names as the lab knows them: its hosts."""

    def find(name: str) -> Sequence[Address]:
        if name not in lab.names:
            raise OSError(f"the lab has no host {name!r}; it has {', '.join(lab.hosts)}")
        return lab.names[name]

    return find
