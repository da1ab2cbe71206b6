"""A catalogue of peers that mean harm: to our memory, our time, the terminal, the spreadsheet, or the truth."""

from __future__ import annotations

import datetime as dt
import gzip
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import repeat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probe.core.dialogue import Closed
from tests.net.scripted_net import Peer, Speaker

MEGABYTE = 1 << 20
# What it can do to a terminal: clear it, name it, hide links in it (OSC 8), write to the clipboard (OSC 52), turn text
# around, hide it, pile it up.
TERMINAL = (
    "\x1b[2J\x1b[31m\x1b]0;owned\x07\x1b]8;;http://198.18.66.6/\x07click\x1b]8;;\x07\x1b]52;c;ZXZpbA==\x07\x9b2J\x85"
    "\u202etxt.exe\u202c\u2066\u200b\ufeff\u00ad\u0301\u0301\u0301\ue000\u2028\x00\x7f\r\b\b\b[bold red]rich[/]"
).encode()
ONE_LINE = TERMINAL.replace(b"\r", b"")
FORMULAS = [b"=cmd|' /C calc'!A0", b"+1+1", b"-2", b"@SUM(1)", b"\t=1", b"\r=1", "＝1".encode()]
ELSEWHERE = b"198.18.66.6"


def says(data: bytes) -> Peer:
    return Peer(greeting=data)


def answers(data: bytes) -> Peer:
    """The same to everything, once it is asked."""
    return Peer(replies=lambda _: data)


def endlessly(chunk: bytes, seconds: float = 0.0, asked: bool = False) -> Peer:
    """The same again and again, from the beginning or once it is `asked`."""

    def speak(request: bytes) -> Iterable[tuple[float, bytes]]:
        return repeat((seconds, chunk)) if request or not asked else ()

    return Peer(session=lambda: speak)


def first_then_endlessly(first: bytes, chunk: bytes, seconds: float = 0.0) -> Peer:
    def speak(request: bytes) -> Iterator[tuple[float, bytes]]:
        yield 0.0, first
        if request:
            yield from repeat((seconds, chunk))

    return Peer(session=lambda: speak)


def http(head: bytes, body: bytes = b"") -> Peer:
    return answers(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)


def over_tls(inside: Callable[[bytes], Iterable[bytes]], name: str = "lab") -> Peer:
    """A TLS server, by OpenSSL in memory; `inside` yields what it says to what it got, endlessly if it likes."""

    def session() -> Speaker:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = server_context(name).wrap_bio(incoming, outgoing, server_side=True)
        up = False

        def speak(request: bytes) -> Iterator[tuple[float, bytes]]:
            nonlocal up
            incoming.write(request)
            try:
                if not up:
                    tls.do_handshake()
                    up = True
                    said = b""
                else:
                    said = tls.read(MEGABYTE)
            except ssl.SSLError:
                yield 0.0, outgoing.read()
                return
            yield 0.0, outgoing.read()
            for data in inside(said):
                tls.write(data)
                yield 0.0, outgoing.read()

        return speak

    return Peer(session=session)


@cache
def server_context(name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name[:64])])
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    names = [x509.UniformResourceIdentifier(f"http://{number}.example/") for number in range(400)]
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, start, start + dt.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder) / "pair.pem"
        pem.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    return context


RECORD = b"\x16\x03\x03\x40\x00\x0b\x00\xff\xff" + bytes(16380)  # a handshake message that never ends
EMPTY_RECORDS = b"\x16\x03\x03\x00\x00" * 200
SSH = b"SSH-2.0-x\r\n"
SSH_IGNORE = b"\x00\x00\x00\x0c\x06\x02AAAA" + bytes(6)

