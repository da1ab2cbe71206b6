"""`probe doctor`: what this machine and this user can do, each line tried and not guessed."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

Answer = tuple[bool, str]


def doctor(_options: Namespace) -> int:
    """One line per ability; 0 if a scan and a lab are both possible, else 1."""
    answers = [(name, *look()) for name, look in _LOOKS.items()]
    width = max(len(name) for name, *_ in answers)
    for name, good, text in answers:
        print(f"{'ok     ' if good else 'missing'}  {name:<{width}}  {text}")  # noqa: T201
    return 0 if all(good for _, good, _ in answers) else 1


def _python() -> Answer:
    return sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.system()} {platform.release()}"


def _packets() -> Answer:
    """numpy lays our packets out, on whatever machine this is: scapy shall agree with every byte."""
    from ipaddress import ip_address

    import numpy as np

    from probe.core.block import split
    from probe.core.frames import Stamp, syn4, syn6
    from probe.net import oracle
    from probe.net.craft import syn_templates

    for here, there, stamped, template in (
        ("198.18.0.1", "198.18.255.254", syn4, syn_templates().ipv4),
        ("fd18::1", "fd18:ffff::fffe", syn6, syn_templates().ipv6),
    ):
        source, destination = ip_address(here), ip_address(there)
        ends = [np.array(split(each), np.uint64).reshape(2, 1) for each in (source, destination)]
        (from_high, from_low), (to_high, to_low) = ends
        port, seq = np.array([443], np.uint16), np.array([0xFEDCBA98], np.uint32)
        ours = stamped(template, Stamp((from_high, from_low), (to_high, to_low), 40000, port, seq, 0x1234567)).tobytes()
        if ours != oracle.syn(source, destination, 40000, 443, 0xFEDCBA98, tsval=0x1234567):
            return False, "our SYNs are not what scapy builds here: please report this machine and its numpy"
    return True, "our SYNs are what scapy builds, byte for byte"


def _raw_sockets() -> Answer:
    try:
        for family, kind, protocol in (
            (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
            (socket.AF_PACKET, socket.SOCK_DGRAM, 0),
        ):
            socket.socket(family, kind, protocol).close()
    except OSError as error:
        return (
            False,
            f"{error.strerror}: scans fall back to connect(); run as root, or rehearse in a lab (no root needed)",
        )
    return True, "SYN scans on the real network"


def _fast_wires() -> Answer:
    """Nothing is missing without them: they are only faster."""
    from probe.errors import WireError
    from probe.net.wires import NAMES, hindrance, open_wire

    found = []
    for name in NAMES[1:]:
        try:
            wire = open_wire(name, 0)
        except WireError as error:
            found.append(str(error))
            continue
        why = hindrance(wire)
        wire.close()
        found.append(f"no {name} wire: {why}" if why else name)
    return True, "; ".join(found)


def _ipv6() -> Answer:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        return False, f"{error.strerror}: IPv6 targets will be reported as not-sent"
    return True, "::1 answers to bind"


def _namespaces() -> Answer:
    flags = "" if os.geteuid() == 0 else "--user --map-root-user "
    try:
        done = subprocess.run(  # noqa: S603
            ["/usr/bin/env", "unshare", *flags.split(), "--net", "true"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{error}: labs need network namespaces (util-linux's unshare)"
    if done.returncode:
        return False, f"{done.stderr.strip()}: allow user namespaces (sysctl user.max_user_namespaces), or run as root"
    return True, f"labs can be built ({'as root' if not flags else 'without root, by a user namespace'})"


def _nft() -> Answer:
    from probe.lab.tools import find

    tool = find("nft", Path.cwd())
    return bool(tool), tool.path if tool else "not found; `sh lab/debs.sh nftables` unpacks it beside the project"


_LOOKS: dict[str, Callable[[], Answer]] = {
    "python": _python,
    "packets": _packets,
    "raw sockets": _raw_sockets,
    "fast wires": _fast_wires,
    "ipv6": _ipv6,
    "namespaces": _namespaces,
    "nft": _nft,
}
