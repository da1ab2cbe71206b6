"""The words of the profile's language, and the guess at what a misspelt one was meant to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

# What each word of `is` is met by. Two lines about the same port contradict each other where these do not overlap.
MEETINGS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "open": frozenset({"open"}),
        "closed": frozenset({"closed"}),
        "rejected": frozenset({"rejected"}),
        "dropped": frozenset({"dropped"}),
        "blocked": frozenset({"rejected", "dropped"}),
        "not-open": frozenset({"closed", "rejected", "dropped"}),
    }
)
# What `otherwise` asks for; the one word that is met by comparing with another run.
UNCHANGED = "unchanged"
FORMATS = ("jsonl", "csv", "junit", "html", "nmap-xml", "sarif", "prometheus")

# Words that people use for a service, and the name by which probe identifies it. TLS is a layer, not a service.
SERVICE_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "postgres": "postgresql",
        "mariadb": "mysql",
        "mongo": "mongodb",
        "https": "http",
        "imaps": "imap",
        "pop3s": "pop3",
        "smtps": "smtp",
        "ftps": "ftp",
        "ldaps": "ldap",
        "domain": "dns",
        "openssh": "ssh",
    }
)


def quoted(text: object, limit: int = 60) -> str:
    """`text` as it may stand in a message: in quotes, escaped, not too long."""
    shown = str(text)
    return repr(shown if len(shown) <= limit else shown[: limit - 1] + "…")


def meant(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'tcp'?)`, or the list of what is known, where nothing is near."""
    from difflib import get_close_matches

    choices = list(known)
    near = get_close_matches(word.lower()[:80], choices, n=1, cutoff=0.6)
    if near:
        return f" (did you mean {near[0]!r}?)"
    more = f" and {len(choices) - 20} more" if len(choices) > 20 else ""
    return f" (known: {', '.join(choices[:20])}{more})" if choices else ""
