"""Escaping: nothing that could move a cursor, reorder a line or hide gets through, and nothing is lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.services.text import clean, escape, field, unescape


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH-2.0-OpenSSH_9.2p1\\r\\n"),
        (b"tab\there", "tab\\there"),
        (b"back\\slash", "back\\\\slash"),
        (b"\x1b[2J\x07\x00", "\\x1b[2J\\x07\\x00"),
        (b"\x7f", "\\x7f"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\x9b31m".encode(), "\\u009b31m"),
        ("user\u202etxt.exe".encode(), "user\\u202etxt.exe"),
        ("\u2066\u2069\u200e\u061c".encode(), "\\u2066\\u2069\\u200e\\u061c"),
        ("zero\u200bwidth\ufeff\u2060".encode(), "zero\\u200bwidth\\ufeff\\u2060"),
        ("\u2028\u2029\u00a0\u3000".encode(), "\\u2028\\u2029\\u00a0\\u3000"),
        ("e\u0301\u0489".encode(), "e\\u0301\\u0489"),
        ("\u3164\U000e0041".encode(), "\\u3164\\U000e0041"),
        ("Grüße 東京 ✓ 🖥".encode(), "Grüße 東京 ✓ 🖥"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b"", ""),
    ],
)
def test_escape(data: bytes, shown: str) -> None:
    assert escape(data) == shown


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_escape_is_printable_and_loses_nothing(data: bytes) -> None:
    shown = escape(data)
    assert shown.isprintable()
    assert not any(unicodedata.category(char)[0] in "CM" or unicodedata.bidirectional(char) in BIDI for char in shown)
    assert unescape(shown) == data


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"}


@given(st.text(max_size=300) | st.binary(max_size=300), st.integers(2, 100))
def test_clean_is_short_and_printable(text: str | bytes, limit: int) -> None:
    assert clean(text, limit).isprintable()
    assert len(clean(text, limit)) <= limit


def test_clean_cuts_long_fields_and_says_so() -> None:
    assert clean("x" * 500, 10) == "xxxxxxxxx…"
    assert clean(b"y" * 100_000, 10) == "yyyyyyyyy…"
    assert clean("  nginx \r\n") == "nginx"


def test_field_has_no_empty_value() -> None:
    assert field(" \r\n") is None
    assert field(None) is None
    assert field(b"x") == "x"
