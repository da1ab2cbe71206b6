"""A small root for one daemon: its package laid over this system by overlayfs, everything that it writes in memory.

    python jail.py SPEC

Debian's daemons look for files by absolute path and for users by name. Here they find both, though nothing was
installed: a new user namespace (in which the daemon has no right over the network it serves), mount and process
namespace, a tmpfs as root, and `/usr`, `/etc` and `/var` of the package over those of the system. When this process
ends, the kernel ends the first process inside, and with it all others (pid_namespaces(7)).

SPEC is a JSON file: `packages` (folders that they are unpacked in), `root` (an empty folder to mount on), `user` (a
number, or `many`), `accounts` (names for that user, or with `many` for one more user each), `files` (path → text),
`run` (shell script), `env`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from probe.lab import namespaces

_NEW_NS, _NEW_UTS, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_FOLDERS = ("dev/shm", "home", "proc", "run/lock", "tmp", "var/tmp", "var/log", "var/lib", "var/cache")
_UNUSED = 1_000_001  # numbers that no user has: those who are many inside are strangers outside

_libc = ctypes.CDLL(None, use_errno=True)


def main(path: str) -> int:
    spec = json.loads(Path(path).read_text())
    if spec["user"] == "many":
        _become_many()
    else:
        namespaces.unshare_user(spec["user"])
    namespaces.die_with_parent()
    namespaces.unshare(_NEW_NS | _NEW_UTS | _NEW_IPC | namespaces.NEW_PID)
    child = os.fork()
    if child == 0:
        namespaces.die_with_parent()
        return _inside(spec)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become_many() -> None:
    """A user namespace with all users. Who has no rights outside of it can map only himself (user_namespaces(7)): a
    child that stays outside does it, and for root only."""
    go, ready = os.pipe()
    me, mapper = os.getpid(), os.fork()
    if mapper == 0:
        os.close(ready)
        os.read(go, 1)
        os._exit(_map_many(me))
    namespaces.unshare(namespaces.NEW_USER)
    os.close(ready)
    if os.waitpid(mapper, 0)[1] != 0:
        raise SystemExit("only root can run a daemon that switches between users")
    os.setgroups([])


def _map_many(pid: int) -> int:
    try:
        for kind in ("uid", "gid"):
            Path(f"/proc/{pid}/{kind}_map").write_text(f"0 0 1\n1 {_UNUSED} 65534\n")
    except OSError:
        return 1
    return 0


def _inside(spec: dict[str, Any]) -> int:
    """As process 1: build the root, start the script, and stay until every process is gone."""
    root = Path(spec["root"])
    _build(root, [Path(package) for package in spec["packages"]])
    _mark(root, spec)
    os.chroot(root)
    os.chdir("/run")
    namespaces.refuse_privileges()
    child = os.fork()
    if child == 0:
        os.execve("/bin/sh", ["sh", "-eu", "-c", spec["run"]], spec["env"])
    code = 0
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return code
        code = os.waitstatus_to_exitcode(status) if pid == child else code


def _build(root: Path, packages: list[Path]) -> None:
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", root, "tmpfs", 0, "mode=755")
    lower = [_bound(root, number, package) for number, package in enumerate(packages)]
    for name in ("usr", "etc"):
        _overlay(root, name, [*(package / name for package in lower), Path("/", name)])
    _overlay(root, "var", [package / "var" for package in lower])
    for name in ("bin", "sbin", "lib", "lib64"):  # merged into /usr on the system, not yet in every package
        unmerged = [package / name for package in lower if (package / name).is_dir()]
        if unmerged:
            _overlay(root, f"usr/{name}", [*unmerged, root / "usr" / name])
        (root / name).symlink_to(f"usr/{name}")
    _furnish(root)


def _bound(root: Path, number: int, package: Path) -> Path:
    """The package in a folder of ours, because a colon in its path would end it in overlayfs' options."""
    place = root / ".layers" / str(number)
    place.mkdir(parents=True)
    _mount(package, place, None, _BIND)
    return place


def _furnish(root: Path) -> None:
    for name in _FOLDERS:
        (root / name).mkdir(exist_ok=True, parents=True)
    (root / "tmp").chmod(0o1777)
    for name in _DEVICES:
        (root / "dev" / name).touch()
        _mount(Path("/dev", name), root / "dev" / name, None, _BIND)
    (root / "dev/fd").symlink_to("/proc/self/fd")
    if not (root / "var/run").exists():
        (root / "var/run").symlink_to("/run")
    _mount("proc", root / "proc", "proc")


def _overlay(root: Path, name: str, lower: list[Path]) -> None:
    """Mounts the folders in `lower`, the first one on top, on `root/name`."""
    upper, work = (root / ".layers" / f"{kind}-{name.replace('/', '-')}" for kind in ("upper", "work"))
    for folder in (upper, work, root / name):
        folder.mkdir(exist_ok=True, parents=True)
    stack = ":".join(str(folder) for folder in lower if folder.is_dir())
    if stack:
        _mount("overlay", root / name, "overlay", 0, f"lowerdir={stack},upperdir={upper},workdir={work},userxattr")


def _mark(root: Path, spec: dict[str, Any]) -> None:
    """What makes it this daemon's system: accounts that are all one user, no name server, the entry's files."""
    numbers = accounts(spec["user"], spec["accounts"])
    passwd = "".join(f"{name}:x:{number}:{number}:{name}:/run:/bin/sh\n" for name, number in numbers.items())
    groups = "".join(f"{name}:x:{number}:\n" for name, number in {**numbers, "nogroup": numbers["nobody"]}.items())
    system = {
        "/etc/passwd": passwd,
        "/etc/group": groups,
        "/etc/hosts": "127.0.0.1 localhost bench.lab bench\n::1 localhost\n",
        "/etc/hostname": "bench.lab\n",
        "/etc/resolv.conf": "nameserver 127.0.0.1\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\n",
    }
    _libc.sethostname(b"bench.lab", 9)
    for name, text in {**system, **spec["files"]}.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)


def accounts(user: int | str, names: list[str]) -> dict[str, int]:
    """Who there is: root, and the others as one user or, where the daemon must see them differ, as many."""
    others = ["daemon", "nobody", *names]
    numbers = range(1, len(others) + 1) if user == "many" else [int(user)] * len(others)
    return {"root": 0, **dict(zip(others, numbers, strict=True))}


def _mount(source: str | Path, target: str | Path, kind: str | None, flags: int = 0, options: str = "") -> None:
    def encoded(value: str | Path | None) -> bytes | None:
        return None if value is None else os.fsencode(value)

    if _libc.mount(encoded(source), encoded(target), encoded(kind), ctypes.c_ulong(flags), encoded(options)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind or 'bind'} on {target}: {os.strerror(number)}")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for whoever started us
    sys.exit(main(sys.argv[1]))
