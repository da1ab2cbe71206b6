"""What answers here? One dialogue: wait for a server that speaks first, else ask, most likely first by the port.

    connect ─→ greeting? ─yes─→ match (220 alone: NOOP tells FTP from SMTP) ─→ a closer look: host key, STARTTLS
                  └no─→ a race of hellos: the first on this connection, each other one on a fresh one
                          └ TLS came up ─→ greeting? hellos? again, inside

A greeting that nobody knows ends it: what speaks first and is unknown to us may be a login prompt, and a request sent
there would be an attempt to log in. Nothing is ever written, logged in to, or followed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from probe.core.dialogue import (
    Command,
    Connect,
    Connected,
    Dialogue,
    Event,
    Failed,
    Heard,
    StartTLS,
    TlsFailed,
    TlsUp,
    ask,
    listen,
    race,
)
from probe.model import Conversation, Handshake, Service
from probe.services import closer, ftp, hints, http, likely, smtp, stores, tls
from probe.services.hellos import AFTER_GREETING, PLAIN, Hello
from probe.services.matchers import match
from probe.services.talk import BANNER, Talk

Found = Generator[Command, Event, Service | None]
Opened = Generator[Command, Event, bool]


class Attempt(Struct, frozen=True):
    """What one hello came to."""

    hello: str
    talk: Talk
    service: Service | None = None


def identify(port: int, server_name: str | None = None, wanted: str | None = None, *, brief: bool = False) -> Dialogue:
    """The dialogue for one open TCP port. `server_name` goes into SNI and Host; without it Host is the address.

    The hello of the service `wanted` goes first, if it has one. `brief` leaves out the hellos that are unlikely here.
    """
    event = yield Connect()
    if not isinstance(event, Connected):
        return _no_connection(event)
    talk = Talk(port, server_name, event.address, event.nonce)
    heard = yield from listen(hints.greeting_patience(port), hints.QUIET, BANNER)
    if heard.data or heard.closed:
        service = yield from _greeted(talk, heard)
    elif port in hints.PRINTERS:
        service = None
    else:
        service = yield from _ask_around(talk, _hellos(port, wanted, brief), _connect)
    return talk.conversation(service)


def _hellos(port: int, wanted: str | None, brief: bool) -> tuple[str, ...]:
    """The names of the hellos to try, most likely first."""
    home, general, rest = hints.tiers(port)
    first = (wanted,) if wanted in HELLOS and wanted not in likely.ONLY_AT_HOME else ()
    return tuple(dict.fromkeys((*first, *home, *(general[:2] if brief else general + rest))))


def _greeted(talk: Talk, heard: Heard) -> Found:
    service = talk.learn(heard)
    if talk.port in hints.PRINTERS:
        return service
    if not (service or heard.closed) and ftp.ambiguous(heard.data):
        service = yield from _ask_noop(heard.data)
    if service is None or heard.closed:
        return service
    if (question := AFTER_GREETING.get(service.name or "")) and not service.version:
        reply = yield from ask(question, hints.ANSWER, hints.QUIET, BANNER)
        return match(heard.data + reply.data) or service
    return (yield from closer.look(service, heard.data, talk.nonce, talk.server_name, secure=bool(talk.secure)))


def _ask_noop(greeting: bytes) -> Found:
    """FTP, SMTP or LMTP? Each greets with 220, and says in its own way that nothing was done."""
    reply = yield from ask(ftp.NOOP, hints.ANSWER, hints.QUIET, BANNER)
    service = ftp.noop_reply(reply.data)
    if service is None or service.name != "smtp" or reply.closed:
        return service
    ehlo = yield from ask(smtp.EHLO, hints.ANSWER, hints.QUIET, BANNER)
    if not ehlo.data.startswith(b"5"):
        return service
    lhlo = yield from ask(smtp.LHLO, hints.ANSWER, hints.QUIET, BANNER)
    return smtp.by_lhlo(greeting, lhlo.data)


def _ask_around(talk: Talk, names: Sequence[str], reopen: Callable[[], Opened]) -> Found:
    """The hellos of these names in a race. What they heard goes to `talk`, the winner's words first."""
    branches = [_attempt(name, talk.fresh(), reopen, first=not number) for number, name in enumerate(names)]
    attempts = [attempt for attempt in (yield from race(branches, _enough, hints.STAGGER)) if attempt]
    winner = _winner(attempts)
    for attempt in ([winner] if winner else []) + attempts:
        talk.absorb(attempt.talk)
    return (winner.service or winner.talk.tentative) if winner else None


def _attempt(name: str, talk: Talk, reopen: Callable[[], Opened], first: bool) -> Generator[Command, Event, Attempt]:
    if not first and not (yield from reopen()):
        talk.refused = True
        return Attempt(name, talk)
    service = yield from HELLOS[name](talk)
    if service and not service.version and not service.tls:
        service = yield from _more(name, service, talk, reopen)
    if service and not talk.secure:
        service = yield from closer.look_again(service, talk.server_name)
    return Attempt(name, talk, service)


def _more(name: str, service: Service, talk: Talk, reopen: Callable[[], Opened]) -> Found:
    """Who only complained about a stranger's hello may tell its version to its own; a web server, on another page."""
    own, path = service.name or "", http.further(talk.banner) if service.name == "http" else None
    asked = not path and (own == name or own not in HELLOS)
    if asked or not (yield from reopen()):
        return service
    told = yield from (_get(talk, path) if path else HELLOS[own](talk))
    return replace(told, product=told.product or service.product) if told and told.name == own else service