# name -> (the peer, what it is to be taken for: mostly for nothing)
HOSTILE: dict[str, tuple[Callable[[], Peer], str | None]] = {
    "every byte value": (lambda: says(bytes(range(256))), None),
    "terminal tricks in a greeting": (lambda: says(TERMINAL), None),
    "terminal tricks in an answer": (lambda: answers(TERMINAL), None),
    "terminal tricks in an SSH version": (lambda: says(b"SSH-2.0-OpenSSH_" + ONE_LINE + b"\r\n"), "ssh"),
    "terminal tricks in an HTTP server": (lambda: http(b"Server: nginx/" + ONE_LINE), "http"),
    "terminal tricks in a certificate": (lambda: over_tls(lambda _: [], TERMINAL.decode()), "TLS"),
    "terminal tricks inside TLS": (lambda: over_tls(lambda said: [TERMINAL] if said else []), "TLS"),
    "flood at once": (lambda: endlessly(b"A" * 65536), None),
    "flood of line ends": (lambda: endlessly(b"\n" * 65536), None),
    "flood when asked": (lambda: endlessly(b"\xff\x00" * 32768, asked=True), None),
    "flood after a greeting": (lambda: first_then_endlessly(b"220 lab ESMTP\r\n", b"250-more\r\n" * 999), "smtp"),
    "one byte per half second": (lambda: endlessly(b"x", 0.5), None),
    "one byte per half second when asked": (lambda: endlessly(b"x", 0.5, asked=True), None),
    "one byte per tenth of a second": (lambda: endlessly(b".", 0.1), None),
    "one byte per tenth when asked": (lambda: endlessly(b".", 0.1, asked=True), None),
    "a handshake message without end": (lambda: endlessly(RECORD, asked=True), None),
    "empty TLS records without end": (lambda: endlessly(EMPTY_RECORDS, asked=True), None),
    "TLS records at a walking pace": (lambda: endlessly(b"\x16\x03\x03\x00\x00", 0.3, asked=True), None),
    "a flood inside TLS": (lambda: over_tls(lambda _: repeat(b"A" * 16384)), "TLS"),
    "lines without end inside TLS": (lambda: over_tls(lambda said: repeat(b"x\r\n") if said else []), "TLS"),
    "a header of four megabytes": (lambda: http(b"X: " + b"a" * 4 * MEGABYTE), "http"),
    "headers without end": (lambda: endlessly(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9999, asked=True), "http"),
    "a compressed bomb": (
        lambda: http(b"Content-Encoding: gzip", gzip.compress(bytes(16 * MEGABYTE)) * 8), "http"
    ),
    "a redirect elsewhere": (
        lambda: answers(b"HTTP/1.1 301 Moved\r\nLocation: http://" + ELSEWHERE + b"/\r\nServer: x/1\r\n\r\n"), "http"
    ),
    "an endless answer in chunks": (
        lambda: first_then_endlessly(b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"), "http"
    ),
    "an echo": (lambda: Peer(replies=lambda request: request), None),
    "an SSH packet of two gigabytes": (lambda: first_then_endlessly(SSH, b"\x7f\xff\xff\xff" + bytes(99)), "ssh"),
    "SSH packets without end": (lambda: first_then_endlessly(SSH, SSH_IGNORE * 99), "ssh"),
    "an SSH packet at a walking pace": (lambda: first_then_endlessly(SSH, b"\x00", 0.5), "ssh"),
    "lengths of four gigabytes": (lambda: answers(b"\xff" * 64), None),
    "a MySQL packet that is not there": (lambda: says(b"\xff\xff\xff\x00\x0a8.0"), None),
    "a PostgreSQL that says yes to TLS and no more": (lambda: answers(b"S"), None),
    "who hangs up on everything": (lambda: Peer(replies=lambda _: Closed(reset=True)), None),
}  # fmt: skip
HOSTILE |= {f"formula {text!r} in a greeting": (partial(says, text), None) for text in FORMULAS}
HOSTILE |= {f"formula {text!r} in an HTTP server": (partial(http, b"Server: " + text), "http") for text in FORMULAS}
