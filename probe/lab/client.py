"""Labs as everybody but their own processes sees them: brought up, found, entered, taken down.

A lab is known by one folder of its owner's (see `places`), with a socket that hands out its namespaces.
"""

from __future__ import annotations

import array
import contextlib
import errno
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, Self

from msgspec import Struct

from probe.errors import LabError
from probe.lab import namespaces, places
from probe.lab.tools import python_path

if TYPE_CHECKING:
    from probe.lab.topology import Topology

_BUILD_PATIENCE = 60.0
_ANSWER_PATIENCE = 5.0
_END_PATIENCE = 10.0
_MAX_CARD = 1 << 20
_MAX_DESCRIPTORS = 253  # SCM_MAX_FD of the kernel


@dataclass(eq=False)
class Lab:
    """A lab that runs. `names` are its hosts and their addresses; it lives as long as the process behind the pidfd
    `keeper`, which ends last of all."""

    id: str
    name: str
    path: str
    detached: bool
    names: dict[str, list[IPv4Address | IPv6Address]]
    keeper: int
    _folder: Path
    _user: int
    _networks: dict[str, int]
    _lifeline: IO[bytes] | None = field(default=None, repr=False)

    @property
    def hosts(self) -> list[str]:
        return list(self.names)

    def enter(self, host: str) -> None:
        """Moves the calling process into the host's network, for good. It must not have threads: import numpy later.

        An ordinary user becomes root of the lab on the way, with all rights over its networks and none elsewhere.
        Raises LabError.
        """
        if host not in self._networks:
            raise LabError(f"the lab {self.name!r} has no host {host!r} (it has: {', '.join(self.hosts)})")
        try:
            namespaces.enter_network(self._networks[host], self._user)
        except OSError as error:
            threads = " (this process has threads already)" if error.errno == errno.EINVAL else ""
            raise LabError(f"could not enter {host!r} of the lab {self.name!r}: {error.strerror}{threads}") from error

    def command(self, host: str, argv: Sequence[str]) -> list[str]:
        """A command line that runs `argv` on the host, for subprocess."""
        python = ["env", f"PYTHONPATH={python_path()}", sys.executable, "-P"]
        return [*python, "-m", "probe.lab.enter", self.id, host, *argv]

    def run(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """`subprocess.run` on the host; text mode, output captured."""
        return subprocess.run(self.command(host, argv), text=True, capture_output=True, **options)  # noqa: S603

    def close(self) -> None:
        """Takes the lab down if this process owns it; else lets go of it. Returns once every process of it is gone."""
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None
            _await_end(self)
        self._let_go()

    def _let_go(self) -> None:
        for descriptor in {self.keeper, self._user, *self._networks.values()} - {-1}:
            os.close(descriptor)
        self.keeper, self._user, self._networks = -1, -1, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LabInfo(Struct, frozen=True):
    """A line of `probe lab list`. `detached` labs live until `down`, others end with the process that made them."""

    id: str
    name: str
    path: str
    detached: bool
    names: dict[str, list[IPv4Address | IPv6Address]]


def up(topology: Topology, *, owner: Literal["process", "detached"]) -> Lab:
    """Builds the lab and returns when all its servers answer. Owned by `process` it ends with this process, however
    that ends; `detached` it stays until `down`. Raises LabError, and then nothing of it is left."""
    from probe.lab.compile import make_plan

    identity, folder, listener = places.new(topology.name)
    with listener, (folder / "holder.log").open("w+b") as log:
        holder = _start_holder(folder, listener, log)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        plan = make_plan(topology, identity, folder, owner == "detached")
        with contextlib.suppress(BrokenPipeError):  # A holder that ended already has said why.
            holder.stdin.write(plan.dumps().encode() + b"\n")
            holder.stdin.flush()
        _await_report(holder, folder)
        lab = _connect(folder, _ANSWER_PATIENCE)
    except BaseException as error:
        _abandon(holder, folder)
        if isinstance(error, OSError):
            raise LabError(f"could not build the lab {topology.name!r}: {error}") from error
        raise
    holder.stdout.close()
    if owner == "process":
        lab._lifeline = holder.stdin
    else:
        holder.stdin.close()
    return lab


def _start_holder(folder: Path, listener: socket.socket, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The holder forks away at once, so that the lab's processes are nobody's children to forget. A session of its own
    keeps the terminal's Ctrl-C from it: the owner decides when the lab ends."""
    number = listener.fileno()
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "probe.lab.holder", str(folder), str(number)],
        env=os.environ | {"PYTHONPATH": python_path()},
        pass_fds=[number],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd="/",
        start_new_session=True,
    )


