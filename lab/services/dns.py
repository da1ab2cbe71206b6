"""An authoritative name server for office.test on TCP port 53, by Twisted."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.names.authority import FileAuthority
from twisted.names.dns import Record_A, Record_AAAA, Record_NS, Record_SOA
from twisted.names.server import DNSServerFactory


class Office(FileAuthority):  # type: ignore[misc]
    """The zone, written here; the parent class would ask a file for it."""

    def loadFile(self, _filename: object) -> None:  # noqa: N802 - Twisted's name
        start = Record_SOA("ns.office.test", "root.office.test", serial=1, refresh=3600, retry=600, expire=86400)
        self.soa = (b"office.test", start)
        self.records = {
            b"office.test": [start, Record_NS("ns.office.test")],
            b"ns.office.test": [Record_A("198.18.1.25"), Record_AAAA("fd18:1::25")],
            b"www.office.test": [Record_A("198.18.1.10"), Record_AAAA("fd18:1::10")],
        }


def main() -> None:
    reactor.listenTCP(53, DNSServerFactory(authorities=[Office("office.test")]), interface="::")
    reactor.run()


if __name__ == "__main__":
    main()
