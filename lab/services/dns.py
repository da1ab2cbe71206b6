"""An authoritative name server for office.test on TCP port 53, by Twisted."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.names.authority import BindAuthority
from twisted.names.server import DNSServerFactory

ZONE = b"""$TTL 3600
$ORIGIN office.test.
office.test. IN SOA ns.office.test. root.office.test. 1 3600 600 86400 3600
office.test. IN NS ns.office.test.
ns IN A 198.18.1.25
www IN A 198.18.1.10
"""


class Office(BindAuthority):  # type: ignore[misc]
    """The zone above; BindAuthority itself only reads files."""

    def __init__(self) -> None:
        super().__init__("office.test")

    def loadFile(self, _filename: object) -> bytes:  # noqa: N802
        return ZONE


def main() -> None:
    reactor.listenTCP(53, DNSServerFactory(authorities=[Office()]), interface="::")
    reactor.run()


if __name__ == "__main__":
    main()
