"""What a scripted host answers, as the corpus writes it down, read strictly into steps.

    80: open | closed | silent | [{tcp: RA, ack: 1000}, {tcp: SA, after: 50ms}, {icmp: admin-prohibited, tries: 1}]

`lab/cases/README.md` explains every key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tests.cases.packets import FLAGS

# (IPv4, IPv6) of RFC 792, RFC 1812 section 5.2.7.1 and RFC 4443 section 3; None where a family has no such error.
ICMP_ERRORS: dict[str, tuple[tuple[int, int] | None, tuple[int, int] | None]] = {
    "net-unreach": ((3, 0), (1, 0)),
    "host-unreach": ((3, 1), (1, 3)),
    "proto-unreach": ((3, 2), None),
    "port-unreach": ((3, 3), (1, 4)),
    "too-big": ((3, 4), (2, 0)),
    "net-prohibited": ((3, 9), (1, 6)),
    "host-prohibited": ((3, 10), None),
    "admin-prohibited": ((3, 13), (1, 1)),
    "source-quench": ((4, 0), None),
    "redirect": ((5, 1), None),
    "time-exceeded": ((11, 0), (3, 0)),
    "parameter-problem": ((12, 0), (4, 0)),
}

# Who a packet comes from: the probed host, a router beyond it, or the address next to the host's.
SOURCES = ("host", "router", "neighbour")


class CaseError(ValueError):
    """The corpus says something that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Quote:
    """How the packet that an ICMP error quotes differs from ours: numbers are added, `bytes` cuts it short."""

    seq: int = 0
    sport: int = 0
    dport: int = 0
    bytes: int | None = None
    pad: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One answer to a SYN: `tcp` flags or an `icmp` error, `after` seconds, on the given `tries` of a tuple."""

    tcp: str = ""
    icmp: str = ""
    after: float = 0.0
    times: int = 1
    tries: tuple[int, ...] = ()
    source: str = ""
    ttl: int = 64
    tos: int | None = None
    bad_checksum: bool = False
    cuts: tuple[tuple[int, int], ...] = ()
    ip_options: bytes = b""
    extension: bytes = b""
    trailer: int = 0
    # TCP only. `ack` is added to the right one (our number + 1); `zero_ack` puts a zero there.
    ack: int = 0
    zero_ack: bool = False
    port: int = 0
    seq: int | None = None
    window: int = 65160
    options: bytes | None = None
    words: int | None = None
    timestamp: int = 0
    payload: int = 0
    # ICMP only.
    quote: Quote = field(default=Quote())


@dataclass(frozen=True, slots=True)
class Host:
    """All that a scripted host does: steps by port, `any_port` for the others, and how fast it can answer."""

    ports: Mapping[int, tuple[Step, ...]]
    any_port: tuple[Step, ...] = ()
    answers_per_second: float | None = None


WORDS: dict[str, tuple[Step, ...]] = {"open": (Step(tcp="SA"),), "closed": (Step(tcp="RA"),), "silent": ()}
_HOST_WORDS = {"any", "answers_per_second"}


def read_host(data: Mapping[Any, Any]) -> Host:
    """Raises CaseError."""
    ports = {port: read_steps(steps) for key, steps in data.items() if key not in _HOST_WORDS for port in span(key)}
    pace = data.get("answers_per_second")
    return Host(ports, read_steps(data.get("any", "silent")), None if pace is None else float(pace))


def span(key: int | str) -> range:
    """`80` or `1000-1099`."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", str(key))
    if not match or not 0 < int(match[1]) <= int(match[2] or match[1]) < 65536:
        raise CaseError(f"{key!r} is neither a port nor a range of ports")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def seconds(text: Any) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", str(text))
    if not match:
        raise CaseError(f"{text!r} is no time (50ms, 1.5s)")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def read_steps(data: Any) -> tuple[Step, ...]:
    if isinstance(data, str) and data in WORDS:
        return WORDS[data]
    if not isinstance(data, list):
        raise CaseError(f"{data!r} is neither a list of steps nor one of {', '.join(WORDS)}")
    return tuple(_step(each) for each in data)


def _step(data: Mapping[str, Any]) -> Step:
    known = {each.name for each in fields(Step)}
    if unknown := set(data) - known:
        raise CaseError(f"unknown keys {sorted(unknown)} in a step")
    step = Step(**{key: _READERS[key](value) if key in _READERS else value for key, value in data.items()})
    if bool(step.tcp) == bool(step.icmp):
        raise CaseError(f"a step sends either tcp or icmp: {data}")
    return step


def _flags(value: str) -> str:
    if set(value) - set(FLAGS):
        raise CaseError(f"{value!r}: flags are letters of {''.join(FLAGS)}")
    return value


def _error(value: str) -> str:
    if value not in ICMP_ERRORS:
        raise CaseError(f"{value!r} is none of {', '.join(ICMP_ERRORS)}")
    return value


def _numbers(value: int | list[int]) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _cuts(value: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in value)


def _source(value: str) -> str:
    if value not in SOURCES:
        raise CaseError(f"{value!r}: a source is one of {', '.join(SOURCES)}")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "tcp": _flags,
    "icmp": _error,
    "after": seconds,
    "tries": _numbers,
    "source": _source,
    "cuts": _cuts,
    "ip_options": bytes.fromhex,
    "extension": bytes.fromhex,
    "options": bytes.fromhex,
    "quote": lambda value: Quote(**value),
}


def all_steps(host: Host) -> Iterator[Step]:
    yield from host.any_port
    for steps in host.ports.values():
        yield from steps
