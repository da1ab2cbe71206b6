"""The commands that send nothing: check, plan, ports, schema."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from probe.cli.profiles import load_profile
from probe.errors import ProfileError


def check(options: Namespace) -> int:
    """Every problem of every profile on standard output, as file:line:column: message; 0 if there is none, else 2."""
    code = 0
    for path in options.profiles:
        try:
            load_profile(path)
        except ProfileError as error:
            print(error)  # noqa: T201
            code = error.exit_code
    return code


def plan(options: Namespace) -> int:
    """What `run` would send. Names are looked up, a lab is built for its names, and no probe leaves."""
    from probe.cli.scanning import vantage_of
    from probe.profile import resolve

    profile = load_profile(options.profile)
    with vantage_of(profile) as lookup:
        resolution = resolve(profile, lookup)
    from probe.core.plan import Plan
    from probe.report.plan import lines

    for line in lines(profile, resolution.targets, Plan.of(resolution.targets, profile.scan)):
        print(line)  # noqa: T201
    return 0


def ports(options: Namespace) -> int:
    """Matching lines of the table; 1 where nothing matches, as grep does."""
    from probe.services.ports import search

    entries = search(options.query)
    for entry in entries:
        print(f"{entry.port:>5}/{entry.transport}  {entry.name}")  # noqa: T201
    if not entries:
        sys.stderr.write(f"probe: nothing in the table matches {options.query!r}\n")
    return 0 if entries else 1


def schema(_options: Namespace) -> int:
    from probe.profile import json_schema

    print(json.dumps(json_schema(), indent=2))  # noqa: T201
    return 0
