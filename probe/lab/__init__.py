"""Rehearsal networks: hosts, cables, firewalls and servers of one machine's kernel, for as long as they are needed.

topology (YAML) → compile → plan (JSON) → holder (namespaces, wiring, daemons) → client (enter, exec, down)

    with up(load("lab/office.yaml"), owner="process") as lab:
        lab.enter("internet")          # this process is now on that host; early, before numpy starts threads

Nothing here is imported before it is used: pydantic, YAML and pyroute2 together cost half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.lab.client import Lab, LabInfo, attach, down, exec_, list_labs, up, up_detached
    from probe.lab.topology import Topology, load

__all__ = ["Lab", "LabInfo", "Topology", "attach", "down", "exec_", "list_labs", "load", "up", "up_detached"]

_TOPOLOGY = {"Topology", "load"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("probe.lab.topology" if name in _TOPOLOGY else "probe.lab.client"), name)
