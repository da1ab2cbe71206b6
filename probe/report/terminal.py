"""How large the terminal is, asked of the stream that is written to: progress goes to standard error, and that is one
often enough where standard output is a pipe. (`shutil` asks standard output, and takes 6 ms to import.)"""

from __future__ import annotations

import os
from typing import TextIO

USUAL = (80, 24)


def size_of(stream: TextIO) -> os.terminal_size:
    """(columns, lines): COLUMNS and LINES where they are set (POSIX), then the terminal's word, then 80 x 24."""
    try:
        told = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # no terminal, or closed; io.UnsupportedOperation is both
        told = os.terminal_size(USUAL)
    columns, lines = _number("COLUMNS") or told.columns, _number("LINES") or told.lines
    return os.terminal_size((columns or USUAL[0], lines or USUAL[1]))


def _number(name: str) -> int:
    """A number from the environment, 0 where it is none."""
    text = os.environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
