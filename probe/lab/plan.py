"""What a lab is built from: a topology with every path, address and command worked out. Plain data, sent as JSON.

The process that builds a lab imports neither pydantic nor YAML; it reads this.
"""

from __future__ import annotations

from msgspec import Struct, json


class Link(Struct, frozen=True):
    """A host's place in a network. The interface bears the network's name; addresses are like `198.18.1.10/24`."""

    network: str
    addresses: tuple[str, ...]


class Route(Struct, frozen=True):
    """`to` is a prefix; `0.0.0.0/0` and `::/0` are the defaults."""

    to: str
    via: str


class Command(Struct, frozen=True):
    """A program by absolute path, its arguments, and the environment that it gets, which is all of it."""

    argv: tuple[str, ...]
    env: dict[str, str]


class Daemon(Struct, frozen=True):
    """A server: `folder` is its own, new one, with `files` in it; it is up once each port in `ready` accepts."""

    name: str
    command: Command
    folder: str
    files: dict[str, str]
    ready: tuple[int, ...]


class Host(Struct, frozen=True):
    name: str
    sysctl: dict[str, str]
    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    rules: tuple[Command, ...]
    daemons: tuple[Daemon, ...]


class Plan(Struct, frozen=True):
    id: str
    name: str
    path: str
    detached: bool
    hosts: tuple[Host, ...]

    def dumps(self) -> str:
        return json.encode(self).decode()


def loads(text: str | bytes) -> Plan:
    """The inverse of `Plan.dumps`."""
    return json.decode(text, type=Plan)
