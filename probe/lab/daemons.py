"""Real servers on lab hosts: started without any right over the network they serve, and waited for by connecting."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from probe.errors import LabError
from probe.lab.namespaces import NEW_NET, refuse_privileges, set_namespace, unshare_user
from probe.lab.plan import Daemon, Host

# Any user but 0: sshd and nginx then skip what only root can do (switching users, chroot).
_DAEMON_USER = 1000
_PATIENCE = 20.0
_POLL = 0.005
_LOG_TAIL = 600


class Running(Struct, frozen=True):
    host: str
    daemon: Daemon
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        return Path(self.daemon.folder, "log")


def start(host: Host) -> list[Running]:
    """Starts the host's servers in the network namespace that the caller is in. Raises OSError, SubprocessError."""
    return [Running(host.name, daemon, _spawn(daemon)) for daemon in host.daemons]


def _spawn(daemon: Daemon) -> subprocess.Popen[bytes]:
    folder = Path(daemon.folder)
    folder.mkdir(parents=True, mode=0o700)
    for name, text in daemon.files.items():
        (folder / name).write_text(text)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - the topology names the program; this process has no threads (preexec_fn)
            daemon.command.argv,
            env=daemon.command.env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_drop_rights,
        )


def _drop_rights() -> None:
    unshare_user(_DAEMON_USER)
    refuse_privileges()


def wait(running: Iterable[Running], networks: Mapping[str, int], families: Mapping[str, set[int]]) -> None:
    """Returns once every port of every server accepts connections. Raises LabError with the end of a server's log, or
    when standard input ends, which means that the lab's owner did."""
    deadline = time.monotonic() + _PATIENCE
    for each in running:
        set_namespace(networks[each.host], NEW_NET)
        for where in _doors(each.daemon, families[each.host]):
            while not _answers(*where):
                _give_up_if_hopeless(each, deadline, where[1][1])
                if select.select([sys.stdin], [], [], _POLL)[0]:
                    raise LabError("the lab's owner ended while it was built")


def _doors(daemon: Daemon, families: set[int]) -> Iterator[tuple[int, tuple[str, int]]]:
    for port in daemon.ready:
        if 4 in families:
            yield socket.AF_INET, ("127.0.0.1", port)
        if 6 in families:
            yield socket.AF_INET6, ("::1", port)


def _answers(family: int, address: tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as door:
        door.settimeout(_PATIENCE)
        return door.connect_ex(address) == 0


def _give_up_if_hopeless(each: Running, deadline: float, port: int) -> None:
    if (code := each.process.poll()) is not None:
        said = f"ended with code {code}"
    elif time.monotonic() > deadline:
        said = f"did not open port {port} in {_PATIENCE:g} s"
    else:
        return
    log = each.log.read_text(errors="backslashreplace")[-_LOG_TAIL:].strip()
    raise LabError(f"the server {each.daemon.name!r} on {each.host!r} {said}; it wrote:\n{log or '(nothing)'}")
