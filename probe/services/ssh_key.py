"""Whose SSH server is this? The key exchange as far as the host key (RFC 4253, sections 7 and 8), and no step further.

    our identification, KEXINIT ─→   ←─ KEXINIT
    KEX(DH|ECDH)_INIT           ─→   ←─ KEX(DH|ECDH)_REPLY: host key, its share, signature

What follows would be the login, which never happens. A key is told only if its owner has signed this very exchange.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Generator

from probe import __version__
from probe.core.dialogue import Command, Event, Send
from probe.model import HostKey
from probe.services import ssh_exchange
from probe.services.ssh_wire import MSG_KEXINIT, Fields, Incoming, KexInit, MalformedError, mpint, packet, string

PATIENCE = 2.0  # seconds for each of its messages; a small machine takes long to sign
_INIT, _REPLY = 30, 31
_IDENTITY = f"SSH-2.0-probe_{__version__}".encode()
_SERVER_IDENTITY = re.compile(rb"\A(?:[^\n]*\n){0,8}?(SSH-(?:2\.0|1\.99)-[^\n]{0,250})\n")
# What would follow is never used, but a server ends it at once where there is nothing that both know.
_CIPHERS = (
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
    "aes128-ctr,aes192-ctr,aes256-ctr,aes128-cbc,aes256-cbc,3des-cbc"
)
_MACS = (
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,umac-128-etm@openssh.com,umac-64-etm@openssh.com,"
    "hmac-sha2-256,hmac-sha2-512,umac-128@openssh.com,umac-64@openssh.com,hmac-sha1,hmac-md5"
)
_COMPRESSIONS = "none,zlib@openssh.com,zlib"


def host_key(greeting: bytes, nonce: bytes) -> Generator[Command, Event, HostKey | None]:
    """The proven host key of the server that has just said `greeting`, on the same connection; None without proof."""
    found = _SERVER_IDENTITY.match(greeting)
    if not found:
        return None
    incoming = Incoming(greeting[found.end() :], PATIENCE)
    try:
        return (yield from _exchange(found[1].rstrip(b"\r"), incoming, nonce))
    except MalformedError:
        return None


def fingerprint(key: bytes) -> str:
    """As `ssh-keygen -l` prints it."""
    return "SHA256:" + b64encode(hashlib.sha256(key).digest()).decode("ascii").rstrip("=")


def kex_init(nonce: bytes) -> bytes:
    """The payload of our KEXINIT."""
    lists = [",".join(ssh_exchange.METHODS), ",".join(ssh_exchange.HOST_KEYS)]
    lists += [_CIPHERS, _CIPHERS, _MACS, _MACS, _COMPRESSIONS, _COMPRESSIONS, "", ""]
    cookie = hashlib.sha256(b"cookie" + nonce).digest()[:16]
    return bytes([MSG_KEXINIT]) + cookie + b"".join(string(names.encode()) for names in lists) + bytes(5)


def _exchange(server: bytes, incoming: Incoming, nonce: bytes) -> Generator[Command, Event, HostKey | None]:
    ours = kex_init(nonce)
    yield Send(_IDENTITY + b"\r\n" + packet(ours))
    theirs = KexInit.parse((yield from incoming.payload(MSG_KEXINIT)))
    method = next((name for name in ssh_exchange.METHODS if name in theirs.kex), None)
    if method is None or not set(ssh_exchange.HOST_KEYS) & set(theirs.host_keys):
        return None
    exchange = ssh_exchange.start(method, nonce)
    yield Send(packet(bytes([_INIT]) + exchange.public))
    reply = Fields((yield from incoming.payload(_REPLY)), 1)
    said = b"".join(map(string, (_IDENTITY, server, ours, theirs.payload)))
    return _proven(reply, exchange, said)


def _proven(reply: Fields, exchange: ssh_exchange.Exchange, said: bytes) -> HostKey | None:
    """`said` is what both sides have said before, as it goes into the hash (RFC 4253, section 8)."""
    try:
        key = reply.string()
        theirs, secret = exchange.share(reply)
        whole = said + string(key) + exchange.public + theirs + mpint(secret)
        kind = ssh_exchange.verified(key, reply.string(), hashlib.new(exchange.hash, whole).digest())
    except Exception:  # the parsers' errors are many, and each means the same: there is no proof
        return None
    return HostKey(kind, fingerprint(key))
