"""The daemons on their stage: one lab host, each in its jail, each on a port drawn by lot."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bench.services.catalog import Entry
from lab.bench.services.fetch import REPOSITORY, UNPACKED
from probe.lab import Lab
from probe.lab.keys import write_ssh, write_tls

ADDRESS = "198.18.0.2"
SETTLE = 2.0  # seconds: some accept before they are ready to talk
_JAIL = Path(__file__).with_name("jail.py")
_POLL = 0.2
_LOG_TAIL = 1500


@dataclass(frozen=True, slots=True)
class Actor:
    """A daemon that runs. `folder` has its log, on `port` it accepts."""

    entry: Entry
    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="backslashreplace")[-_LOG_TAIL:].strip()


@contextlib.contextmanager
def play(lab: Lab, entries: Sequence[Entry], seed: int, folder: Path) -> Iterator[list[Actor]]:
    """Starts all, moves this process to the scanner's host for good, and yields those that accept within their
    patience; the others are told on stderr. They end with the block."""
    keys = write_tls(folder, ["bench.lab"], []) | write_ssh(folder)
    actors = []
    try:
        for entry, port in zip(entries, draw(seed, len(entries)), strict=True):
            actors.append(_start(lab, entry, port, folder, keys))
        lab.enter("scanner")  # Not before: an ordinary user becomes somebody else on the way, who finds no lab.
        up = _wait(actors)
        time.sleep(SETTLE)
        yield [actor for actor in up if _still_runs(actor)]
    finally:
        for actor in actors:
            actor.process.kill()
        for actor in actors:
            actor.process.wait()


def draw(seed: int, count: int) -> list[int]:
    """Different ports where nothing is registered by habit, below the kernel's range for clients."""
    return random.Random(seed).sample(range(20000, 32000), count)


def _start(lab: Lab, entry: Entry, port: int, stage: Path, keys: dict[str, str]) -> Actor:
    folder = stage / entry.key
    (folder / "root").mkdir(parents=True)
    values = {"PORT": str(port), "PORT2": str(port + 12000), "ADDRESS": ADDRESS}
    inside = {"cert": "/run/cert.pem", "key": "/run/key.pem", "ssh_key": "/run/ssh_key"}
    values |= {name.upper(): path for name, path in inside.items()}
    pairs = {path: Path(keys[name]).read_text() for name, path in inside.items()}
    spec = {
        "packages": [str(UNPACKED / package) for package in entry.packages],
        "root": str(folder / "root"),
        "user": entry.user,
        "accounts": entry.accounts,
        "files": pairs | {path: filled(text, values) for path, text in entry.files.items()},
        "run": entry.run,
        "env": values | {"PATH": "/usr/sbin:/usr/bin", "HOME": "/run", "LANG": "C.UTF-8"},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    command = lab.command("servers", [sys.executable, "-P", str(_JAIL), str(folder / "spec.json")])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    return Actor(entry, port, folder, process)


def filled(text: str, values: dict[str, str]) -> str:
    """`$PORT` and the like; any other dollar sign is the configuration's own."""
    return re.sub(r"\$([A-Z_]+2?)\b", lambda found: values.get(found[1], found[0]), text)


def _wait(actors: Sequence[Actor]) -> list[Actor]:
    """Those that accept in time, in their order. All are waited for at once."""
    began, waiting, up = time.monotonic(), list(actors), set[str]()
    while waiting:
        up |= {actor.entry.key for actor in waiting if _accepts(actor)}
        late = time.monotonic() - began
        lost = [it for it in waiting if it.process.poll() is not None or late > it.entry.patience]
        for actor in lost:
            _told(actor, "did not accept")
        waiting = [actor for actor in waiting if actor.entry.key not in up and actor not in lost]
        time.sleep(_POLL)
    return [actor for actor in actors if actor.entry.key in up]


def _accepts(actor: Actor) -> bool:
    with socket.socket() as door:
        door.settimeout(1.0)
        return door.connect_ex((ADDRESS, actor.port)) == 0


def _still_runs(actor: Actor) -> bool:
    return actor.process.poll() is None or _told(actor, "ended")


def _told(actor: Actor, what: str) -> bool:
    print(f"{actor.entry.key} {what}; it wrote:\n{actor.log or '(nothing)'}\n", file=sys.stderr)
    return False
