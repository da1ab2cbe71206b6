"""The question whether raw sockets are allowed: answered for root and for an ordinary user, and for nothing else."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from probe.errors import WireError
from probe.net.rights import demand_raw


def refuse(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> socket.socket:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket, "socket", fail)


def test_a_missing_right_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(errno.EPERM, monkeypatch)
    with pytest.raises(WireError, match="raw sockets are not allowed here: run as root"):
        demand_raw()


def test_other_trouble_is_left_to_whoever_opens_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(errno.EMFILE, monkeypatch)
    demand_raw()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs raw sockets")
def test_root_may() -> None:
    demand_raw()
