"""Whether this user may send packets of its own. Asked before numpy and the engine are imported, for an ordinary user
0.1 s in vain."""

from __future__ import annotations

import socket

from probe.errors import WireError

NO_RAW = "raw sockets are not allowed here: run as root, or give the interpreter the capability CAP_NET_RAW"


def demand_raw() -> None:
    """Raises WireError where the right to raw sockets is missing, and for that alone."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    except PermissionError as error:
        raise WireError(NO_RAW) from error
    except OSError:
        return  # some other trouble: whoever opens the wire will meet it, and say what it is
