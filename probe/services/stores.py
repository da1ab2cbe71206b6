"""Data stores that wait to be asked: redis, memcached, PostgreSQL. Each hello reads only, and logs in nowhere."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

REDIS_HELLO = b"PING\r\nINFO server\r\n"
MEMCACHED_HELLO = b"version\r\n"
POSTGRES_SSL = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")  # SSLRequest: answered by one byte, S or N
# A protocol version that no server has: it says so in an ErrorResponse, before it asks who we are.
POSTGRES_HELLO = (8).to_bytes(4, "big") + (0xFFFF << 16).to_bytes(4, "big")

_REDIS = re.compile(
    rb"\+PONG\r\n|-NOAUTH [^\r\n]+|-DENIED [^\r\n]*(?:Redis|Valkey)|-LOADING [^\r\n]*(?:Redis|Valkey)|"
    rb"-ERR (?:unknown command|wrong number of arguments for) ['`\"]|-MASTERDOWN [^\r\n]+",
    re.IGNORECASE,
)
_REDIS_VERSION = re.compile(rb"\r\n(valkey|redis)_version:([^\r\n]+)")
_MEMCACHED = re.compile(rb"VERSION (\d[\w.+-]*)\r\n")
_OLD_ERROR = re.compile(rb"EFATAL:  [\x20-\x7e]+\n\0")  # protocol 2.0, and refusals before the protocol is known


def redis(data: bytes) -> Service | None:
    if not _REDIS.match(data):
        return None
    versions = dict(_REDIS_VERSION.findall(data))
    if b"valkey" in versions:  # it tells a redis_version too, for old clients
        return Service("redis", "Valkey", field(versions[b"valkey"]))
    return Service("redis", "Redis", field(versions[b"redis"])) if versions else Service("redis")


def memcached(data: bytes) -> Service | None:
    found = _MEMCACHED.match(data)
    return Service("memcached", "memcached", field(found[1])) if found else None


def postgresql(data: bytes) -> Service | None:
    """An ErrorResponse: `E`, length, fields (type, text, NUL): severity first, a five-character SQLSTATE."""
    if _OLD_ERROR.match(data):
        return Service("postgresql", "PostgreSQL")
    length = int.from_bytes(data[1:5], "big")
    if data[:1] != b"E" or not 12 <= length < 4096 or len(data) < length + 1:
        return None
    fields = data[5 : length + 1].split(b"\0")
    state = next((each[1:] for each in fields if each[:1] == b"C"), b"")
    severe = fields[0][:1] == b"S" and fields[0][1:].isalpha()
    if not severe or not re.fullmatch(rb"[0-9A-Z]{5}", state):
        return None
    return Service("postgresql", _postgres(fields, state))


def _postgres(fields: list[bytes], state: bytes) -> str | None:
    """PostgreSQL says where in its source it is, or the severity untranslated; the pooler in front of it does not."""
    kinds = {each[:1] for each in fields}
    if kinds & {b"V", b"F", b"R"}:
        return "PostgreSQL"
    return "PgBouncer" if kinds == {b"S", b"C", b"M", b""} and state == b"08P01" else None
