"""The topology file's shape. What it may say is here; whether it makes sense as a whole is asked in `topology`.

A lab can only have addresses that are set aside for tests: 198.18.0.0/15 (RFC 2544) and fd18::/16 (RFC 4193).
"""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

ZONES = (IPv4Network("198.18.0.0/15"), IPv6Network("fd18::/16"))
DEFAULT = "default"


def _network(value: Any) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(_text(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not a network in CIDR form (like 198.18.1.0/24): {error}") from None
    if not any(network.version == zone.version and network.subnet_of(zone) for zone in ZONES):  # type: ignore[arg-type]
        raise ValueError(f"{value} is outside of what a lab may use ({' and '.join(map(str, ZONES))})")
    return network


def _address(value: Any) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(_text(value))
    except ValueError:
        raise ValueError(f"{value!r} is not an IPv4 or IPv6 address") from None
    if not any(address in zone for zone in ZONES):
        raise ValueError(f"{value} is outside of what a lab may use ({' and '.join(map(str, ZONES))})")
    return address


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text (put it in quotes)")
    return value


def _destination(value: Any) -> str:
    return value if value == DEFAULT else str(_network(value))


def _name(value: Any) -> str:
    # An interface bears its network's name, and the kernel allows 15 bytes (IFNAMSIZ).
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,14}", _text(value)):
        raise ValueError(f"{value!r} is no name for a lab (1-15 characters: a-z, 0-9, '-', a letter first)")
    return _text(value)


def _knob(value: Any) -> str:
    if not re.fullmatch(r"net(\.[a-z0-9_-]+)+", _text(value)):
        raise ValueError(f"{value!r} is no sysctl of a network (like net.ipv4.icmp_ratelimit)")
    return _text(value)


def _version(value: Any) -> int:
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"version {value!r} is not known here (write: version: 1)")
    return 1


def _setting(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a sysctl's value is a whole number or text")
    return str(value)


Address = Annotated[IPv4Address | IPv6Address, BeforeValidator(_address)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Name = Annotated[str, BeforeValidator(_name)]
Knob = Annotated[str, BeforeValidator(_knob)]
Setting = Annotated[str, BeforeValidator(_setting)]
Port = Annotated[int, Field(ge=1, le=65535)]
Word = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Service(_Strict):
    """A server. `files` are copied to its folder, filled in. It is up once each port in `ready` accepts."""

    run: Annotated[list[str], Field(min_length=1)]
    files: list[Word] = []
    ready: list[Port] = []


class Host(_Strict):
    links: Annotated[dict[Name, Annotated[list[Address], Field(min_length=1)]], Field(min_length=1)]
    routes: dict[Annotated[str, BeforeValidator(_destination)], Annotated[list[Address], Field(min_length=1)]] = {}
    router: bool = False
    nft: list[Word] = []
    sysctl: dict[Knob, Setting] = {}
    services: dict[Name, Service] = {}


class Sheet(_Strict):
    """A whole topology file."""

    version: Annotated[int, BeforeValidator(_version)]
    name: Name
    packages: dict[Word, Word] = {}
    networks: Annotated[dict[Name, Annotated[list[Network], Field(min_length=1)]], Field(min_length=1)]
    hosts: Annotated[dict[Name, Host], Field(min_length=1)]
