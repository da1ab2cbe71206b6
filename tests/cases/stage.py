"""`python -m tests.cases.stage`: plays cases, some at once, each in a forked process with a network of its own.

One JSON line on standard input: {"jobs": [{"case": …, "argv": […]} …], "at_once": N, "folder": …}. One line on standard
output for each job, in the order in which they end: see `perform.Outcome`. Everything ends with standard input, and
with us: it lives in a PID namespace, which the kernel empties when its first process ends (pid_namespaces(7)).

The heavy imports are made once, before the forks; the user namespace before them, since numpy starts threads.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe.lab.namespaces import NEW_PID, die_with_parent, new_network, unshare, unshare_user
from probe.lab.tools import Tool, provide

if TYPE_CHECKING:
    from tests.cases.perform import Outcome

_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class _Act:
    """A case that is being played."""

    pid: int
    pipe: int
    case: str
    text: bytearray


def main() -> int:
    order = json.loads(sys.stdin.readline())
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    nft = provide(["nft"], {"nft": "nftables"}, _REPOSITORY)["nft"]
    if os.environ.get("CASES_WIRE") != "xdp":  # which may load no program from a user namespace: real root is needed
        unshare_user(0)
    unshare(NEW_PID)
    if init := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(init, 0)[1])
    die_with_parent()
    code = _play(order, nft)
    sys.stdout.flush()
    os._exit(code)


def _play(order: dict[str, Any], nft: Tool) -> int:
    _warm_up()
    from tests.cases.corpus import corpus
    from tests.cases.perform import Job, perform

    cases = {case.id: case for case in corpus(Path(order["folder"]))}
    with tempfile.TemporaryDirectory() as folder:
        waiting, running = deque(Job(**job) for job in order["jobs"]), list[_Act]()
        while waiting or running:
            while waiting and len(running) < order["at_once"]:
                job = waiting.popleft()
                running.append(_fork(job.case, partial(perform, cases[job.case], job, nft, Path(folder))))
            if not _attend(running):
                return 1
    return 0


def _warm_up() -> None:
    """Imports and tables that every scan needs, fetched by a scan that cannot send: this network has no card."""
    new_network()
    words, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    from probe.cli import main

    main(["scan", "198.18.0.1", "-p", "1", "-o", "jsonl:-", "--no-progress"])
    sys.stdout.flush()
    os.dup2(words, 1)
    for name in ("pyroute2", "probe.lab.wiring", "probe.net.streams", "probe.net.tls", "probe.services.identify"):
        importlib.import_module(name)
    gc.freeze()


def _fork(case: str, play: Callable[[], Outcome]) -> _Act:
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return _Act(pid, read, case, bytearray())
    try:
        die_with_parent()
        told = play().as_dict()
    except BaseException:
        told = {"case": case, "error": traceback.format_exc(limit=-4)}
    with os.fdopen(write, "w") as pipe:
        json.dump(told, pipe)
    os._exit(0)


def _attend(running: list[_Act]) -> bool:
    """Waits for a word from anyone; False once nobody wants to hear more."""
    ready = select.select([sys.stdin, *(act.pipe for act in running)], [], [])[0]
    if sys.stdin in ready:
        return False
    for act in [act for act in running if act.pipe in ready]:
        data = os.read(act.pipe, 1 << 16)
        act.text += data
        if not data:
            os.close(act.pipe)
            os.waitpid(act.pid, 0)
            running.remove(act)
            default = json.dumps({"case": act.case, "error": "the process of the case ended without a word"})
            sys.stdout.write((act.text.decode() or default) + "\n")
            sys.stdout.flush()
    return True


if __name__ == "__main__":
    raise SystemExit(main())
