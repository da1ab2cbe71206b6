"""A handshake dialogue reads as blocking and is not: a generator that yields commands and is sent events.

    command          the event that answers it
    Connect          Connected | Failed
    Send             Sent | Closed | Spent
    Read             Data | Closed | Timeout | Spent
    StartTLS         TlsUp | TlsFailed
    Close            Closed

Exactly one event answers each command, and what it returns in the end is a `Conversation`. There is one connection at a
time: `Connect` drops the one before. Nothing here knows sockets, TLS libraries or clocks, so a dialogue is tested by
handing it events (`rehearse`), and driven by whatever has a network (`probe.net.streams`). The driver, not the
dialogue, holds the limits: a peer that floods, trickles or stalls meets them whatever the dialogue does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from probe.model import Conversation


@dataclass(frozen=True, slots=True)
class Limits:
    """What one dialogue may cost: bytes received per connection (ciphertext under TLS), seconds over all of them."""

    received: int = 64 * 1024
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Connect:
    """A fresh connection."""


@dataclass(frozen=True, slots=True)
class Send:
    data: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """The next bytes, at most `limit` of them, within `timeout` seconds."""

    timeout: float
    limit: int


@dataclass(frozen=True, slots=True)
class StartTLS:
    """A TLS handshake on this connection, whatever the certificate says, within `timeout` seconds."""

    server_name: str | None = None
    alpn: tuple[str, ...] = ()
    timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class Close:
    pass


Command = Connect | Send | Read | StartTLS | Close


@dataclass(frozen=True, slots=True)
class Connected:
    """`address` is the peer's, as text."""

    address: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """No connection; `errno` is the symbolic name (`ECONNREFUSED`, `ETIMEDOUT`)."""

    errno: str


@dataclass(frozen=True, slots=True)
class Sent:
    pass


@dataclass(frozen=True, slots=True)
class Data:
    data: bytes


@dataclass(frozen=True, slots=True)
class Timeout:
    pass


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over: by RST, or in good order (FIN, TLS close_notify or alert)."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """A limit is reached, in time or bytes; this connection brings nothing any more."""


@dataclass(frozen=True, slots=True)
class TlsUp:
    """`version` as OpenSSL says it (`TLSv1.3`), `der` the peer's certificate, empty where it sent none."""

    version: str
    alpn: str | None = None
    der: bytes = b""


@dataclass(frozen=True, slots=True)
class TlsFailed:
    """No TLS. `seen` are the first raw bytes of the peer's answer, `closed` how it ended the connection, if it did."""

    detail: str
    seen: bytes = b""
    closed: Closed | None = None


Event = Connected | Failed | Sent | Data | Timeout | Closed | Spent | TlsUp | TlsFailed
Dialogue = Generator[Command, Event, Conversation]


@dataclass(frozen=True, slots=True)
class Heard:
    """What came until it was quiet; `closed` where the peer ended the connection."""

    data: bytes = b""
    closed: Closed | None = None


def listen(patience: float, quiet: float, limit: int) -> Generator[Command, Event, Heard]:
    """Wait `patience` seconds for the first byte, then read on until `quiet` seconds bring no more or `limit` is met.

    It never stops at the first bytes that make sense: how TCP cuts them must not change what is concluded.
    """
    data = b""
    while len(data) < limit:
        event = yield Read(quiet if data else patience, limit - len(data))
        match event:
            case Data(more):
                data += more
            case Closed():
                return Heard(data, event)
            case _:
                break
    return Heard(data)


def ask(request: bytes, patience: float, quiet: float, limit: int) -> Generator[Command, Event, Heard]:
    """Send, then listen. A peer that ended the connection before our bytes left is heard as closed."""
    event = yield Send(request)
    if isinstance(event, Closed):
        return Heard(closed=event)
    return (yield from listen(patience, quiet, limit))


def rehearse(dialogue: Dialogue, answer: Callable[[Command], Event]) -> Conversation:
    """Run a dialogue against a function that plays the network. Never waits."""
    try:
        command = next(dialogue)
        while True:
            command = dialogue.send(answer(command))
    except StopIteration as stop:
        result: Conversation = stop.value
        return result
