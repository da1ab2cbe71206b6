"""What one dialogue, or one hello of it, knows and learns; and what that comes to in the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from probe.core.dialogue import Closed, Heard
from probe.model import Conversation, Handshake, Service, Tls
from probe.services.matchers import match

BANNER = 4096  # bytes read per answer, and kept


@dataclass(slots=True)
class Talk:
    """What one hello knows and learns. `secure` is the TLS layer that it is inside of.

    `tentative` is a service that stands only until the hello called `better` has been tried: it may tell more.
    """

    port: int
    server_name: str | None
    address: str = ""
    nonce: bytes = b""
    secure: Tls | None = None
    tentative: Service | None = None
    better: str = ""
    refused: bool = False
    banner: bytes = b""
    answered: bool = False
    stood: bool = False
    ends: list[Closed] = field(default_factory=list)

    def fresh(self) -> Talk:
        """The same port and layer, nothing learnt yet."""
        return Talk(self.port, self.server_name, self.address, self.nonce, self.secure)

    def note(self, heard: Heard) -> None:
        """Remember how a connection that was spoken on went."""
        self.answered = self.answered or bool(heard.data)
        self.banner = self.banner or heard.data
        if heard.closed:
            self.ends.append(heard.closed)
        self.stood = self.stood or not heard.closed

    def learn(self, heard: Heard) -> Service | None:
        """The service that these bytes identify; its bytes become the banner."""
        self.note(heard)
        service = match(heard.data)
        if service:
            self.banner = heard.data
        return service

    def doubt(self, service: Service, better: str) -> None:
        self.tentative, self.better = service, better

    def absorb(self, other: Talk) -> None:
        """Take over what another hello heard, after what is known already."""
        self.answered, self.stood = self.answered or other.answered, self.stood or other.stood
        self.banner = self.banner or other.banner
        self.ends += other.ends

    def conversation(self, service: Service | None) -> Conversation:
        """`closed` or `reset` only where every connection ended so: one that stood shows that somebody listens."""
        if self.answered:
            return Conversation(Handshake.ANSWERED, service, self.banner[:BANNER])
        if self.ends and not self.stood:
            return Conversation(Handshake.RESET if self.ends[0].reset else Handshake.CLOSED)
        return Conversation(Handshake.MUTE)
