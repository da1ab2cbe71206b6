"""One value of the profile at a time: what YAML holds -> what it means, or a ValueError that says what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable

from probe.model import AddressSpec, Keep
from probe.profile.ports import PortError, parse_ports
from probe.profile.targets import TargetError, parse_address, parse_target
from probe.profile.words import FORMATS, MEETINGS, SERVICE_ALIASES, meant, quoted
from probe.services.names import NAMES

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
SERVICE = r"[a-z][a-z0-9.+-]{0,39}"
DURATION = r"([0-9]{1,9}(\.[0-9]{1,9})?) ?(ms|s)"
KEEP = r"(([1-9][0-9]{0,4})d|([1-9][0-9]{0,8}))"
SHORTEST, LONGEST = 0.01, 60.0


def shown(value: object) -> str:
    """A value as a message names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}"
    return "a list" if isinstance(value, list) else "'key: value' lines"


def version(value: object) -> int:
    """The one version there is; `true` and `1.0` equal it in Python, and are not it."""
    if type(value) is not int or value != 1:
        raise ValueError(f"'version' must be 1, not {shown(value)}")
    return value


def word(value: object) -> str:
    """Text, or a complaint about what stands there instead."""
    if not isinstance(value, str):
        raise ValueError(f"expected a word, not {shown(value)}")
    return value


def name(value: object) -> str:
    """A word that is safe in a file name and in a table."""
    if not isinstance(value, str):
        raise ValueError(f"a name must be text, not {shown(value)} (put it in quotes)")
    if not re.fullmatch(NAME, value):
        raise ValueError(f"{quoted(value)} is no name (up to 64 of A-Z a-z 0-9 . _ - and a letter or digit first)")
    return value


def path(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        raise ValueError(f"expected a path, not {shown(value)}")
    return value


def ports(value: object) -> tuple[int, ...]:
    """The ports to scan that one item names."""
    if value == "rest":
        raise PortError("'rest' belongs to 'expect' (to scan every port write 'all')")
    if isinstance(value, str | int) and not isinstance(value, bool):
        return parse_ports(str(value))
    raise PortError(f"expected a port, not {shown(value)}")


def expected_ports(value: object) -> tuple[int, ...] | None:
    """The same in an expectation; None is `rest`."""
    return None if value == "rest" else ports(value)


def one_port(value: object) -> int:
    found = ports(value)
    if len(found) != 1:
        raise PortError(f"{quoted(value)} is {len(found)} ports (a service has one home: write its number)")
    return found[0]


def _address_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TargetError(f"expected an address or a host name, not {shown(value)}")
    return str(value)


def target(value: object) -> AddressSpec:
    return parse_target(_address_text(value))


def excluded(value: object) -> AddressSpec:
    return parse_address(_address_text(value))


def in_scope(value: object) -> AddressSpec:
    spec = parse_address(_address_text(value))
    if spec.host is not None:
        raise TargetError(f"{quoted(spec.text)} is a name; scope takes addresses, so that no name server can widen it")
    return spec


def seconds(value: object) -> float:
    """A duration in seconds: `1s`, `300ms`, or a number of seconds."""
    match = re.fullmatch(DURATION, value) if isinstance(value, str) else None
    if match:
        found = float(match[1]) / (1000 if match[3] == "ms" else 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    else:
        given = quoted(value) if isinstance(value, str) else shown(value)
        raise ValueError(f"{given} is no duration (write seconds, such as 1.5, or with a unit: 1s, 300ms)")
    if not SHORTEST <= found <= LONGEST:
        raise ValueError(f"a timeout of {value} is out of range (10ms to 60s)")
    return found


def keep(value: object) -> Keep:
    """How much history stays: a number of runs, or of days (`90d`)."""
    if type(value) is int and value >= 1:
        return Keep(runs=value)
    match = re.fullmatch(KEEP, value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"expected a number of runs (50) or of days (90d), not {shown(value)}")
    return Keep(days=int(match[2])) if match[2] else Keep(runs=int(match[3]))


def baseline(value: object) -> str:
    """The name of a run, or the path of a jsonl file."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"expected a run (such as last) or a jsonl file, not {shown(value)}")
    return value


def only(choice: str) -> Callable[[object], str]:
    """The one word that may stand here."""

    def check(value: object) -> str:
        if word(value) != choice:
            raise ValueError(f"unknown word {quoted(value)} (it can only be {choice!r})")
        return choice

    return check


def verdict_word(value: object) -> str:
    given = word(value)
    if given not in MEETINGS:
        raise ValueError(f"unknown word {quoted(given)}{meant(given, MEETINGS)}")
    return given


def result_format(value: object) -> str:
    given = word(value)
    if given not in FORMATS:
        raise ValueError(f"unknown format {quoted(given)}{meant(given, FORMATS)}")
    return given


def service(value: object) -> str:
    """The name of a service that probe can recognise; of others nobody could say that they are at home."""
    given = word(value)
    lower = given.lower()
    if lower in {"tls", "ssl"}:
        raise ValueError(f"{quoted(given)} is a layer, not a service (name what speaks inside it, such as 'http')")
    if lower in SERVICE_ALIASES:
        raise ValueError(f"no service identifies itself as {quoted(given)} (did you mean {SERVICE_ALIASES[lower]!r}?)")
    if not re.fullmatch(SERVICE, given):
        hint = f" (did you mean {lower!r}?)" if re.fullmatch(SERVICE, lower) else ""
        raise ValueError(f"{quoted(given)} is no service name (lower-case letters, digits, . + -){hint}")
    if given not in NAMES:
        raise ValueError(f"no service that probe recognises is called {quoted(given)}{meant(given, sorted(NAMES))}")
    return given
