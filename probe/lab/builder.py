"""A plan becomes a network of this machine's kernel. Runs as process 1 of the lab, single-threaded.

Servers are started before the cables lie, so that their start-up and ours share the time.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from probe.errors import LabError
from probe.lab import daemons
from probe.lab.namespaces import NEW_NET, new_network, set_namespace
from probe.lab.plan import Command, Host, Plan

# Servers of ordinary users may take any port. Routes and addresses are what the topology says, nothing else.
_SYSCTL = {
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
}
_RULES_PATIENCE = 20.0


def build(plan: Plan) -> dict[str, int]:
    """Returns each host's network namespace as a descriptor. Raises LabError, OSError, pyroute2's NetlinkError."""
    networks: dict[str, int] = {}
    running: list[daemons.Running] = []
    for host in plan.hosts:
        networks[host.name] = new_network()
        _set_knobs(host)
        running += daemons.start(host)
    _wire(plan, networks)
    for host in plan.hosts:
        set_namespace(networks[host.name], NEW_NET)
        for rules in host.rules:
            _load(host, rules)
    daemons.wait(running, networks, {host.name: _families(host) for host in plan.hosts})
    return networks


def _wire(plan: Plan, networks: dict[str, int]) -> None:
    from probe.lab.wiring import wire

    wire(plan.hosts, networks)


def _set_knobs(host: Host) -> None:
    for key, value in (_SYSCTL | host.sysctl).items():
        try:
            Path("/proc/sys", *key.split(".")).write_text(value)
        except OSError as error:
            raise LabError(f"could not set the sysctl {key} on {host.name!r}: {error.strerror}") from error


def _load(host: Host, rules: Command) -> None:
    done = subprocess.run(  # noqa: S603 - nft, and the file that the topology names
        rules.argv, env=rules.env, capture_output=True, text=True, timeout=_RULES_PATIENCE, check=False
    )
    if done.returncode:
        raise LabError(f"the rules of {host.name!r} were refused:\n{(done.stderr or done.stdout).strip()}")


def _families(host: Host) -> set[int]:
    return {6 if ":" in address else 4 for link in host.links for address in link.addresses}
