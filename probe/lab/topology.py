"""A topology file -> Topology, with every mistake in it as `file:line:column: message`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from msgspec import Struct
from pydantic import ValidationError

from probe.errors import LabError, Problem, ProfileError
from probe.lab.schema import DEFAULT, Host, Sheet
from probe.profile import document, messages
from probe.profile.nodes import Map, find, plain

Location = tuple[int | str, ...]
Complaint = tuple[Location, str]

# What stands in `run:` for a thing that is known only when the lab is built.
PLACEHOLDERS = {
    "python": "the Python that runs probe",
    "here": "the topology file's folder",
    "run": "the server's own, new folder",
    "cert": "a certificate for `name`, PEM",
    "key": "its private key, PEM",
    "ssh_key": "an SSH host key",
    "other_ssh_key": "a second SSH host key",
}
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Topology(Struct, frozen=True):
    """A network that can be built. `path` is the file it came from, absolute."""

    path: Path
    sheet: Sheet

    @property
    def name(self) -> str:
        return self.sheet.name

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def names(self) -> dict[str, list[IPv4Address | IPv6Address]]:
        """Every host's addresses, in the order of the file."""
        hosts = self.sheet.hosts
        return {name: [address for link in host.links.values() for address in link] for name, host in hosts.items()}

    def prefix(self, network: str, address: IPv4Address | IPv6Address) -> IPv4Network | IPv6Network:
        """The one prefix of the network that holds the address."""
        return next(prefix for prefix in self.sheet.networks[network] if address in prefix)


def load(path: str) -> Topology:
    """Reads a topology file. Raises ProfileError with every mistake in it, LabError if there is no such file."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from error
    read = document.parse(data, path)
    if read.root is None:
        raise ProfileError(read.problems)
    problems = list(read.problems)
    try:
        topology = Topology(Path(path).absolute(), Sheet.model_validate(plain(read.root)))
    except ValidationError as error:
        raise ProfileError(problems + messages.explain(error, read.root, path, Sheet)) from None
    problems += [_problem(read.root, path, place, said) for place, said in _contradictions(topology)]
    if problems:
        raise ProfileError(problems)
    return topology


def _problem(root: Map, path: str, location: Location, message: str) -> Problem:
    node, _ = find(root, location)
    return Problem(path, node.line, node.column, message)


def _contradictions(topology: Topology) -> Iterator[Complaint]:
    cables = [*_networks(topology.sheet), *_links(topology.sheet)]
    yield from cables
    for name, host in topology.sheet.hosts.items():
        if not cables:  # A route to a host with a wrong address would only be the same mistake again.
            yield from _routes(topology.sheet, name, host)
        yield from _files(topology, name, host)
        yield from _services(name, host)


def _networks(sheet: Sheet) -> Iterator[Complaint]:
    seen: list[tuple[str, IPv4Network | IPv6Network]] = []
    for name, prefixes in sheet.networks.items():
        for number, prefix in enumerate(prefixes):
            for other, taken in seen:
                if prefix.version == taken.version and prefix.overlaps(taken):
                    yield ("networks", name, number), f"{prefix} overlaps {taken} of {other!r}"
            seen.append((name, prefix))


def _links(sheet: Sheet) -> Iterator[Complaint]:
    owners: dict[IPv4Address | IPv6Address, str] = {}
    for name, host in sheet.hosts.items():
        for network, addresses in host.links.items():
            place: Location = ("hosts", name, "links", network)
            if network not in sheet.networks:
                yield place, f"there is no network {network!r} (known: {', '.join(sheet.networks)})"
                continue
            for number, address in enumerate(addresses):
                if said := _misfit(sheet, network, address) or _taken(owners, address):
                    yield (*place, number), said
                owners.setdefault(address, name)


def _misfit(sheet: Sheet, network: str, address: IPv4Address | IPv6Address) -> str | None:
    prefix = next((prefix for prefix in sheet.networks[network] if address in prefix), None)
    if prefix is None:
        return f"{address} is not in the network {network!r} ({', '.join(map(str, sheet.networks[network]))})"
    if prefix.num_addresses > 2 and address in (prefix.network_address, prefix.broadcast_address):
        return f"{address} is the first or last address of {prefix}: no host can have it"
    return None


def _taken(owners: dict[IPv4Address | IPv6Address, str], address: IPv4Address | IPv6Address) -> str | None:
    return f"{address} belongs to {owners[address]!r} already" if address in owners else None


def _routes(sheet: Sheet, name: str, host: Host) -> Iterator[Complaint]:
    neighbours = {
        address
        for other, each in sheet.hosts.items()
        for network in host.links
        for address in each.links.get(network, [])
        if other != name
    }
    for destination, gateways in host.routes.items():
        for number, gateway in enumerate(gateways):
            place = ("hosts", name, "routes", destination, number)
            if gateway not in neighbours:
                yield place, f"{gateway} is no other host on a network of {name!r}"
            if destination != DEFAULT and (":" in destination) != (gateway.version == 6):
                yield place, f"{gateway} and {destination} are not of one family"


def _files(topology: Topology, name: str, host: Host) -> Iterator[Complaint]:
    places: dict[Location, list[str]] = {("hosts", name, "nft"): host.nft}
    for service, each in host.services.items():
        places["hosts", name, "services", service, "files"] = each.files
    for place, files in places.items():
        for number, file in enumerate(files):
            if not (topology.folder / file).is_file():
                yield (*place, number), f"there is no file {file!r} beside the topology"


def _services(name: str, host: Host) -> Iterator[Complaint]:
    ports: dict[int, str] = {}
    for service, each in host.services.items():
        place = ("hosts", name, "services", service)
        for number, word in enumerate(each.run):
            for unknown in set(_PLACEHOLDER.findall(word)) - PLACEHOLDERS.keys():
                yield (*place, "run", number), f"unknown {{{unknown}}} (known: {', '.join(PLACEHOLDERS)})"
        for number, port in enumerate(each.ready):
            if (other := ports.setdefault(port, service)) != service:
                yield (*place, "ready", number), f"port {port} belongs to {other!r} already"


def fill(text: str, values: dict[str, str]) -> str:
    """The text with every `{placeholder}` replaced; other braces, which a configuration file may have, stay."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)
