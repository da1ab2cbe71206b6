"""What PyYAML says when it cannot go on -> one sentence for people, and the place."""

from __future__ import annotations

from yaml import MarkedYAMLError

from probe.errors import Problem

# A piece of PyYAML's message -> ours. The first that fits is taken.
_SENTENCES = (
    ("mapping values are not allowed", "a ':' in the wrong place (check the indentation, or put the text in quotes)"),
    ("could not find expected ':'", "this line is no 'key: value' (a ':' is missing, or the indentation is wrong)"),
    ("expected <block end>", "the indentation does not fit the lines above, or something stands behind a closed value"),
    ("expected ',' or ']'", "a ',' or the closing ']' is missing (inside [ ] put an IPv6 address in quotes)"),
    ("expected ',' or '}'", "a ',' or the closing '}' is missing (inside { } put an IPv6 address in quotes)"),
    ("while scanning a quoted scalar", "text in quotes is not closed, or holds an escape that YAML does not know"),
    ("while scanning a double-quoted scalar", "an escape that YAML does not know (double the backslash)"),
    ("sequence entries are not allowed", "a '- ' in the wrong place (a list starts on its own line)"),
    ("block sequence entries", "a '- ' in the wrong place (a list starts on its own line)"),
    ("did not find expected <document start>", "text behind the end of the document"),
    ("expected '<document start>'", "text behind the end of the document"),
    ("while scanning an anchor", "'&' marks a YAML anchor, which is not allowed (put the text in quotes)"),
    ("while scanning an alias", "'*' marks a YAML alias, which is not allowed (put the text in quotes)"),
    ("while scanning a tag", "'!' marks a YAML tag, which is not allowed (put the text in quotes)"),
    ("undefined tag handle", "'!' marks a YAML tag, which is not allowed (put the text in quotes)"),
    ("while scanning a directive", "a '%' directive is not allowed (put the text in quotes)"),
    ("while scanning a block scalar", "'|' or '>' starts a block of text, and this is none (put the text in quotes)"),
    ("cannot start any token", "this character cannot start a value (put the text in quotes)"),
    ("expected the node content", "a value is missing here (inside [ ] and { } put an IPv6 address in quotes)"),
    ("end of stream", "the file ends in the middle of something"),
)


def explain(error: Exception, path: str) -> Problem:
    """One Problem for an error of the YAML parser."""
    if not isinstance(error, MarkedYAMLError):
        # PyYAML lets a ValueError through, e.g. from chr() for an escape beyond U+10FFFF.
        return Problem(path, 1, 1, "this is not YAML (an escape or a number in it has no meaning)")
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = f"{error.context or ''} {error.problem or ''}"
    sentence = next(
        (ours for theirs, ours in _SENTENCES if theirs in said), f"this is not YAML: {' '.join(said.split())}"
    )
    return Problem(path, line, column, sentence)
