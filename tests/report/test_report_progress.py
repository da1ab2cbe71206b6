"""The progress line: what it says, that it fits, and that nothing of it stays."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.report.progress import Progress, line, progress_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line() -> None:
    assert line(1536, 3072, 12, 2.0, 9.0, 0.012, 120) == (
        "[############............]  50%  2 s left  1536/3072 sent  12 answers  768/s  1.2% lost"
    )


def test_without_an_estimate_of_loss() -> None:
    assert "lost" not in line(1, 2, 0, 1.0, 9.0, None, 120)


@pytest.mark.parametrize(
    "sent,elapsed,deadline,left",
    [
        (0, 0.0, 30.0, "30 s left"),  # nothing known yet: the deadline
        (100, 1.0, 30.0, "9 s left"),  # the rate promises an end
        (100, 1.0, 5.0, "4 s left"),  # the deadline comes first
        (1000, 5.0, 6.0, "1 s left"),  # all sent: the last answers
        (100, 30.0, 20.0, "0 s left"),
        (1, 10.0, 9999.0, "2:46 h left"),
        (1, 0.1, 9999.0, "1:40 min left"),
    ],
)
def test_time_left(sent: int, elapsed: float, deadline: float, left: str) -> None:
    assert f"  {left}  " in line(sent, 1000, 0, elapsed, deadline, None, 120)


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.floats(0, 10**6),
    st.floats(0, 10**6),
    st.none() | st.floats(0, 1),
    st.integers(0, 200),
)
def test_it_always_fits(
    sent: int, total: int, received: int, elapsed: float, deadline: float, loss: float | None, columns: int
) -> None:
    text = line(sent, total, received, elapsed, deadline, loss, columns)
    assert len(text) <= columns
    assert text.isprintable()


def test_it_is_drawn_ten_times_a_second_at_most() -> None:
    stream = Terminal()
    progress = Progress(stream, columns=lambda: 80)
    for tick in range(1000):
        progress.update(tick, 1000, 0, tick / 1000, 9.0)
    assert stream.getvalue().count("\r") == 10


def test_nothing_of_it_stays() -> None:
    stream = Terminal()
    progress = Progress(stream, columns=lambda: 80)
    progress.clear()
    assert stream.getvalue() == ""
    progress.update(1, 2, 0, 1.0, 9.0)
    progress.clear()
    progress.clear()
    assert stream.getvalue().endswith("\r\x1b[K")
    assert stream.getvalue().count("\x1b[K") == 2
    assert "\n" not in stream.getvalue()


def test_a_warning_stays_above_the_line() -> None:
    stream = Terminal()
    progress = Progress(stream, columns=lambda: 80)
    progress.update(1, 2, 0, 1.0, 9.0)
    drawn = stream.getvalue().removeprefix("\r\x1b[K")
    progress.say("path is policed")
    assert stream.getvalue().endswith(f"\r\x1b[Kpath is policed\n{drawn}")


def test_only_on_a_terminal_that_can_erase(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(stream: io.StringIO, wanted: bool = True) -> str:
        progress_for(stream, wanted=wanted).update(1, 2, 0, 1.0, 9.0)
        return stream.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    assert drawn(Terminal())
    assert drawn(Terminal(), wanted=False) == ""
    assert drawn(io.StringIO()) == ""
    monkeypatch.setenv("TERM", "dumb")
    assert drawn(Terminal()) == ""


def test_a_warning_is_written_without_a_terminal_too() -> None:
    stream = io.StringIO()
    progress_for(stream).say("connect scan: no raw sockets here")
    assert stream.getvalue() == "connect scan: no raw sockets here\n"


def test_a_terminal_that_went_away_does_not_end_the_scan() -> None:
    stream = Terminal()
    progress = Progress(stream, columns=lambda: 80)
    stream.close()
    progress.update(1, 2, 0, 1.0, 9.0)
    progress.update(2, 2, 0, 2.0, 9.0)
    progress.clear()
