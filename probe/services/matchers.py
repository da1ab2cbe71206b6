"""All matchers in one order: whatever bytes came, to whichever hello, each of them has a look.

A server may greet late, or answer the wrong hello in its own words; the words count, not the question.
"""

from __future__ import annotations

from collections.abc import Callable

from probe.model import Service
from probe.services import ftp, greetings, http, imap, pop3, queries, smtp, ssh, stores

Matcher = Callable[[bytes], Service | None]

MATCHERS: tuple[Matcher, ...] = (
    http.reply,
    queries.rtsp_or_sip,
    smtp.greeting,
    ftp.greeting,
    imap.greeting,
    pop3.greeting,
    greetings.mysql,
    greetings.vnc,
    greetings.rsync,
    greetings.telnet,
    greetings.irc,
    greetings.nntp,
    stores.redis,
    stores.memcached,
    stores.postgresql,
    queries.dns,
    ssh.greeting,  # last: it also looks past lines that came before
)


def match(data: bytes) -> Service | None:
    """What these bytes identify, or None. Never by one byte, never by the port."""
    return next((service for matcher in MATCHERS if (service := matcher(data))), None)
