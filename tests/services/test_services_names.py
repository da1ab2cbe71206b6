"""The list of service names: what the matchers can say, what the README lists, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from probe.profile.words import SERVICE_ALIASES
from probe.services.names import NAMES
from tests.services.test_services_matchers import GREETINGS

ROOT = Path(__file__).resolve().parents[2]


def literals() -> Iterator[str]:
    """The first argument of every `Service("…")` and `named("…")` in the room."""
    for path in (ROOT / "probe/services").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"Service", "named"} and node.args:
                yield from (str(part.value) for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant))


def listed() -> set[str]:
    """What the README's table says, without the remarks in brackets."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("### Services that probe recognises")[1].split("\n\n")[2]
    cells = [re.sub(r"\([^)]*\)", "", row.split("|")[2]) for row in table.splitlines()[2:]]
    return {name.strip() for cell in cells for name in cell.split(",")}


def test_every_name_that_is_written_in_the_room_is_in_the_list() -> None:
    assert set(literals()) - {"None"} - NAMES == set()
    assert {service.name for _, service in GREETINGS} - {None} - NAMES == set()


def test_the_readme_lists_them_all() -> None:
    assert listed() == NAMES


def test_what_people_call_them_leads_to_a_name() -> None:
    assert set(SERVICE_ALIASES.values()) <= NAMES
    assert not set(SERVICE_ALIASES) & NAMES
