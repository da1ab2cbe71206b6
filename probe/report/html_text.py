"""Text for HTML."""

from __future__ import annotations

import html

from probe.judge.wording import printable


def text(remote: str) -> str:
    """Any text as it may stand in HTML: escaped for terminals first, then for markup."""
    return html.escape(printable(remote))
