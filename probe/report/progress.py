"""One line on the terminal that tells how far the scan is. Written by hand: it must cost nothing.

The line is drawn over itself with CR and never ends in a newline, so `clear` leaves the terminal as it was. There is no
clock in here: whoever feeds it says how much time has passed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

from probe.report.terminal import size_of

_REDRAW_S = 0.1
_BAR = 24
_ERASE = "\r\x1b[K"


class Progress:
    """Feed `update` as often as you like: it draws at most ten times per second. `enabled=False` draws nothing."""

    def __init__(self, stream: TextIO, *, enabled: bool = True, columns: Callable[[], int] | None = None) -> None:
        self._stream = stream
        self._enabled = enabled
        self._columns = columns or (lambda: size_of(stream).columns)
        self._drawn_at: float | None = None
        self._line = ""

    def update(
        self, sent: int, total: int, received: int, elapsed: float, deadline: float, loss: float | None = None
    ) -> None:
        """`elapsed` and `deadline` are seconds since the start; `loss` is the estimated share lost, 0 to 1."""
        if not self._enabled or (self._drawn_at is not None and 0 <= elapsed - self._drawn_at < _REDRAW_S):
            return
        self._drawn_at = elapsed
        # One column stays free: a full line would wrap on some terminals.
        self._draw(line(sent, total, received, elapsed, deadline, loss, self._columns() - 1))

    def say(self, message: str) -> None:
        """A line that stays (a warning), above the bar. Written without the bar too."""
        self._put((_ERASE if self._line else "") + message + "\n" + self._line)

    def clear(self) -> None:
        """Take the bar away, before anything else is written to the terminal."""
        if self._line:
            self._put(_ERASE)
            self._line = ""
            self._drawn_at = None

    def _draw(self, text: str) -> None:
        if text != self._line:
            self._line = text
            self._put(_ERASE + text)

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # A terminal that went away must not end the scan.
            self._enabled = False


def progress_for(stream: TextIO, *, wanted: bool = True) -> Progress:
    """A progress line if `stream` is a terminal that can erase a line, else one that stays silent."""
    able = stream.isatty() and os.environ.get("TERM") != "dumb"
    return Progress(stream, enabled=wanted and able)


def line(
    sent: int, total: int, received: int, elapsed: float, deadline: float, loss: float | None, columns: int
) -> str:
    """The line, at most `columns` wide: what does not fit is left out from the right, the bar first."""
    done = min(sent / total, 1.0) if total > 0 else 0.0
    rate = sent / elapsed if elapsed > 0 else 0.0
    parts = [f"{done:4.0%}", f"{sent}/{total} sent", f"{received} answers", f"{rate:.0f}/s"]
    parts += [f"{loss:.1%} lost"] if loss is not None else []
    parts.insert(1, f"{_duration(_left(sent, total, rate, elapsed, deadline))} left")
    text = "  ".join(parts)
    if len(text) + _BAR + 3 <= columns:
        return f"[{'#' * round(done * _BAR):.<{_BAR}}] {text}"
    while len(text) > columns and len(parts) > 1:
        parts.pop()
        text = "  ".join(parts)
    return text[: max(columns, 0)]


def _left(sent: int, total: int, rate: float, elapsed: float, deadline: float) -> float:
    """Seconds that remain: what the rate promises, and never more than the deadline allows."""
    allowed = max(deadline - elapsed, 0.0)
    return min((total - sent) / rate, allowed) if 0 < sent < total and rate > 0 else allowed


def _duration(seconds: float) -> str:
    whole = int(seconds + 0.999)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
