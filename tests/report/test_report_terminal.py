"""How wide a stream is: the environment's word, the terminal's, and 80 x 24 where nobody knows."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import termios

import pytest

from probe.report.terminal import USUAL, size_of


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)


def terminal(columns: int, lines: int) -> tuple[int, int]:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    return master, slave


@pytest.mark.parametrize(("columns", "lines"), [(132, 50), (20, 5)])
def test_a_terminal_is_asked_itself(columns: int, lines: int) -> None:
    master, slave = terminal(columns, lines)
    with open(master, "rb"), open(slave, "w") as stream:
        assert size_of(stream) == (columns, lines)


def test_a_terminal_that_does_not_know_is_the_usual_one() -> None:
    master, slave = terminal(0, 0)
    with open(master, "rb"), open(slave, "w") as stream:
        assert size_of(stream) == USUAL


def test_what_is_no_terminal_is_the_usual_one() -> None:
    closed = io.StringIO()
    closed.close()
    assert size_of(io.StringIO()) == USUAL
    assert size_of(closed) == USUAL


@pytest.mark.parametrize(
    ("columns", "expected"), [("100", 100), ("0", 80), ("", 80), ("wide", 80), ("-5", 80), ("²", 80), ("9" * 9, 80)]
)
def test_the_environment_has_the_first_word(columns: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", "10")
    assert size_of(io.StringIO()) == (expected, 10)
