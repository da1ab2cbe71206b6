"""A printer's raw port: takes what is sent, prints nothing, says nothing."""

from __future__ import annotations

import socket
import sys
import threading


def swallow(peer: socket.socket) -> None:
    with peer:
        while peer.recv(65536):
            pass


def main(port: int) -> None:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as door:
        while True:
            threading.Thread(target=swallow, args=door.accept()[:1], daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
