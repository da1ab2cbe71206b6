"""Topology -> Plan: every path, program and address worked out, and keys written for the servers that want some."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from probe.lab import tools
from probe.lab.plan import Command, Daemon, Host, Link, Plan, Route
from probe.lab.schema import DEFAULT
from probe.lab.schema import Host as HostSheet
from probe.lab.topology import Topology, fill

_PYTHON = "{python}"


def make_plan(topology: Topology, lab: str, folder: Path, detached: bool) -> Plan:
    """The plan of the lab named `lab`, whose own folder is `folder`. Gets missing programs. Raises LabError."""
    programs = tools.provide(_programs(topology), topology.sheet.packages, topology.folder)
    programs[_PYTHON] = tools.python()
    values = {"python": sys.executable, "here": str(topology.folder), **_secrets(topology, folder)}
    draft = _Draft(topology, folder, programs, values)
    hosts = tuple(draft.host(name, host) for name, host in topology.sheet.hosts.items())
    return Plan(lab, topology.name, str(topology.path), detached, hosts)


def _programs(topology: Topology) -> Iterator[str]:
    for host in topology.sheet.hosts.values():
        if host.nft:
            yield "nft"
        for service in host.services.values():
            if service.run[0] != _PYTHON:
                yield service.run[0]


def _secrets(topology: Topology, folder: Path) -> dict[str, str]:
    """Only what is asked for: a key costs the import of cryptography, 0.1 s."""
    hosts = topology.sheet.hosts.values()
    services = [service for host in hosts for service in host.services.values()]
    words = " ".join(word for service in services for word in service.run)
    words += " ".join((topology.folder / file).read_text() for service in services for file in service.files)
    values: dict[str, str] = {}
    if "{cert}" in words or "{key}" in words:
        from probe.lab.keys import write_tls

        names = topology.names
        addresses = sorted({address for each in names.values() for address in each}, key=lambda each: each.packed)
        values |= write_tls(
            folder, [f"{topology.name}.test", *(f"{name}.{topology.name}.test" for name in names)], addresses
        )
    if "ssh_key}" in words:
        from probe.lab.keys import write_ssh

        values |= write_ssh(folder)
    return values


class _Draft:
    """What all hosts of one plan have in common."""

    def __init__(
        self, topology: Topology, folder: Path, programs: dict[str, tools.Tool], values: dict[str, str]
    ) -> None:
        self._topology = topology
        self._folder = folder
        self._programs = programs
        self._values = values

    def host(self, name: str, host: HostSheet) -> Host:
        forward = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"} if host.router else {}
        return Host(
            name=name,
            sysctl=forward | host.sysctl,
            links=tuple(self._links(host)),
            routes=tuple(_routes(host)),
            rules=tuple(self._rules(file) for file in host.nft),
            daemons=tuple(self._daemon(name, service, host) for service in host.services),
        )

    def _links(self, host: HostSheet) -> Iterator[Link]:
        for network, addresses in host.links.items():
            lengths = [self._topology.prefix(network, address).prefixlen for address in addresses]
            yield Link(
                network, tuple(f"{address}/{length}" for address, length in zip(addresses, lengths, strict=True))
            )

    def _rules(self, file: str) -> Command:
        nft = self._programs["nft"]
        return Command(
            (nft.path, "-I", str(self._topology.folder), "-f", str(self._topology.folder / file)), nft.environment
        )

    def _daemon(self, host: str, name: str, sheet: HostSheet) -> Daemon:
        service = sheet.services[name]
        folder = str(self._folder / host / name)
        tool = self._programs[service.run[0]]
        values = self._values | {"run": folder}
        command = Command((tool.path, *(fill(word, values) for word in service.run[1:])), tool.environment)
        files = {Path(file).name: fill((self._topology.folder / file).read_text(), values) for file in service.files}
        return Daemon(name, command, folder, files, tuple(service.ready))


def _routes(host: HostSheet) -> Iterator[Route]:
    for destination, gateways in host.routes.items():
        for gateway in gateways:
            everywhere = "0.0.0.0/0" if gateway.version == 4 else "::/0"
            yield Route(everywhere if destination == DEFAULT else destination, str(gateway))
