"""Port expressions: `22`, `1-1024`, `https-alt`, `well-known`, `common`, `all`, and lists of them with commas.

Digits are ASCII's. A number has no leading zero, a range has both ends in order, a name is one that the
well-known-ports table knows: an expression that could mean two things means none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from probe.profile.words import quoted

HIGHEST = 65535
_NUMBER = re.compile(r"[0-9]+")
_RANGE = re.compile(r"([0-9]+)\s*-\s*([0-9]+)")
_NAME = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.+/*-]*")


class PortError(ValueError):
    """A port expression that cannot be understood; its text says why and what was meant."""


def parse_ports(text: str) -> tuple[int, ...]:
    """The ports that an expression names, sorted, each once, never empty. Raises PortError."""
    ports: set[int] = set()
    for item in text.split(","):
        ports.update(_item(item.strip(" ")))
    return tuple(sorted(ports))


def format_ports(ports: Iterable[int], limit: int = 0) -> str:
    """The shortest expression that `parse_ports` turns into `ports`; with a limit, `…` stands for what is beyond."""
    runs: list[list[int]] = []
    for port in sorted(set(ports)):
        if runs and port == runs[-1][1] + 1:
            runs[-1][1] = port
        else:
            runs.append([port, port])
    shown = [f"{first}-{last}" if last > first else str(first) for first, last in runs]
    return ",".join([*shown[:limit], "…"] if limit and len(shown) > limit else shown)


def _item(text: str) -> Iterable[int]:
    if _NUMBER.fullmatch(text):
        return (_number(text),)
    if match := _RANGE.fullmatch(text):
        return _range(_number(match[1]), _number(match[2]))
    if text.lower() in _GROUPS:
        return _GROUPS[text.lower()]()
    if _NAME.fullmatch(text):
        return _named(text)
    raise PortError(_complaint(text))


def _number(text: str) -> int:
    if len(text) > 1 and text[0] == "0" and text.strip("0"):
        raise PortError(f"port {quoted(text)} has a leading zero (write {text.lstrip('0')[:20]})")
    if len(text) > 5 or not 1 <= int(text) <= HIGHEST:
        raise PortError(f"port {text[:20]} is out of range (ports are 1 to {HIGHEST})")
    return int(text)


def _range(first: int, last: int) -> range:
    if first > last:
        raise PortError(f"the range {first}-{last} is reversed (did you mean {last}-{first}?)")
    return range(first, last + 1)


def _named(text: str) -> tuple[int, ...]:
    from probe.services import ports as table

    found = table.numbers(text.lower())
    if found:
        return found
    near = table.suggest(text.lower()) or next((group for group in _GROUPS if group.startswith(text.lower()[:3])), None)
    hint = f" (did you mean {near!r}?)" if near else " (write the number)"
    raise PortError(f"no port is called {quoted(text)}{hint}")


def _common() -> tuple[int, ...]:
    from probe.services import ports as table

    return table.COMMON


_GROUPS: dict[str, Callable[[], Iterable[int]]] = {
    "well-known": lambda: range(1, 1024),
    "common": _common,
    "all": lambda: range(1, HIGHEST + 1),
}


def _complaint(text: str) -> str:
    if not text:
        return "a port is missing (empty text, or a comma too many)"
    if not text.isascii():
        return f"{quoted(text)} is no port (only the digits 0-9 and the letters a-z count)"
    if text.strip("0123456789- ") == "":
        return f"{quoted(text)} is no port range (write both ends, such as 1-1024, or 'all')"
    if ":" in text:
        return f"{quoted(text)} is no port (a range is written with '-': {quoted(text.replace(':', '-'))})"
    return f"{quoted(text)} is no port (write a number, a range such as 1-1024, or a name such as 'https-alt')"
