"""Where labs leave their mark: one folder for each, in a folder that only their owner can look into.

A lab lives as long as somebody listens on the socket in its folder. A folder without that is what a crash left behind;
whoever comes by next removes it. A lock on the outer folder keeps that from hitting a lab that is just being made.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from probe.errors import LabError

SOCKET = "socket"
_MAX_BASE = 60  # The path of a socket has 107 bytes (unix(7)).


def new(name: str) -> tuple[str, Path, socket.socket]:
    """A fresh id, its folder, and the socket in it, which listens already. Raises LabError."""
    base = _base()
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _locked(base):
            _sweep(base)
            identity = f"{name}-{secrets.token_hex(3)}"
            (base / identity).mkdir(mode=0o700)
            listener.bind(str(base / identity / SOCKET))
            listener.listen()
    except OSError as error:
        listener.close()
        raise LabError(f"could not make a folder for the lab in {base}: {error}") from error
    return identity, base / identity, listener


def living() -> list[Path]:
    """The folders of all labs of this user that run or are being built."""
    base = _base()
    with _locked(base):
        return _sweep(base)


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _base() -> Path:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and len(str(runtime)) < _MAX_BASE and _is_private(runtime):
        base = runtime / "probe"
    else:
        base = Path(f"/tmp/probe-{os.geteuid()}")  # noqa: S108 - checked below
    with contextlib.suppress(FileExistsError):
        base.mkdir(mode=0o700)
    if not _is_private(base):
        raise LabError(f"{base} must be a folder of your own that nobody else can enter (mode 0700); take it away")
    return base


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sweep(base: Path) -> list[Path]:
    folders = sorted(base.iterdir())
    alive = [folder for folder in folders if _listens(folder / SOCKET)]
    for folder in folders:
        if folder not in alive:
            remove(folder)
    return alive


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as door:
        door.setblocking(False)
        return door.connect_ex(str(path)) in (0, errno.EAGAIN)
