"""An unquoted YAML scalar -> its value, or the reason why it is refused.

YAML 1.1 (what PyYAML speaks) and YAML 1.2 (what editors speak) disagree on `22:22`, `no`, `010` and their kin, and
people expect a third thing. What one reader takes for something else than another is refused, with a word on what to
write instead. What is left: decimal integers, `0.5`, `true`, `false`, `null`, and text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Value = None | bool | int | float | str

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS: dict[str, Value] = {"": None, "null": None, "true": True, "false": False}
_MAX_DIGITS = 18


class SurpriseError(ValueError):
    """A scalar that two YAML readers take for two things. Its text says what to write."""


class Written(float):
    """A float that remembers how it was written, so that a message about the address `10.10` does not say 10.1."""

    __slots__ = ("text",)
    text: str

    def __str__(self) -> str:
        return self.text


def value_of(text: str) -> Value:
    """The value of an unquoted scalar. Raises SurpriseError."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) <= _MAX_DIGITS:
        number = Written(text)
        number.text = text
        return number
    for pattern, explain in _SURPRISES:
        if pattern.fullmatch(text):
            raise SurpriseError(explain(text))
    return text


def _boolean(text: str) -> str:
    meant = "true" if text.lower() in {"yes", "on", "y", "true"} else "false"
    return f'{text} is a boolean in YAML 1.1: write {meant}, or "{text}" in quotes if it is text'


def _octal(text: str) -> str:
    plain = text.lstrip("+-0_").replace("_", "") or "0"
    digits = text.lstrip("+-").replace("_", "")
    octal = f", or {int(digits, 8)} if octal was meant" if not set(digits) & set("89") else ""
    return f"{text} has a leading zero, which YAML 1.1 reads as octal: write {plain}{octal}"


def _based(text: str) -> str:
    try:
        return f"{text} is not a decimal number: write {int(text.replace('_', ''), 0)}"
    except ValueError:
        return f"{text} is not a decimal number"


def _underscored(text: str) -> str:
    return f"{text} has underscores: write {text.replace('_', '')}"


def _signed(text: str) -> str:
    return f"{text} has a sign: write {text[1:]}" if text.startswith("+") else f"{text} is too long for a number"


def _always(message: str) -> Callable[[str], str]:
    return lambda text: f"{text[:40]} {message}"


# In the order in which they are tried. Each number stays below _MAX_DIGITS where its value is computed for a message.
_SURPRISES: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"y|n|yes|no|on|off|true|false", re.IGNORECASE), _boolean),
    (re.compile(r"~|null", re.IGNORECASE), _always("means 'nothing' in YAML: leave it out, or put it in quotes")),
    (re.compile(r"[-+]?0[0-9_]{1,18}"), _octal),
    (re.compile(r"[-+]?0(x[0-9a-f_]{1,16}|o[0-7_]{1,16}|b[01_]{1,16})", re.IGNORECASE), _based),
    (re.compile(r"[-+]?[0-9][0-9_]{,17}"), lambda text: _underscored(text) if "_" in text else _signed(text)),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
        _always("is a base-60 number in YAML 1.1: put it in quotes if it is text, or write a plain number"),
    ),
    (
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ ]+)[0-9][0-9:.]*[ ]*(Z|[-+][0-9:]+)?)?"),
        _always("is a date in YAML 1.1: put it in quotes if it is text"),
    ),
    (re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE), _always("is no number that can be used here: write it out")),
    (re.compile(r"[-+]?[0-9][0-9_]*"), _always("is too long for a number")),
    (
        re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"),
        _always("is read as a number by some YAML readers: write it as 1000 or 0.5, or in quotes if it is text"),
    ),
)