def _await_report(holder: subprocess.Popen[bytes], folder: Path) -> None:
    assert holder.stdout is not None
    if not select.select([holder.stdout], [], [], _BUILD_PATIENCE)[0]:
        raise LabError(f"the lab was not ready in {_BUILD_PATIENCE:g} s")
    line = holder.stdout.readline()
    holder.wait()
    if not line:
        log = folder / "holder.log"
        raise LabError(
            "the lab's holder ended unasked: " + (log.read_text()[-2000:].strip() if log.exists() else "killed")
        )
    if error := json.loads(line)["error"]:
        raise LabError(str(error))


def _abandon(holder: subprocess.Popen[bytes], folder: Path) -> None:
    """The lab ends with its standard input, also while it is built; its standard output ends when it is gone."""
    assert holder.stdin is not None
    assert holder.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        holder.stdin.close()
    while select.select([holder.stdout], [], [], _END_PATIENCE)[0] and os.read(holder.stdout.fileno(), _MAX_CARD):
        continue
    holder.stdout.close()
    holder.wait()
    places.remove(folder)


def _connect(folder: Path, patience: float) -> Lab:
    """A lab by its folder. Raises OSError where there is none, or none that answers."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(patience)
        door.connect(str(folder / places.SOCKET))
        # Opened before the answer comes: until then the lab lives, and nobody else can have got its pid.
        keeper = os.pidfd_open(_peer(door))
        try:
            card, descriptors = _receive(door)
        except BaseException:
            os.close(keeper)
            raise
    names = {host: [ip_address(text) for text in texts] for host, texts in card.pop("hosts").items()}
    user, *networks = descriptors
    return Lab(
        **card,
        names=names,
        keeper=keeper,
        _folder=folder,
        _user=user,
        _networks=dict(zip(names, networks, strict=True)),
    )


def _peer(door: socket.socket) -> int:
    pid, _, _ = struct.unpack("3i", door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(pid)


def _receive(door: socket.socket) -> tuple[dict[str, Any], list[int]]:
    room = socket.CMSG_SPACE(_MAX_DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, _, _ = door.recvmsg(_MAX_CARD, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content)
    if not descriptors:
        raise ConnectionResetError(errno.ECONNRESET, "the lab ended")
    while more := door.recv(_MAX_CARD):
        data += more
    return json.loads(data), list(descriptors)


def running() -> list[Lab]:
    """All labs of this user; the folders of dead ones are removed. The caller closes them."""
    labs = []
    for folder in places.living():
        try:
            labs.append(_connect(folder, _ANSWER_PATIENCE))
        except OSError:
            continue  # It ended meanwhile, or is being built.
    return labs


def list_labs() -> list[LabInfo]:
    infos = []
    for lab in running():
        with lab:
            infos.append(LabInfo(lab.id, lab.name, lab.path, lab.detached, lab.names))
    return infos


def attach(identity: str | None) -> Lab:
    """A running lab by id or name; without one, the only lab there is. Raises LabError."""
    labs = running()
    wanted = [lab for lab in labs if identity in (None, lab.id)] or [lab for lab in labs if identity == lab.name]
    for lab in labs:
        if lab not in wanted or len(wanted) != 1:
            lab.close()
    if len(wanted) == 1:
        return wanted[0]
    if wanted:
        raise LabError(f"more than one lab is running, name one: {', '.join(lab.id for lab in wanted)}")
    known = f" (running: {', '.join(lab.id for lab in labs)})" if labs else "; start one with `probe lab up TOPOLOGY`"
    raise LabError((f"no lab {identity!r} is running" if identity else "no lab is running") + known)


def up_detached(path: str) -> str:
    """Builds the topology of the file and leaves it running. Returns its id."""
    from probe.lab.topology import load

    with up(load(path), owner="detached") as lab:
        return lab.id


def down(identity: str | None) -> str:
    """Takes a lab down, whoever owns it, and returns its id once it is gone."""
    with attach(identity) as lab:
        signal.pidfd_send_signal(lab.keeper, signal.SIGTERM)
        _await_end(lab)
        return lab.id


def _await_end(lab: Lab) -> None:
    """The keeper ends after everything else in the lab."""
    if not select.select([lab.keeper], [], [], _END_PATIENCE)[0]:
        signal.pidfd_send_signal(lab.keeper, signal.SIGKILL)
        select.select([lab.keeper], [], [], _END_PATIENCE)
    places.remove(lab._folder)


def exec_(identity: str | None, host: str, argv: Sequence[str]) -> NoReturn:
    """Replaces this process by a command on a lab host, with unpacked tools on its PATH. Raises LabError."""
    from probe.lab.tools import exec_environment

    lab = attach(identity)
    environment = exec_environment(Path(lab.path).parent)
    lab.enter(host)
    try:
        os.execvpe(argv[0], list(argv), environment)  # noqa: S606 - what was asked for
    except OSError as error:
        raise LabError(f"could not run {argv[0]!r}: {error.strerror}") from error
