"""The rules of the house: which room may know what, and how long a file may get. Checked on the syntax tree, so an
import hidden in a function or behind TYPE_CHECKING counts like any other. A violation is told as `file:line: what`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "probe").rglob("*.py"))
MOST_LINES = 400

PURE = ("core", "profile", "services", "judge", "report")
IMPURE = frozenset({"socket", "ssl", "asyncio", "subprocess", "threading", "time", "random", "scapy"})
FRONT = ("probe/run.py", "probe/cli/")  # who may open the door to the network


def forbidden(path: str) -> frozenset[str]:
    """The modules that this file must not import, nor anything below them."""
    room = path.split("/")[1]
    rules = IMPURE if room in PURE else frozenset[str]()
    return rules if path.startswith((*FRONT, "probe/net/")) else rules | {"probe.net"}


def imports(tree: ast.AST, path: str) -> Iterator[tuple[int, str]]:
    """Every (line, module) that the tree imports, at any depth; `from a import b` may mean the module `a.b` too."""
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import_call(node.func):
            yield from ((node.lineno, str(word.value)) for word in node.args if isinstance(word, ast.Constant))


def _is_import_call(function: ast.expr) -> bool:
    return getattr(function, "id", getattr(function, "attr", None)) in {"__import__", "import_module"}


def violations(path: str, source: str) -> list[str]:
    tree = ast.parse(source)
    found = [
        f"{path}:{line}: imports {module}"
        for line, module in imports(tree, path)
        if any(module == rule or module.startswith(f"{rule}.") for rule in forbidden(path))
    ]
    if not ast.get_docstring(tree):
        found.append(f"{path}:1: has no docstring")
    lines = len(source.splitlines())
    if lines > MOST_LINES:
        found.append(f"{path}:{lines}: longer than {MOST_LINES} lines")
    return found


def test_the_rooms_are_there() -> None:
    rooms = {path.split("/")[1] for path in FILES}
    assert {*PURE, "net", "lab", "cli", "model.py", "errors.py", "run.py"} <= rooms


@pytest.mark.parametrize("path", FILES)
def test_the_house_rules(path: str) -> None:
    found = violations(path, (ROOT / path).read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


TYPING_ONLY = '"""d"""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from asyncio import Event\n'


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("probe/core/x.py", '"""d"""\nimport socket', ["probe/core/x.py:2: imports socket"]),
        ("probe/core/x.py", '"""d"""\nimport numpy, time as t', ["probe/core/x.py:2: imports time"]),
        ("probe/judge/x.py", '"""d"""\nfrom asyncio.events import a', ["probe/judge/x.py:2: imports asyncio.events.a"]),
        ("probe/report/x.py", '"""d"""\ndef f():\n  import scapy.all', ["probe/report/x.py:3: imports scapy.all"]),
        ("probe/profile/x.py", TYPING_ONLY, ["probe/profile/x.py:4: imports asyncio.Event"]),
        ("probe/services/x.py", '"""d"""\n__import__("ssl")', ["probe/services/x.py:2: imports ssl"]),
        ("probe/lab/x.py", '"""d"""\nfrom probe import net', ["probe/lab/x.py:2: imports probe.net"]),
        ("probe/lab/x.py", '"""d"""\nfrom ..net import raw', ["probe/lab/x.py:2: imports probe.net.raw"]),
        ("probe/model.py", '"""d"""\nimport probe.net.raw', ["probe/model.py:2: imports probe.net.raw"]),
        ("probe/core/x.py", '"""d"""\nfrom probe.net.wire import W', ["probe/core/x.py:2: imports probe.net.wire.W"]),
        ("probe/lab/x.py", "x = 1", ["probe/lab/x.py:1: has no docstring"]),
        ("probe/lab/x.py", '"""d"""' + "\n" * 401, ["probe/lab/x.py:401: longer than 400 lines"]),
        ("probe/core/x.py", '"""d"""\nimport socketserver, timeit', []),
        ("probe/run.py", '"""d"""\nimport asyncio\nfrom probe.net.raw import open_wire', []),
        ("probe/cli/x.py", '"""d"""\nfrom probe.net import raw', []),
        ("probe/net/x.py", '"""d"""\nimport socket\nfrom probe.net import raw', []),
        ("probe/lab/x.py", '"""d"""\nimport socket\nimport probe.network', []),
    ],
)
def test_a_violation_is_caught_and_nothing_else(path: str, source: str, expected: list[str]) -> None:
    assert violations(path, source) == expected
