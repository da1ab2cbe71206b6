"""Progress on a terminal: what the line says, what stands above it, that it fits, and that nothing of it stays."""

from __future__ import annotations

import io
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import Conversation, Handshake, PortKey, Service
from probe.report.progress import Progress, line, progress_for
from tests.report.fake_screen import FakeScreen

HOST = IPv4Address("198.18.1.10")
SSH, WEB = PortKey(HOST, "tcp", 22), PortKey(HOST, "tcp", 80)
GREETED = Conversation(Handshake.ANSWERED, Service("ssh", "OpenSSH"))


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
        (100, 30.0, 20.0, "0 s left"),
        (1, 10.0, 9999.0, "2:46 h left"),
        (1, 0.1, 9999.0, "1:40 min left"),
    ],
)
def test_time_left(sent: int, elapsed: float, deadline: float, left: str) -> None:
    assert f"  {left}  " in line(sent, 1000, 0, elapsed, deadline, None, 120)


@pytest.mark.parametrize(
    ("sent", "talking", "told"),
    [
        (1000, 0, "100%  waiting for the last answers  1000/1000 sent  5 answers"),
        (1000, 1, "100%  1 handshake under way  1000/1000 sent  5 answers"),
        (500, 12, " 50%  10 s left  12 handshakes under way  500/1000 sent  5 answers  50/s"),
    ],
)
def test_what_is_waited_for(sent: int, talking: int, told: str) -> None:
    """The deadline is far away: nobody wants to hear of it once everything was sent."""
    assert line(sent, 1000, 5, 10.0, 200.0, None, 200, talking).partition("] ")[2] == told


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.floats(0, 10**6),
    st.floats(0, 10**6),
    st.none() | st.floats(0, 1),
    st.integers(0, 200),
    st.integers(0, 10**6),
)
def test_it_always_fits(
    sent: int,
    total: int,
    received: int,
    elapsed: float,
    deadline: float,
    loss: float | None,
    columns: int,
    talking: int,
) -> None:
    text = line(sent, total, received, elapsed, deadline, loss, columns, talking)
    assert len(text) <= columns
    assert text.isprintable()


def test_it_is_drawn_ten_times_a_second_at_most() -> None:
    stream = FakeScreen(80, 24)
    progress = Progress(stream, size=lambda: (80, 24))
    for tick in range(1000):
        progress.update(tick, 1000, 0, tick / 1000, 9.0)
    assert stream.getvalue().count("\r") == 10


def test_what_was_found_stands_above_the_line() -> None:
    screen = FakeScreen(80, 24)
    progress = Progress(screen, size=lambda: screen.size)
    progress.opened([SSH, WEB], asked=True)
    assert screen.rows == [""]  # nothing is drawn before there is a line
    progress.update(1, 2, 0, 1.0, 9.0)
    assert screen.rows[:-1] == ["198.18.1.10", "     22  ...", "     80  ..."]
    progress.told(SSH, GREETED)
    progress.tick(1.05)
    assert screen.rows[1] == "     22  ..."
    progress.tick(1.1)
    assert screen.rows[:-1] == ["198.18.1.10", "     22  ssh OpenSSH", "     80  ..."]
    assert "1 handshake under way" in screen.rows[-1]
    progress.clear()
    assert screen.rows == [""]


def test_what_was_found_is_forgotten_with_the_run() -> None:
    """`--until` runs again and again with one progress."""
    screen = FakeScreen(80, 24)
    progress = Progress(screen, size=lambda: screen.size)
    progress.opened([SSH], asked=True)
    progress.update(1, 2, 0, 1.0, 9.0)
    progress.clear()
    progress.tick(2.0)
    assert screen.rows == [""]
    progress.update(1, 2, 0, 0.0, 9.0)
    assert len(screen.rows) == 1


