"""Progress on a terminal that standard output goes to as well."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def on_a_terminal(tmp_path: Path, *options: str) -> str:
    """What a scan of one closed port writes to a terminal that has both its outputs."""
    master, slave = os.openpty()
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with socket.socket() as closed, open(master, "rb", buffering=0) as terminal:
        closed.bind(("127.0.0.1", 0))
        command = ["scan", "127.0.0.1", "-p", str(closed.getsockname()[1]), "--wire", "connect", "--no-history"]
        with subprocess.Popen(
            [sys.executable, "-m", "probe", *command, *options], stdout=slave, stderr=slave, env=environment
        ) as process:
            os.close(slave)
            written = b"".join(iter(lambda: _read(terminal.fileno()), b""))
    assert process.returncode == 0
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: nobody has the other end any more
        return b""


def test_a_table_comes_after_the_progress(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path)
    drawn, _, table = written.rpartition("\x1b[J")
    assert "waiting for" in drawn or "left" in drawn
    assert "closed/refused" in table or "closed/undetermined" in table


@pytest.mark.parametrize("options", [("-o", "jsonl:-"), ("--no-progress",)])
def test_no_progress_in_between(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Records come as they are decided: a line that is drawn over itself would be drawn over them."""
    written = on_a_terminal(tmp_path, *options)
    assert "\x1b[J" not in written
    assert "\x1b[K" not in written
