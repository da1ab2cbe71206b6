"""Names -> addresses, once, and pinned: what is scanned is settled, and inside the scope, before a packet is sent.

The look-up is an argument, so nothing here touches the network. Addresses are handled as ranges, never one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv6Address

from msgspec import Struct

from probe.errors import Problem, ProfileError
from probe.model import Address, AddressRange, AddressSpec, Profile, Target, TargetSpec
from probe.profile.ranges import describe, merge, subtract, total
from probe.profile.targets import no_host

Lookup = Callable[[str], Sequence[Address]]


class Resolution(Struct, frozen=True):
    """What will be scanned, and what must never be left. All ranges are sorted and disjoint within their tuple."""

    targets: tuple[Target, ...]
    scope: tuple[AddressRange, ...]

    @property
    def addresses(self) -> int:
        """How many addresses are scanned; one that two targets share is scanned once."""
        return total(merge(part for target in self.targets for part in target.ranges))


def resolve(profile: Profile, lookup: Lookup, *, trust_names: bool = False) -> Resolution:
    """Look up every name once, take out what is excluded, check scope and size.

    `lookup` gives the addresses of a name; an OSError or an empty answer is a mistake in the profile. Without `scope:`
    the literal addresses are the scope; `trust_names` adds what names resolve to (`probe scan NAME`: whoever types a
    name means it). Raises ProfileError with every mistake.
    """
    resolver = _Resolver(profile, lookup, trust_names)
    targets = tuple(resolver.target(spec) for spec in profile.targets)
    resolution = Resolution(targets, resolver.scope)
    resolver.check_size(resolution)
    if resolver.problems:
        raise ProfileError(resolver.problems)
    return resolution


class _Resolver:
    """One profile on its way. Every name is looked up once, whatever mentions it how often."""

    def __init__(self, profile: Profile, lookup: Lookup, trust_names: bool) -> None:
        self.profile = profile
        self.problems: list[Problem] = []
        self._lookup = lookup
        self._known: dict[str, tuple[AddressRange, ...] | str] = {}
        written = [spec for target in profile.targets for spec in target.addresses]
        self._excluded = _merged(part for spec in profile.exclude for part in self.ranges(spec))
        allowed = profile.scope or [spec for spec in written if trust_names or spec.range is not None]
        self.scope = _merged(part for spec in allowed for part in self._parts(spec))

    def target(self, spec: TargetSpec) -> Target:
        parts = [(address, self._scannable(address)) for address in spec.addresses]
        ranges = merge(part for _, found in parts for part in found)
        if not ranges and all(self._parts(address) for address in spec.addresses):
            self._refuse(spec, f"nothing is left of target {spec.name!r}: all of it is excluded")
        return Target(spec.name, ranges)

    def ranges(self, spec: AddressSpec) -> tuple[AddressRange, ...]:
        """The addresses of one expression; a name that has none is a problem, wherever it is written."""
        found = self._found(spec)
        if isinstance(found, str):
            self._refuse(spec, found)
            return ()
        return found

    def check_size(self, resolution: Resolution) -> None:
        scan = self.profile.scan
        addresses, ports = resolution.addresses, len(scan.tcp)
        probes = addresses * ports * scan.attempts
        if probes > scan.max_probes:
            plan = f"{addresses:,} addresses × {ports:,} ports × {scan.attempts} attempts = {probes:,} probes"
            hint = f"more than {scan.max_probes:,} (narrow it, or write scan: {{max_probes: {probes}}})"
            where = self.profile.path, self.profile.scan_line, self.profile.scan_column
            self.problems.append(Problem(*where, f"plan too large: {plan}, {hint}"))

    def _scannable(self, spec: AddressSpec) -> tuple[AddressRange, ...]:
        kept = subtract(self.ranges(spec), self._excluded)
        outside = subtract(kept, self.scope)
        if outside:
            self._refuse(spec, self._out_of_scope(spec, outside[0]))
        return kept

    def _out_of_scope(self, spec: AddressSpec, outside: AddressRange) -> str:
        where = describe(outside)
        if self.profile.scope:
            return f"{spec.text!r} is out of scope: {where} is not in 'scope'"
        reason = "without 'scope' only the addresses written under targets may be scanned"
        return f"{spec.text!r} resolves to {where}, which no target holds: {reason} (add scope: [{where!r}])"

    def _parts(self, spec: AddressSpec) -> tuple[AddressRange, ...]:
        found = self._found(spec)
        return () if isinstance(found, str) else found

    def _found(self, spec: AddressSpec) -> tuple[AddressRange, ...] | str:
        if spec.range is not None:
            return (spec.range,)
        name = spec.host or ""
        if name not in self._known:
            self._known[name] = _looked_up(name, self._lookup)
        return self._known[name]

    def _refuse(self, spec: AddressSpec | TargetSpec, message: str) -> None:
        self.problems.append(Problem(self.profile.path, spec.line, spec.column, message))


def _merged(parts: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    """The union of ranges whose names do not matter any more."""
    return merge(replace(part, host=None) for part in parts)


def _looked_up(name: str, lookup: Lookup) -> tuple[AddressRange, ...] | str:
    """The addresses of a name as ranges of one, or why there are none."""
    try:
        found = sorted({(address.version, int(address)): address for address in lookup(name)}.items())
    except OSError as error:
        return f"{name!r} does not resolve ({error.strerror or error or 'no reason given'})"
    if not found:
        return f"{name!r} does not resolve (no address)"
    for _, address in found:
        if complaint := _unusable(address):
            return f"{name!r} resolves to {address}, which cannot be scanned: {complaint}"
    return tuple(AddressRange(version, number, number, host=name) for (version, number), _ in found)


def _unusable(address: Address) -> str | None:
    if isinstance(address, IPv6Address) and (address.scope_id or address.ipv4_mapped):
        return "it only means something on this machine"
    number = int(address)
    return no_host(AddressRange(address.version, number, number))