def _enough(attempts: Sequence[Attempt | None]) -> bool:
    """Somebody identified itself for good, or takes no connections any more."""
    ended = {attempt.hello for attempt in attempts if attempt}
    return any(
        attempt.service or attempt.talk.refused or (attempt.talk.tentative and attempt.talk.better in ended)
        for attempt in attempts
        if attempt
    )


def _winner(attempts: Sequence[Attempt]) -> Attempt | None:
    """The likeliest of those that know for good, else of those that think they know."""
    certain = (attempt for attempt in attempts if attempt.service)
    return next(certain, None) or next((attempt for attempt in attempts if attempt.talk.tentative), None)


def _connect() -> Opened:
    return isinstance((yield Connect()), Connected)


def _ask(talk: Talk, request: bytes) -> Found:
    return talk.learn((yield from ask(request, hints.ANSWER, hints.QUIET, BANNER)))


def _get(talk: Talk, path: str) -> Found:
    host = talk.server_name or talk.address or "localhost"
    return (yield from _ask(talk, http.request(host, talk.port, bool(talk.secure), path)))


def _http(talk: Talk) -> Found:
    service = yield from _get(talk, "/")
    if service and http.status(talk.banner) == 400 and not talk.secure:
        talk.doubt(service, "tls")  # "plain HTTP request sent to HTTPS port" is a 400: look at TLS first
        return None
    return service


def _no_connection(event: Event) -> Conversation:
    # In SYN-SENT a reset is ECONNREFUSED; ECONNRESET is of a connection that stood, however briefly
    # (net/ipv4/tcp_input.c, tcp_reset).
    errno = event.errno if isinstance(event, Failed) else None
    return Conversation(Handshake.RESET if errno == "ECONNRESET" else Handshake.FAILED, errno=errno)


def _start_tls(talk: Talk, alpn: tuple[str, ...]) -> Generator[Command, Event, TlsUp | TlsFailed]:
    event = yield StartTLS(talk.server_name, alpn, hints.TLS)
    return event if isinstance(event, TlsUp | TlsFailed) else TlsFailed("no connection")


def _tls(talk: Talk) -> Found:
    alpn = hints.alpn(talk.port)
    event = yield from _start_tls(talk, alpn)
    while isinstance(event, TlsFailed) and alpn and tls.failed(event.seen) and (yield from _connect()):
        # It may have refused what we offered to speak; who says so may know HTTP/2 and nothing else.
        alpn = ("h2",) if alpn != ("h2",) and tls.refused_alpn(event.seen) else ()
        event = yield from _start_tls(talk, alpn)
    if isinstance(event, TlsFailed):
        return _tls_refused(talk, event)
    talk.answered, talk.secure = True, tls.layer(event)
    inside = yield from _inside(talk, event, alpn)
    return replace(inside or Service(), tls=talk.secure)


def _tls_refused(talk: Talk, event: TlsFailed) -> Service | None:
    layer = tls.failed(event.seen)
    if layer:
        talk.answered = True
        return Service(tls=layer)
    service = talk.learn(Heard(event.seen[:BANNER], event.closed))
    if service and service.name == "http":
        talk.doubt(service, "http")  # the answer to a request that was none; a real one tells more
        return None
    return service


def _inside(talk: Talk, up: TlsUp, alpn: tuple[str, ...]) -> Found:
    """The same again inside TLS. A server that chose HTTP by ALPN is not waited for."""

    def reopen() -> Opened:
        return (yield from _connect()) and isinstance((yield from _start_tls(talk, alpn)), TlsUp)

    if up.alpn == "h2":  # we offered nothing else, and HTTP/2 begins with that (RFC 9113, 3.2)
        return Service("http", info="HTTP/2")
    if up.alpn != "http/1.1":
        heard = yield from listen(hints.greeting_patience(talk.port, secure=True), hints.QUIET, BANNER)
        if heard.data or heard.closed:
            return (yield from _greeted(talk, heard))
    return (yield from _ask_around(talk, hints.hellos_inside_tls(talk.port), reopen))


def _postgresql(talk: Talk) -> Found:
    """SSLRequest first. Its answer is one byte, which identifies nothing: only what comes after it does."""
    heard = yield from ask(stores.POSTGRES_SSL, hints.ANSWER, hints.QUIET, BANNER)
    if heard.data == b"S":
        event = yield from _start_tls(talk, ("postgresql",))
        if isinstance(event, TlsUp):
            talk.note(heard)
            inside = yield from _ask(talk, stores.POSTGRES_HELLO)
            return replace(inside or Service("postgresql"), tls=replace(tls.layer(event), starttls=True))
    if heard.data == b"N":
        talk.note(heard)
        return (yield from _ask(talk, stores.POSTGRES_HELLO))
    return talk.learn(heard)


def _plainly(hello: Hello) -> Callable[[Talk], Found]:
    """Say it; where the answer asks for more, say that too. Both answers are matched as one."""

    def found(talk: Talk) -> Found:
        heard = yield from ask(hello.request, hints.ANSWER, hints.QUIET, BANNER)
        more = hello.more(heard.data) if hello.more and not heard.closed else b""
        if more:
            reply = yield from ask(more, hints.ANSWER, hints.QUIET, BANNER)
            heard = Heard(heard.data + reply.data, reply.closed)
        return talk.learn(heard)

    return found


HELLOS: dict[str, Callable[[Talk], Found]] = {
    "tls": _tls,
    "http": _http,
    "postgresql": _postgresql,
    **{name: _plainly(hello) for name, hello in PLAIN.items()},
}
