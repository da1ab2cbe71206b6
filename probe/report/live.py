"""The table as it fills: the newest open ports by host, and what answers there, in as many lines as there is room for.

It is gone when the run ends, so it takes no trouble over looks: no colour, and nothing but ASCII, of which every
character is one column wide on every terminal. What a host sent is escaped. Memory is bounded: of thousands of open
ports the newest are kept, the others counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from probe.model import Address, Conversation, Handshake, PortKey

KEPT = 64
_PENDING = "..."
_BANNER_SHOWN = 60
_SILENT = {
    Handshake.MUTE: "says nothing",
    Handshake.CLOSED: "closes at once",
    Handshake.RESET: "resets at once",
    Handshake.FAILED: "no connection",
}


class Live:
    """Tell it of ports that are `opened`, and `told` what came of their handshakes, in any order."""

    def __init__(self) -> None:
        self._newest: dict[PortKey, str] = {}
        self._total = 0
        self.talking = 0

    def opened(self, key: PortKey, *, asked: bool) -> None:
        """A SYN-ACK came; `asked` where a handshake is tried."""
        self._total += 1
        self.talking += asked
        self._keep(key, _PENDING if asked else "")

    def told(self, key: PortKey, talk: Conversation) -> None:
        """The handshake has ended."""
        self.talking -= 1
        self._keep(key, in_words(talk))

    def _keep(self, key: PortKey, text: str) -> None:
        self._newest.pop(key, None)  # it becomes the newest again
        self._newest[key] = text
        if len(self._newest) > KEPT:
            del self._newest[next(iter(self._newest))]

    def lines(self, columns: int, most: int) -> list[str]:
        """At most `most` lines, each at most `columns` wide; none where nothing was found."""
        chosen = self._chosen(most)
        lines = list(self._table(chosen))
        left = self._total - len(chosen)
        if left and most > 0 and self._newest:
            lines.append(f"  and {left:,} more" if chosen else f"{left:,} open")
        return [_cut(line, columns) for line in lines]

    def _chosen(self, most: int) -> list[PortKey]:
        """The newest for which there is room, below the line of their host; one line is for the others."""
        chosen: list[PortKey] = []
        hosts: set[Address] = set()
        room = most - 1
        for key in reversed(self._newest):
            room -= 1 if key.address in hosts else 2
            if room < 0:
                break
            hosts.add(key.address)
            chosen.append(key)
        return chosen

    def _table(self, chosen: list[PortKey]) -> Iterator[str]:
        host = None
        for key in sorted(chosen, key=lambda key: (key.address.version, int(key.address), key.port)):
            if key.address != host:
                host = key.address
                yield str(host)
            yield f"  {key.port:>5}  {self._newest[key]}".rstrip()


def in_words(talk: Conversation) -> str:
    """Who answers, in ASCII: `http nginx 1.22.1, TLSv1.3`; else how the greeting begins, or that none came."""
    service = talk.service
    if service is None or (service.name is None and service.tls is None):
        return _ascii(f'"{_banner(talk.banner)}"') if talk.banner else _SILENT.get(talk.handshake, "")
    named = " ".join(filter(None, (service.name, service.product, service.version)))
    return _ascii(", ".join(filter(None, (named, service.tls.version if service.tls else None))))


def _banner(banner: bytes) -> str:
    return banner.strip()[:_BANNER_SHOWN].decode("ascii", "backslashreplace")


def _ascii(text: str) -> str:
    r"""Everything else as `\n`, `\x1b`, `\u202e`."""
    return "".join(char if " " <= char <= "~" else char.encode("unicode_escape").decode() for char in text)


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: max(columns - 3, 0)] + "..."[: max(columns, 0)]
