"""A scripted server for dialogues: no sockets, no waiting. It notes every command and answers with an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from probe.core.dialogue import (
    Close,
    Closed,
    Command,
    Connect,
    Connected,
    Data,
    Dialogue,
    Event,
    Failed,
    Race,
    Read,
    Send,
    Sent,
    StartTLS,
    Timeout,
    TlsFailed,
    TlsUp,
    rehearse,
)
from probe.model import Conversation

Replies = Callable[[bytes], bytes | Closed | None]


def silent(request: bytes) -> None:
    """Takes everything, says nothing."""


@dataclass
class FakeServer:
    """`greeting` and `replies` are spoken in the clear, `inside` is the server behind TLS.

    Text is followed by Timeout, or by `then` where that is given. `cut` splits every answer into pieces.
    `tls_after` is the request that a TLS handshake has to follow.
    """

    greeting: bytes | Closed | None = None
    replies: Replies = silent
    tls: TlsUp | TlsFailed = field(default_factory=lambda: TlsFailed("no answer in time"))
    tls_after: bytes | None = None
    inside: FakeServer | None = None
    then: Event = field(default_factory=Timeout)
    connections: int = 99
    cut: Callable[[bytes], Iterable[bytes]] = lambda data: [data]
    commands: list[Command] = field(default_factory=list)
    _pending: list[Event] = field(default_factory=list)
    _secure: bool = False

    def talk(self, dialogue: Dialogue) -> Conversation:
        return rehearse(dialogue, self.answer)

    @property
    def sent(self) -> list[bytes]:
        return [command.data for command in self.commands if isinstance(command, Send)]

    @property
    def connects(self) -> int:
        return self.commands.count(Connect())

    def answer(self, command: Command) -> Event:
        assert len(self.commands) < 500, "the dialogue does not end"
        self.commands.append(command)
        match command:
            case Connect():
                return self._connect()
            case Send(data):
                server = self.inside if self._secure and self.inside else self
                self._say(server.replies(data), server.then)
                return Sent()
            case Read():
                return self._pending.pop(0) if self._pending else Timeout()
            case StartTLS():
                return self._start_tls()
            case Close():
                return Closed()
            case Race():
                raise AssertionError("a race is for whoever drives the dialogue")

    def _connect(self) -> Event:
        self._secure, self._pending = False, []
        if self.connects > self.connections:
            return Failed("ECONNREFUSED")
        self._say(self.greeting, self.then)
        return Connected("198.18.1.10")

    def _start_tls(self) -> Event:
        self._pending = []
        if self.tls_after and self.sent[-1:] != [self.tls_after]:
            return TlsFailed("the peer ended it", closed=Closed())
        if isinstance(self.tls, TlsUp):
            self._secure = True
            if self.inside:
                self._say(self.inside.greeting, self.inside.then)
        return self.tls

    def _say(self, answer: bytes | Closed | None, then: Event) -> None:
        if isinstance(answer, Closed):
            self._pending = [answer]
        elif answer:
            self._pending = [*(Data(part) for part in self.cut(answer) if part), then]
