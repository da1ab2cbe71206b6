"""A terminal that knows what progress needs, and refuses every other byte: what stands on it is a list of lines."""

from __future__ import annotations

import io
import re

_PIECE = re.compile(r"\x1b\[(\d*)([AJK])|([\r\n])|([ -~]+)")


class FakeScreen(io.StringIO):
    """So high that nothing scrolls away, and `columns` wide: writing beyond the edge is an error."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__()
        self.size = (columns, lines)
        self.rows = [""]
        self._row = self._column = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        at = 0
        while at < len(text):
            piece = _PIECE.match(text, at)
            assert piece, f"a terminal would not understand {text[at : at + 20]!r}"
            self._take(piece)
            at = piece.end()
        return super().write(text)

    def _take(self, piece: re.Match[str]) -> None:
        count, command, control, plain = piece.groups()
        if command == "A":
            assert int(count) <= self._row, "above what is ours"
            self._row -= int(count)
        elif command:
            self.rows[self._row] = self.rows[self._row][: self._column]
            del self.rows[self._row + 1 if command == "J" else len(self.rows) :]
        elif control == "\r":
            self._column = 0
        elif control == "\n":
            self._row, self._column = self._row + 1, 0
            self.rows += [""] * (self._row + 1 - len(self.rows))
        else:
            row = self.rows[self._row]
            self.rows[self._row] = row[: self._column].ljust(self._column) + plain + row[self._column + len(plain) :]
            self._column += len(plain)
            assert self._column < self.size[0], f"{self.rows[self._row]!r} would wrap"
