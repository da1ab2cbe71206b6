"""`python nudge.py COMMAND… [ ; COMMAND… ]` runs a peer that a quiet network confuses.

The kernel is made to look up the first router's hardware address, which replaces `{mac}` in a command: zmap hangs when
it looks it up itself. And a datagram goes to the router now and then, since the receivers of masscan and zmap wait in
libpcap for one more packet before they see that they shall end.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path

ROUTER, ROUTER6, DISCARD = "198.18.0.1", "fd18::1", 9


def poke(*lines: socket.socket) -> None:
    for line, router in zip(lines, (ROUTER, ROUTER6), strict=True):
        with contextlib.suppress(OSError):  # a case may have taken the way there
            line.sendto(b"", (router, DISCARD))


def hardware_address() -> str | None:
    """The router's, once the kernel knows it."""
    lines = [line.split() for line in Path("/proc/net/arp").read_text().splitlines()]
    return next((mac for address, _, flags, mac, *_ in lines if address == ROUTER and flags == "0x2"), None)


def main(commands: list[list[str]]) -> int:
    """The exit code of the last command that failed."""
    code = 0
    udp = socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, udp) as four, socket.socket(socket.AF_INET6, udp) as six:
        deadline = time.monotonic() + 1.0
        while not (mac := hardware_address()) and time.monotonic() < deadline:
            poke(four, six)
            time.sleep(0.02)
        for command in commands:
            with subprocess.Popen([word.replace("{mac}", mac or "") for word in command]) as peer:
                while peer.poll() is None:
                    poke(four, six)
                    time.sleep(0.1)
            code = peer.returncode or code
    return code


if __name__ == "__main__":
    raise SystemExit(main([each.split(" ") for each in " ".join(sys.argv[1:]).split(" ; ")]))
