"""SMTP on 25, POP3 on 110 and IMAP on 143, by Twisted: mail servers that greet, talk, and know nobody."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.mail.imap4 import IMAP4Server
from twisted.mail.pop3 import POP3
from twisted.mail.smtp import ESMTP

SERVERS = {25: ESMTP, 110: POP3, 143: IMAP4Server}


def main() -> None:
    for port, protocol in SERVERS.items():
        reactor.listenTCP(port, Factory.forProtocol(protocol), interface="::")
    reactor.run()


if __name__ == "__main__":
    main()
