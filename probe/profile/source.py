"""Bytes -> text that is safe to read: UTF-8, of sane size, without a character that a person cannot see.

An invisible character can make a file mean something else than it shows (U+202E turns the reading direction, U+200B
splits a word in two), so none gets as far as the YAML reader. Tabs are refused too: YAML forbids them in indentation,
and nobody sees the difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from probe.errors import Problem, ProfileError

MAX_BYTES = 1 << 20
_SHOWN = 100
_LINE_END = re.compile("\r\n|\r|\n")
# Cc, Cf: control and format characters; Zl, Zp: the line breaks of YAML 1.1 that no editor shows; Cs: half a character.
_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_NONCHARACTERS = frozenset("\ufffe\uffff")


def text_of(data: bytes, path: str) -> str:
    """The text of a file, its byte order mark dropped. Raises ProfileError with every bad character."""
    if len(data) > MAX_BYTES:
        raise ProfileError([Problem(path, 1, 1, f"the file has {len(data):,} bytes, more than {MAX_BYTES:,}")])
    text = _decode(data, path).removeprefix("\ufeff")
    problems = [Problem(path, line, column, message) for line, column, message in _bad_characters(text)]
    if problems:
        raise ProfileError(problems)
    return text


def invisible(text: str) -> str | None:
    """The first character of `text` that cannot be seen (tab and line end aside), or None."""
    if text.isascii() and text.isprintable():
        return None
    return next((char for char in text if char not in "\n\r\t" and _is_invisible(char)), None)


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE or char in _NONCHARACTERS


def _decode(data: bytes, path: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ProfileError([Problem(path, 1, 1, "this is UTF-16 text (save the file as UTF-8)")])
    if b"\0" in data:
        where = _position(data[: data.index(b"\0")].decode("utf-8", "replace"))
        raise ProfileError([Problem(path, *where, "a NUL byte: this is a binary file, not YAML text")])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = _position(data[: error.start].decode("utf-8"))
        message = f"byte 0x{data[error.start]:02x} is not UTF-8 (save the file as UTF-8)"
        raise ProfileError([Problem(path, *where, message)]) from None


def _position(before: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows the text `before`."""
    lines = _LINE_END.split(before.removeprefix("\ufeff"))
    return len(lines), len(lines[-1]) + 1


def _bad_characters(text: str) -> Iterator[tuple[int, int, str]]:
    bad = {char for char in set(text) if char not in "\n\r" and _is_invisible(char)}
    if not bad:
        return
    pattern = re.compile("[" + "".join(map(re.escape, sorted(bad))) + "]")
    hits = ((line, hit) for line, content in enumerate(_LINE_END.split(text), 1) for hit in pattern.finditer(content))
    for count, (line, hit) in enumerate(hits):
        if count == _SHOWN:
            yield line, hit.start() + 1, "more such characters follow and are not shown"
            return
        yield line, hit.start() + 1, _complaint(hit.group())


def _complaint(char: str) -> str:
    if char == "\t":
        return 'a tab character (use spaces; inside double quotes write "\\t")'
    kind = "control" if unicodedata.category(char) == "Cc" else "invisible"
    return f"the {kind} character U+{ord(char):04X} (take it out)"
