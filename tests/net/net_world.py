"""Networks of our own for the tests of `probe.net`: a host with a router between it and another, and a way to ask it.

here ──198.18.0.0/24── edge ──198.18.1.0/24── web
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from probe.lab import Lab
from probe.lab.tools import Tool, provide

TOPOLOGY = """\
version: 1
name: ways
networks:
  wan: [198.18.0.0/24, "fd18::/64"]
  dmz: [198.18.1.0/24, "fd18:1::/64"]
hosts:
  here:
    links: {wan: [198.18.0.10, "fd18::10"]}
    routes: {198.18.1.0/24: [198.18.0.1], "fd18:1::/64": ["fd18::1"]}
  edge:
    links: {wan: [198.18.0.1, "fd18::1"], dmz: [198.18.1.1, "fd18:1::1"]}
    router: true
  web:
    sysctl: {net.ipv4.icmp_ratelimit: 0, net.ipv6.icmp.ratelimit: 0}
    links: {dmz: [198.18.1.10, "fd18:1::10"]}
    routes: {198.18.0.0/24: [198.18.1.1], "fd18::/64": ["fd18:1::1"]}
"""

REPOSITORY = Path(__file__).parents[2]


def told(lab: Lab, host: str, script: str) -> Any:
    """What the Python `script` prints as JSON on a host. It must not say anything else, nor fail."""
    done = lab.run(host, [sys.executable, "-c", script], cwd=REPOSITORY, timeout=30)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def nft_tool() -> Tool:
    return provide(["nft"], {"nft": "nftables"}, REPOSITORY)["nft"]


def nft(lab: Lab, host: str, rules: str) -> None:
    """Loads rules on a host, instead of those that it had."""
    tool = nft_tool()
    text = f"flush ruleset\n{rules}"
    done = lab.run(host, [tool.path, "-f", "-"], input=text, env=os.environ | tool.environment, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
