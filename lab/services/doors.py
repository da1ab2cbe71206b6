"""Four ways to open a door, by the order of the ports: greet and wait, say nothing, hang up at once, reset at once."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys

MOST_GUESTS = 50


def main(ports: list[int]) -> None:
    doors = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) for port in ports]
    guests: list[socket.socket] = []
    while True:
        for door in select.select(doors, [], [])[0]:
            with contextlib.suppress(OSError):
                guests = [*guests, receive(doors.index(door), door.accept()[0])][-MOST_GUESTS:]


def receive(manner: int, guest: socket.socket) -> socket.socket:
    if manner == 0:
        guest.sendall(b"220 hops.test ready\r\n")
    elif manner == 2:
        guest.close()
    elif manner == 3:
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        guest.close()
    return guest


if __name__ == "__main__":
    main([int(port) for port in sys.argv[1:]])
