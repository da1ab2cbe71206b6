"""What a lab is built from: a topology with every path, address and command worked out. Plain data, sent as JSON.

The process that builds a lab imports neither pydantic nor YAML; it reads this.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Link:
    """A host's place in a network. The interface bears the network's name; addresses are like `198.18.1.10/24`."""

    network: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """`to` is a prefix; `0.0.0.0/0` and `::/0` are the defaults."""

    to: str
    via: str


@dataclass(frozen=True, slots=True)
class Command:
    """A program by absolute path, its arguments, and the environment that it gets, which is all of it."""

    argv: tuple[str, ...]
    env: dict[str, str]


@dataclass(frozen=True, slots=True)
class Daemon:
    """A server: `folder` is its own, new one, with `files` in it; it is up once each port in `ready` accepts."""

    name: str
    command: Command
    folder: str
    files: dict[str, str]
    ready: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    sysctl: dict[str, str]
    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    rules: tuple[Command, ...]
    daemons: tuple[Daemon, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    id: str
    name: str
    path: str
    detached: bool
    hosts: tuple[Host, ...]

    def dumps(self) -> str:
        return json.dumps(asdict(self))


def loads(text: str | bytes) -> Plan:
    """The inverse of `Plan.dumps`."""
    data = json.loads(text)
    return Plan(**{**data, "hosts": tuple(map(_host, data["hosts"]))})


def _host(data: dict[str, Any]) -> Host:
    return Host(
        name=data["name"],
        sysctl=data["sysctl"],
        links=tuple(Link(link["network"], tuple(link["addresses"])) for link in data["links"]),
        routes=tuple(Route(**route) for route in data["routes"]),
        rules=tuple(map(_command, data["rules"])),
        daemons=tuple(map(_daemon, data["daemons"])),
    )


def _command(data: dict[str, Any]) -> Command:
    return Command(tuple(data["argv"]), data["env"])


def _daemon(data: dict[str, Any]) -> Daemon:
    return Daemon(data["name"], _command(data["command"]), data["folder"], data["files"], tuple(data["ready"]))
