"""Answers of servers, each with what it must be taken for: captured ones from `real_answers.txt`, and built ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from probe.model import Service
from probe.services.text import unescape
from tests.services.built_answers import WEB
from tests.services.built_frames import FRAMES
from tests.services.built_words import WORDS

Answer = tuple[bytes, Service]
_FILE = Path(__file__).with_name("real_answers.txt")


def _blocks() -> Iterator[tuple[str, bytes]]:
    """(what it must be taken for, the bytes) of each `==` block."""
    for block in _FILE.read_text(encoding="utf-8").split("\n== ")[1:]:
        _, taken_for, *lines = block.splitlines()
        text = "".join(line[2:-1] for line in lines if line.startswith("  ") and line.endswith("¶"))
        yield taken_for, unescape(text)


def _service(text: str) -> Service:
    name, product, version, info = (None if part == "-" else part for part in text.split(" | "))
    return Service(name, product, version, info)


REAL: list[Answer] = [(data, _service(text)) for text, data in _blocks()]
BUILT: list[Answer] = [*WORDS, *FRAMES, *WEB]
ANSWERS: list[Answer] = [*REAL, *BUILT]
