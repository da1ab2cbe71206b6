"""The processes that a lab consists of, so that nothing of it can outlive them.

    owner (probe run, probe lab up)
      └─ keeper    new user namespace; waits for the init, removes the lab's folder
           └─ init   process 1 of a new PID namespace; holds every host's network namespace, starts the servers
                └─ nft, sshd, nginx …

The kernel ends everything in a PID namespace with its process 1, and a network namespace with its last holder
(pid_namespaces(7)). The init dies with the keeper (PDEATHSIG), and ends when its standard input does: that pipe's other
end is held by the owner, so a killed owner takes its lab along. A detached lab does not look at the pipe.

Run as `python -m probe.lab.holder FOLDER SOCKET`, the latter the number of an open, bound socket, which hands out the
namespaces (see `client`). The plan comes as one line on standard input; one line of JSON goes to standard output:
{"error": null} or {"error": "why there is no lab"}. Standard output ends with the keeper, when nothing is left.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from probe.errors import LabError
from probe.lab.namespaces import NEW_PID, die_with_parent, explain, unshare, unshare_user
from probe.lab.plan import Plan, loads


def main() -> int:
    if os.fork():
        return 0
    folder = Path(sys.argv[1])
    with socket.socket(fileno=int(sys.argv[2])) as listener:
        # Again, here: the process that clients see at the other end is the one that called listen (unix(7)).
        listener.listen()
        try:
            unshare_user(0)
            unshare(NEW_PID)
        except OSError as error:
            _report(explain(error))
        else:
            _keep(listener)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _keep(listener: socket.socket) -> None:
    keeper = os.pidfd_open(os.getpid())
    if (init := os.fork()) == 0:
        _init(listener, keeper)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(init, signal.SIGKILL))
    os.waitpid(init, 0)


def _init(listener: socket.socket, keeper: int) -> NoReturn:
    try:
        die_with_parent()
        if not select.select([keeper], [], [], 0)[0]:
            _hold(listener)
    except BaseException as error:
        _report(f"the lab broke: {type(error).__name__}: {error}")
    os._exit(0)


def _hold(listener: socket.socket) -> None:
    from probe.lab.builder import build

    plan = loads(sys.stdin.buffer.readline())
    user = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        networks = build(plan)
    except LabError as error:
        _report(str(error))
        return
    # From here on nobody waits for a child: process 1 lets the kernel reap servers that end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _report(None)
    _serve(plan, listener, [user, *networks.values()])


def _serve(plan: Plan, listener: socket.socket, descriptors: list[int]) -> None:
    card = json.dumps(describe(plan)).encode()
    watched = [listener] if plan.detached else [listener, sys.stdin]
    while True:
        ready = select.select(watched, [], [])[0]
        if ready != [listener]:
            return
        with listener.accept()[0] as client:
            _hand_out(client, card, descriptors)


def _hand_out(client: socket.socket, card: bytes, descriptors: list[int]) -> None:
    try:
        socket.send_fds(client, [card], descriptors)
    except OSError:
        return  # The client went away; it will know why.


def describe(plan: Plan) -> dict[str, object]:
    """What a client is told of a lab. Hosts in the order of the descriptors that go with it."""
    hosts = {host.name: [text.split("/")[0] for link in host.links for text in link.addresses] for host in plan.hosts}
    return {"id": plan.id, "name": plan.name, "path": plan.path, "detached": plan.detached, "hosts": hosts}


def _report(error: str | None) -> None:
    try:
        os.write(1, json.dumps({"error": error}).encode() + b"\n")
    except OSError:
        return  # The owner went away.


if __name__ == "__main__":
    raise SystemExit(main())
