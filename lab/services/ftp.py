"""An FTP server by Twisted on the port given, with one empty folder to look into: the one it was started in."""

from __future__ import annotations

import sys

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.protocols.ftp import FTPFactory, FTPRealm


def main(port: int) -> None:
    reactor.listenTCP(port, FTPFactory(Portal(FTPRealm("."), [AllowAnonymousAccess()])), interface="::")
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
