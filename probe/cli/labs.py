"""`probe lab`: rehearsal networks on their own."""

from __future__ import annotations

from argparse import Namespace

from probe import lab as labs
from probe.errors import UsageError


def lab(options: Namespace) -> int:
    return _ACTIONS[options.action](options)


def _up(options: Namespace) -> int:
    print(labs.up_detached(options.topology))  # noqa: T201
    return 0


def _down(options: Namespace) -> int:
    print(labs.down(options.lab))  # noqa: T201
    return 0


def _exec(options: Namespace) -> int:
    if not options.command:
        raise UsageError(
            "probe lab exec HOST COMMAND: no command given, such as `probe lab exec edge nft list ruleset`"
        )
    labs.exec_(options.lab, options.host, options.command)


def _list(_options: Namespace) -> int:
    for info in labs.list_labs():
        print(f"{info.id}  {info.path}")  # noqa: T201
        for host, addresses in info.names.items():
            print(f"  {host:<12} {' '.join(map(str, addresses))}")  # noqa: T201
    return 0


_ACTIONS = {"up": _up, "down": _down, "exec": _exec, "list": _list}
