"""The system calls that make and enter namespaces; `os.unshare` and `os.setns` came with Python 3.12 only.

A user namespace gives an ordinary user all rights over the namespaces made inside it, and none outside
(user_namespaces(7)). The kernel lets only a single-threaded process make or enter one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from pathlib import Path

NEW_USER = 0x10000000
NEW_PID = 0x20000000
NEW_NET = 0x40000000

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leaves namespaces shared so far for new ones. Raises OSError."""
    _call("unshare", flags)


def set_namespace(descriptor: int, kind: int) -> None:
    """Enters the namespace behind a descriptor. Raises OSError: EINVAL also means "this process has threads"."""
    _call("setns", descriptor, kind)


def unshare_user(inside: int) -> None:
    """Makes a user namespace in which the caller is the user and group `inside`, and nobody else exists."""
    user, group = os.geteuid(), os.getegid()
    unshare(NEW_USER)
    # Without this an ordinary user may not map groups: dropping one could open files that deny it (CVE-2014-8989).
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{inside} {group} 1")


def new_network() -> int:
    """Moves this process into a new, empty network namespace and returns a descriptor of it."""
    unshare(NEW_NET)
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter_network(network: int, user: int) -> None:
    """Enters a network, by way of the user namespace that owns it where this process has no right over it yet.

    Root keeps its rights over files that way. Raises OSError.
    """
    try:
        set_namespace(network, NEW_NET)
    except PermissionError:
        set_namespace(user, NEW_USER)
        set_namespace(network, NEW_NET)


def die_with_parent() -> None:
    """SIGKILL for this process once its parent's thread ends. A change of user namespace resets it: call it after."""
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def refuse_privileges() -> None:
    """From now on no set-user-ID program gives this process or its children more rights."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def explain(error: OSError) -> str:
    """What to do where the kernel makes no namespaces."""
    if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EINVAL, errno.ENOSYS):
        return (
            f"this machine does not let you make namespaces ({error.strerror}). They need unprivileged user "
            "namespaces: see the sysctls user.max_user_namespaces, kernel.unprivileged_userns_clone (Debian) and "
            "kernel.apparmor_restrict_unprivileged_userns (Ubuntu), or run as root; a container needs CAP_SYS_ADMIN"
        )
    return f"could not make namespaces: {error}"
