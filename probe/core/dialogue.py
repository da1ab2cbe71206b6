"""A handshake dialogue reads as blocking and is not: a generator that yields commands and is sent events.

    command          the event that answers it
    Connect          Connected | Failed
    Send             Sent | Closed | Spent
    Read             Data | Closed | Timeout | Spent
    StartTLS         TlsUp | TlsFailed
    Close            Closed
    Race             Raced

Exactly one event answers each command, and what it returns in the end is a `Conversation`. There is one connection at a
time: `Connect` drops the one before. Who wants several at once starts a `Race` of dialogues, each with a connection of
its own. Nothing here knows sockets, TLS libraries or clocks, so a dialogue is tested by handing it events (`rehearse`),
and driven by whatever has a network (`probe.net.streams`). The driver, not the dialogue, holds the limits: a peer that
floods, trickles or stalls meets them whatever the dialogue does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec import Struct

from probe.model import Conversation

T = TypeVar("T")


class Limits(Struct, frozen=True):
    """What one dialogue may cost: bytes received per connection (ciphertext under TLS), seconds over all of them."""

    received: int = 64 * 1024
    seconds: float = 8.0


class Connect(Struct, frozen=True):
    """A fresh connection."""


class Send(Struct, frozen=True):
    data: bytes


class Read(Struct, frozen=True):
    """The next bytes, at most `limit` of them, within `timeout` seconds."""

    timeout: float
    limit: int


class StartTLS(Struct, frozen=True):
    """A TLS handshake on this connection, whatever the certificate says, within `timeout` seconds."""

    server_name: str | None = None
    alpn: tuple[str, ...] = ()
    timeout: float = 2.0


class Close(Struct, frozen=True):
    pass


class Race(Struct, frozen=True, eq=False):
    """Branches that run at the same time, most likely first; use `race`. None is connected any more when it is over.

    The first branch takes over the connection that is open, every other one begins with `Connect`. A branch starts when
    one has ended, or `stagger` seconds after the one before it: a peer that answers soon never sees the rest. None is
    started while a peer answers: it is heard out first. `enough` gets what the branches have returned so far, None
    where one has not; once it says so, those under way are cut off.
    """

    branches: tuple[Generator[Command, Event, Any], ...]
    enough: Callable[[Sequence[Any]], bool]
    stagger: float


Command = Connect | Send | Read | StartTLS | Close | Race


@dataclass(frozen=True, slots=True)
class Connected:
    """`address` is the peer's, as text. `nonce` are 32 random bytes, for protocols that need something fresh."""

    address: str = ""
    nonce: bytes = field(default=bytes(32), compare=False, repr=False)


class Failed(Struct, frozen=True):
    """No connection; `errno` is the symbolic name (`ECONNREFUSED`, `ETIMEDOUT`)."""

    errno: str


class Sent(Struct, frozen=True):
    pass


class Data(Struct, frozen=True):
    data: bytes


class Timeout(Struct, frozen=True):
    pass


class Closed(Struct, frozen=True):
    """The connection is over: by RST, or in good order (FIN, TLS close_notify or alert)."""

    reset: bool = False


class Spent(Struct, frozen=True):
    """A limit is reached, in time or bytes; this connection brings nothing any more."""


class TlsUp(Struct, frozen=True):
    """`version` as OpenSSL says it (`TLSv1.3`), `der` the peer's certificate, empty where it sent none."""

    version: str
    alpn: str | None = None
    der: bytes = b""


class TlsFailed(Struct, frozen=True):
    """No TLS. `seen` are the first raw bytes of the peer's answer, `closed` how it ended the connection, if it did."""

    detail: str
    seen: bytes = b""
    closed: Closed | None = None


class Raced(Struct, frozen=True):
    """What each branch returned, in their order; None for those that were cut off, or never started."""

    results: tuple[Any, ...]


Event = Connected | Failed | Sent | Data | Timeout | Closed | Spent | TlsUp | TlsFailed | Raced
Dialogue = Generator[Command, Event, Conversation]


class Heard(Struct, frozen=True):
    """What came until it was quiet; `closed` where the peer ended the connection."""

    data: bytes = b""
    closed: Closed | None = None


def listen(
    patience: float, quiet: float, limit: int, complete: Callable[[bytes], bool] | None = None
) -> Generator[Command, Event, Heard]:
    """Wait `patience` seconds for the first byte, then read on until `quiet` seconds bring no more or `limit` is met.

    It never stops at the first bytes that make sense: how TCP cuts them must not change what is concluded. `complete`
    is for answers that say themselves where they end.
    """
    data = b""
    while len(data) < limit and not (data and complete and complete(data)):
        event = yield Read(quiet if data else patience, limit - len(data))
        match event:
            case Data(more):
                data += more
            case Closed():
                return Heard(data, event)
            case _:
                break
    return Heard(data)


def ask(
    request: bytes, patience: float, quiet: float, limit: int, complete: Callable[[bytes], bool] | None = None
) -> Generator[Command, Event, Heard]:
    """Send, then listen. A peer that ended the connection before our bytes left is heard as closed."""
    event = yield Send(request)
    if isinstance(event, Closed):
        return Heard(closed=event)
    return (yield from listen(patience, quiet, limit, complete))


def race(
    branches: Sequence[Generator[Command, Event, T]], enough: Callable[[Sequence[T | None]], bool], stagger: float
) -> Generator[Command, Event, Sequence[T | None]]:
    """See `Race`."""
    event = yield Race(tuple(branches), enough, stagger)
    return event.results if isinstance(event, Raced) else [None] * len(branches)


def rehearse(dialogue: Generator[Command, Event, T], answer: Callable[[Command], Event]) -> T:
    """Run a dialogue against a function that plays the network. Never waits; a race is run one branch at a time."""
    try:
        command = next(dialogue)
        while True:
            event = _rehearse_race(command, answer) if isinstance(command, Race) else answer(command)
            command = dialogue.send(event)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _rehearse_race(race: Race, answer: Callable[[Command], Event]) -> Raced:
    results: list[Any] = [None] * len(race.branches)
    for number, branch in enumerate(race.branches):
        results[number] = rehearse(branch, answer)
        if race.enough(results):
            break
    return Raced(tuple(results))
