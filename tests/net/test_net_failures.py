"""Each call that may fail below a scan is made to fail: a clean message or an honest verdict, never a traceback."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from probe.cli import main

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are for root")

CLOSED = "7"  # echo; nobody has it on loopback


def failing(error: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    return fail


def scan(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]], str]:
    code = main(
        ["scan", "127.0.0.1", "-p", CLOSED, "--attempts", "1", "--timeout", "50ms", "-o", "jsonl:-", "--wire", "raw"]
    )
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


@pytest.mark.parametrize("error", [errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EMFILE])
def test_bind(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: int) -> None:
    monkeypatch.setattr(socket.socket, "bind", failing(error))
    code, records, err = scan(capsys)
    assert (code, records) == (2, [])  # nothing was sent
    assert err.startswith("probe: no TCP port could be reserved to send from: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOBUFS, errno.ENETDOWN, errno.EHOSTUNREACH])
def test_send(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: int) -> None:
    monkeypatch.setattr("probe.core.scan.PATIENCE", 0.1)
    monkeypatch.setattr("probe.core.scan.RULES_PATIENCE", 0.1)
    monkeypatch.setattr(socket.socket, "sendto", failing(error))
    code, records, err = scan(capsys)
    assert (code, err) == (3, "")
    (verdict,) = (record for record in records if record["type"] == "port")
    assert (verdict["state"], verdict["reason"]) == ("unknown", "not-sent")
    assert verdict["evidence"]["errno"] == errno.errorcode[error]
    assert records[-1]["sent"] == 0


@pytest.mark.parametrize("error", [errno.ENETDOWN, errno.ENOBUFS])
def test_recv(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: int) -> None:
    """Deaf, and told so again and again: silence that proves nothing; and it ends."""
    monkeypatch.setattr(socket.socket, "recvmsg_into", failing(error))
    code, records, err = scan(capsys)
    assert err == ""
    (verdict,) = (record for record in records if record["type"] == "port")
    assert verdict["state"] == "unknown"
    assert code == 3
