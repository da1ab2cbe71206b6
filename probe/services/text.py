"""Hostile bytes made fit for a terminal and a report. What a banner can do to a screen, it may not do to ours.

Escaped are C0 and C1 controls, DEL, bidi controls, zero-width and other invisible characters, combining marks (they
climb into the neighbouring lines), everything Unicode does not call printable, and bytes that are not UTF-8. The
backslash is doubled, so `escape` loses nothing.
"""

from __future__ import annotations

import re
import unicodedata

_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # "letters" and "symbols" that show nothing
_PLAIN = re.compile(r"[ -\[\]-~]*")
_TOKEN = re.compile(rb"\\(?:(\\)|(n)|(r)|(t)|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
LONGEST_FIELD = 200  # characters of a product, version or subject


def escape(data: bytes) -> str:
    """Printable text that stands for exactly these bytes: `\\r\\n`, `\\x1b`, `\\u202e`."""
    return _visible(data.decode("utf-8", "surrogateescape"))


def unescape(text: str) -> bytes:
    """The bytes that `escape` was given."""
    return _TOKEN.sub(_original, text.encode("utf-8"))


def clean(text: str | bytes, limit: int = LONGEST_FIELD) -> str:
    """A short field: escaped, without blanks at its ends, cut to `limit` characters."""
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode("utf-8", "surrogateescape")
    shown = _visible(text[: limit + 1].strip())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def field(text: str | bytes | None) -> str | None:
    """`clean`, or None where nothing is left."""
    return clean(text) or None if text else None


def _visible(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return "".join(char if " " <= char <= "~" and char != "\\" else _shown(char) for char in text)


def _shown(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char.isprintable() and char not in _BLANK and unicodedata.category(char)[0] != "M":
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _original(token: re.Match[bytes]) -> bytes:
    backslash, newline, cr, tab, byte, *points = token.groups()
    if byte:
        return bytes.fromhex(byte.decode())
    for point in points:
        if point:
            return chr(int(point, 16)).encode("utf-8", "surrogatepass")
    return backslash or (newline and b"\n") or (cr and b"\r") or (tab and b"\t") or b""
