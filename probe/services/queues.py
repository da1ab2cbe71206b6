"""Job queues that are asked in lines: gearman and beanstalkd."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

# `OK 1.1.20` alone could be anybody's; together with its complaint about the second word it is gearmand's.
GEARMAN_HELLO = b"version\nprobe\n"
BEANSTALKD_HELLO = b"stats\r\n"

_GEARMAN = re.compile(
    rb"(?:OK v?(\d[\w.]*)[^\r\n]*\r?\n)?(?:ERR UNKNOWN_COMMAND Unknown\+server\+command[^\r\n]*\r?\n)+\Z"
)
_BEANSTALKD = re.compile(rb"OK \d+\r\n---\n(?:[a-z-]+: [^\n]*\n)*?current-jobs-urgent: \d+\n")
_BEANSTALKD_VERSION = re.compile(rb'\nversion: "?(\d[^"\s]*)"?\n')
_UNKNOWN = re.compile(rb"(?:UNKNOWN_COMMAND\r\n)+\Z")


def gearman(data: bytes) -> Service | None:
    found = _GEARMAN.match(data)
    return Service("gearman", "gearmand" if found[1] else None, field(found[1])) if found else None


def beanstalkd(data: bytes) -> Service | None:
    """Its statistics, which are YAML, or its complaint."""
    if _UNKNOWN.match(data):
        return Service("beanstalkd", "beanstalkd")
    if not _BEANSTALKD.match(data):
        return None
    version = _BEANSTALKD_VERSION.search(data)
    return Service("beanstalkd", "beanstalkd", field(version[1]) if version else None)
