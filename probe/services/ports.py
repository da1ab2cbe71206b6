"""The well-known-ports table: IANA's registry (`ports.tsv`, generated) under our overlay of what really runs there.

A name from here says what a number is registered for, never what answers on it. Loaded on first use, in milliseconds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

TRANSPORTS = {"t": "tcp", "u": "udp", "s": "sctp", "d": "dccp"}

_COMMON = """
7 9 13 17 19 20 21 22 23 25 26 37 43 49 53 70 79 80 81 82 83 84 85 88 102 106 110 111 113 119 135 137 139 143 161
179 199 389 427 443 444 445 464 465 500 502 512 513 514 515 543 544 548 554 587 593 623 631 636 646 783 853 873 902
990 992 993 995 1025 1026 1027 1080 1110 1194 1433 1434 1521 1720 1723 1883 1935 2000 2049 2082 2083 2086 2087 2095
2096 2181 2222 2375 2376 2379 2380 3000 3128 3268 3269 3306 3310 3389 3690 4000 4369 4443 4444 4786 4899 5000 5001
5044 5060 5061 5222 5269 5432 5555 5601 5666 5672 5800 5900 5901 5938 5984 5985 5986 6000 6001 6379 6432 6443 6667
6697 7000 7001 7070 7474 7687 8000 8006 8008 8009 8080 8081 8086 8088 8089 8123 8200 8291 8333 8443 8500 8554 8883
8888 8983 9000 9001 9042 9090 9092 9100 9200 9300 9418 9443 10000 10050 10250 11211 11434 15672 25565 27017 32400
49152 49153 49154 50000
"""
COMMON: tuple[int, ...] = tuple(map(int, _COMMON.split()))
"""TCP ports that are worth a first look: our own choice of what is commonly exposed, ascending."""


class Entry(NamedTuple):
    """One number of one transport under one name. `overlay` marks ours, unmarked entries are IANA's."""

    port: int
    transport: str
    name: str
    description: str = ""
    overlay: bool = False
    alias: bool = False


def numbers(name: str, transport: str = "tcp") -> tuple[int, ...]:
    """The port numbers that go by `name` (any case), ascending; empty if there are none."""
    return _numbers(transport).get(name.lower(), ())


def name_of(port: int, transport: str = "tcp") -> str | None:
    """The name of a number: ours where the overlay has one, else the one registered first."""
    return names(transport).get(port)


def suggest(name: str) -> str | None:
    """The table's name that is nearest to a mistyped one, or None. Slow (tens of milliseconds): for error messages."""
    from difflib import get_close_matches

    wanted = name.lower()
    near = {known for known in _numbers("tcp") if abs(len(known) - len(wanted)) <= 2}
    favourites = [known for known in sorted(near) if any(port in COMMON for port in numbers(known))]
    close = get_close_matches(wanted, favourites, n=1, cutoff=0.75) or get_close_matches(wanted, sorted(near), n=1)
    return close[0] if close else None


def search(query: str = "") -> list[Entry]:
    """Entries for a number (`22`), a range (`20-25`), or part of a name or description; everything for an empty query.

    A name that is the query comes first, then names that begin with it, names that contain it, descriptions.
    """
    text = query.strip().lower()
    first, dash, last = text.partition("-")
    if _is_number(first) and (not dash or _is_number(last)):
        return [entry for entry in _entries() if int(first) <= entry.port <= int(last or first)]
    ranked = [(_rank(entry, text), entry) for entry in _entries()]
    return [entry for rank, entry in sorted(ranked, key=lambda pair: pair[0]) if rank < 4]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _rank(entry: Entry, text: str) -> int:
    if entry.name == text:
        return 0
    if entry.name.startswith(text):
        return 1
    if text in entry.name:
        return 2
    return 3 if text in entry.description.lower() else 4


@cache
def names(transport: str) -> dict[int, str]:
    """`name_of` for every number that has one."""
    found: dict[int, str] = {}
    for first, last, alias, name in _of(transport):
        for port in () if alias else range(int(first), int(last or first) + 1):
            found.setdefault(port, name)
    return found


@cache
def _numbers(transport: str) -> dict[str, tuple[int, ...]]:
    """The numbers of each name, ascending."""
    numbers: dict[str, set[int]] = {}
    for first, last, _, name in _of(transport):
        numbers.setdefault(name, set()).update(range(int(first), int(last or first) + 1))
    return {name: tuple(sorted(ports)) for name, ports in numbers.items()}


def _of(transport: str) -> Iterator[tuple[str, str, str, str]]:
    """(first, last, ~ of an alias, name) of the lines of one transport, ours first.

    One expression finds them all: most runs want the name of a port or two, and cannot wait for 6,000 lines to be taken
    apart.
    """
    letters = "".join(letter for letter, name in TRANSPORTS.items() if name == transport) or "-"
    line = re.compile(rf"^([0-9]+)-?([0-9]*)\t\w*[{letters}]\w*\t(~?)([^\t]*)\t", re.MULTILINE)
    return (found for text, _ in _texts() for found in line.findall(text))


@cache
def _entries() -> tuple[Entry, ...]:
    """Every entry by number; ours before the registered ones of the same number."""
    entries = [
        Entry(port, TRANSPORTS[letter], name, text, ours, alias)
        for first, last, letters, name, text, ours, alias in _rows()
        for port in range(first, last + 1)
        for letter in letters
    ]
    return tuple(sorted(entries, key=lambda entry: (entry.port, entry.alias)))


def _rows() -> Iterator[tuple[int, int, str, str, str, bool, bool]]:
    """(first, last, transport letters, name, description, ours, alias) of each line, the overlay's first."""
    for whole, ours in _texts():
        for line in whole.splitlines():
            if not line.startswith("#"):
                ports, letters, name, text = line.split("\t")
                first, _, last = ports.partition("-")
                yield int(first), int(last or first), letters, name.lstrip("~"), text, ours, name.startswith("~")


def _texts() -> Iterator[tuple[str, bool]]:
    """Both files, and which is ours."""
    folder = os.path.dirname(__file__)
    for file, ours in (("overlay.tsv", True), ("ports.tsv", False)):
        with open(os.path.join(folder, file), encoding="utf-8") as lines:
            yield lines.read(), ours
