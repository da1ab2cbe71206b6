"""What people see of a scan under way: the open ports that were found so far, and below them how far it is.

Written by hand: it must cost nothing. The block is drawn over itself, line by line, and its last line never ends in a
newline, so `clear` leaves the terminal as it was. There is no clock in here: whoever feeds it says how much time has
passed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO

from probe.report.live import Live
from probe.report.terminal import size_of

if TYPE_CHECKING:
    from probe.model import Conversation, PortKey

_REDRAW_S = 0.1
_BAR = 24
_MOST_LINES = 20
_NOT_STARTED = (0, 0, 0, 0.0, None)
Numbers = tuple[int, int, int, float, float | None]  # sent, total, received, deadline, loss


class Progress:
    """Feed it as often as you like: it draws at most ten times per second. `enabled=False` draws nothing.

    `size` gives columns and lines of the terminal, asked anew for each drawing; `stream` knows them by default.
    """

    def __init__(
        self, stream: TextIO, *, enabled: bool = True, size: Callable[[], tuple[int, int]] | None = None
    ) -> None:
        self._stream = stream
        self._size = size or (lambda: size_of(stream))
        self.enabled = enabled
        self._forget()

    def _forget(self) -> None:
        self._live = Live()
        self._block: list[str] = []
        self._width = 0
        self._drawn_at: float | None = None
        self._numbers: Numbers = _NOT_STARTED

    def opened(self, keys: Iterable[PortKey], *, asked: bool) -> None:
        """These ports are open; `asked` where they are asked who they are, so that `told` follows."""
        for key in keys if self.enabled else ():
            self._live.opened(key, asked=asked)

    def told(self, key: PortKey, talk: Conversation) -> None:
        """What the handshake with an open port brought."""
        if self.enabled:
            self._live.told(key, talk)

    def update(
        self, sent: int, total: int, received: int, elapsed: float, deadline: float, loss: float | None = None
    ) -> None:
        """`elapsed` and `deadline` are seconds since the start; `loss` is the estimated share lost, 0 to 1."""
        self._numbers = (sent, total, received, deadline, loss)
        self.tick(elapsed)

    def tick(self, elapsed: float) -> None:
        """Time has passed, and perhaps a handshake has ended; draws nothing before the first `update`."""
        early = self._drawn_at is not None and 0 <= elapsed - self._drawn_at < _REDRAW_S
        if not self.enabled or early or self._numbers is _NOT_STARTED:
            return
        self._drawn_at = elapsed
        columns, lines = self._size()
        room = columns - 1  # a full line would wrap on some terminals
        sent, total, received, deadline, loss = self._numbers
        last = line(sent, total, received, elapsed, deadline, loss, room, self._live.talking)
        block = [*self._live.lines(room, min(lines // 2 - 1, _MOST_LINES)), last]
        if block != self._block:
            self._put(self._back() + _painted(block))
            self._block, self._width = block, columns

    def say(self, message: str) -> None:
        """A line that stays (a warning), above the rest. Written where nothing is drawn too."""
        self._put(self._erasure() + message + "\n" + (_painted(self._block) if self._block else ""))

    def clear(self) -> None:
        """Take it all away, before anything else is written to the terminal; what was found is forgotten."""
        if self._block:
            self._put(self._erasure())
        self._forget()

    def _back(self) -> str:
        """To where the block begins. If the terminal has another width since, only it knows where those lines are now,
        and what is above the last one may be somebody else's: then they stay, and the next block stands below them."""
        up = len(self._block) - 1
        return "\r" + (f"\x1b[{up}A" if up > 0 and self._size()[0] == self._width else "")

    def _erasure(self) -> str:
        return f"{self._back()}\x1b[J" if self._block else ""

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # A terminal that went away must not end the scan.
            self.enabled = False


def _painted(block: list[str]) -> str:
    """Over what stood there: nothing is blank in between, so nothing flickers."""
    return "\n".join(f"{line}\x1b[K" for line in block) + "\x1b[J"


def progress_for(stream: TextIO, *, wanted: bool = True) -> Progress:
    """A progress line if `stream` is a terminal that can erase a line, else one that stays silent."""
    able = stream.isatty() and os.environ.get("TERM") != "dumb"
    return Progress(stream, enabled=wanted and able)


def line(
    sent: int,
    total: int,
    received: int,
    elapsed: float,
    deadline: float,
    loss: float | None,
    columns: int,
    talking: int = 0,
) -> str:
    """The line, at most `columns` wide: what does not fit is left out from the right, the bar first.

    `talking` is the number of handshakes that are not over.
    """
    done = min(sent / total, 1.0) if total > 0 else 0.0
    rate = sent / elapsed if elapsed > 0 else 0.0
    parts = [f"{done:4.0%}", *_to_come(sent, total, rate, elapsed, deadline, talking)]
    parts += [f"{sent}/{total} sent", f"{received} answers", *([f"{rate:.0f}/s"] if sent < total else [])]
    parts += [f"{loss:.1%} lost"] if loss is not None else []
    text = "  ".join(parts)
    if len(text) + _BAR + 3 <= columns:
        return f"[{'#' * round(done * _BAR):.<{_BAR}}] {text}"
    while len(text) > columns and len(parts) > 1:
        parts.pop()
        text = "  ".join(parts)
    return text[: max(columns, 0)]


def _to_come(sent: int, total: int, rate: float, elapsed: float, deadline: float, talking: int) -> list[str]:
    """What is waited for: the time is known while packets are left to send, and never more than the deadline allows."""
    handshakes = [f"{talking} handshake{'s' * (talking != 1)} under way"] if talking else []
    if 0 < total <= sent:
        return handshakes or ["waiting for the last answers"]
    allowed = max(deadline - elapsed, 0.0)
    left = min((total - sent) / rate, allowed) if rate > 0 else allowed
    return [f"{_duration(left)} left", *handshakes]


def _duration(seconds: float) -> str:
    whole = int(seconds + 0.999)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