@pytest.mark.parametrize(("lines", "shown"), [(1, 0), (3, 0), (4, 1), (10, 4), (24, 11), (200, 20)])
def test_it_takes_half_of_a_terminal_at_most(lines: int, shown: int) -> None:
    screen = FakeScreen(80, lines)
    progress = Progress(screen, size=lambda: screen.size)
    progress.opened([PortKey(HOST, "tcp", port) for port in range(1, 100)], asked=False)
    progress.update(1, 2, 0, 1.0, 9.0)
    assert len(screen.rows) == shown + 1


steps = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(1, 40)),
        st.tuples(st.just("told"), st.integers(1, 40), st.binary(max_size=100)),
        st.tuples(st.just("say"), st.sampled_from(["path is policed", "a wire was given up"])),
        st.tuples(st.just("draw"), st.integers(0, 100)),
    ),
    max_size=40,
)


@given(steps, st.integers(30, 100), st.integers(1, 40))
def test_only_what_was_said_stays(steps: list[tuple[Any, ...]], columns: int, lines: int) -> None:
    """The screen refuses what would wrap, and every sequence but the few that move and erase."""
    screen, said = FakeScreen(columns, lines), []
    progress = Progress(screen, size=lambda: screen.size)
    for elapsed, (step, *about) in enumerate(steps):
        if step == "open":
            progress.opened([PortKey(HOST, "tcp", about[0])], asked=True)
        elif step == "told":
            progress.told(PortKey(HOST, "tcp", about[0]), Conversation(Handshake.ANSWERED, None, about[1]))
        elif step == "say":
            said.append(about[0])
            progress.say(about[0])
        else:
            progress.update(about[0], 100, 0, float(elapsed), 9.0)
        assert screen.rows[: len(said)] == said
        assert len(screen.rows) <= len(said) + max(lines // 2, 1)
    progress.clear()
    assert screen.rows == [*said, ""]


def test_what_moved_with_the_edge_of_the_terminal_is_left_alone() -> None:
    """Only the terminal knows where our lines are after it was made narrower; above them may be somebody else's."""
    screen = FakeScreen(80, 24)
    progress = Progress(screen, size=lambda: screen.size)
    progress.opened([SSH], asked=True)
    progress.update(1, 2, 0, 1.0, 9.0)
    screen.size = (60, 24)
    progress.update(1, 2, 0, 2.0, 9.0)
    assert screen.rows[:4] == ["198.18.1.10", "     22  ...", "198.18.1.10", "     22  ..."]
    progress.clear()
    assert screen.rows == ["198.18.1.10", "     22  ...", ""]


def test_the_size_is_that_of_the_stream() -> None:
    """Two lines where nobody knows better: half of 24 is enough for them."""
    stream = io.StringIO()
    progress = Progress(stream)
    progress.opened([SSH], asked=True)
    progress.update(1, 2, 0, 1.0, 9.0)
    assert stream.getvalue().count("\n") == 2


def test_only_on_a_terminal_that_can_erase(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(stream: io.StringIO, wanted: bool = True) -> str:
        progress_for(stream, wanted=wanted).update(1, 2, 0, 1.0, 9.0)
        return stream.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    assert drawn(FakeScreen(80, 24))
    assert drawn(FakeScreen(80, 24), wanted=False) == ""
    assert drawn(io.StringIO()) == ""
    monkeypatch.setenv("TERM", "dumb")
    assert drawn(FakeScreen(80, 24)) == ""


def test_a_warning_is_written_without_a_terminal_too() -> None:
    stream = io.StringIO()
    progress_for(stream).say("connect scan: no raw sockets here")
    assert stream.getvalue() == "connect scan: no raw sockets here\n"


def test_a_terminal_that_went_away_does_not_end_the_scan() -> None:
    stream = FakeScreen(80, 24)
    progress = Progress(stream, size=lambda: (80, 24))
    stream.close()
    progress.opened([SSH], asked=True)
    progress.update(1, 2, 0, 1.0, 9.0)
    progress.update(2, 2, 0, 2.0, 9.0)
    progress.clear()
