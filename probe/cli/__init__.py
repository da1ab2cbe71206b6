"""The front door: options in, exit code out, no logic.

`probe --help` is answered from the table below, before anything is imported: it is what people type most, and it should
cost little more than starting Python. Each command is a function of one module here, imported when it is asked for.
"""

from __future__ import annotations

import sys

COMMANDS = {
    "run": "scan what a profile names, judge it against its expectations, write the results",
    "scan": "a quick look without a profile",
    "trace": "one handshake, packet by packet, and what it means",
    "find": "where a service answers, whatever the port",
    "learn": "scan now, and write the profile that expects exactly this",
    "merge": "the results of several shards as one run",
    "diff": "what changed between two runs",
    "runs": "the history: which runs there were",
    "show": "a run of the history again, in any format",
    "plan": "what `run` would send; sends nothing",
    "check": "validate profiles",
    "ports": "the well-known-ports table, by number or name",
    "lab": "rehearsal networks on their own: up, down, exec, list",
    "doctor": "what this machine and this user can do, and how to get what is missing",
    "schema": "the JSON Schema of the profile, for editors",
}

_HELP = f"""\
Usage: probe COMMAND [OPTIONS] [ARGUMENTS]

Holds a network against what its rules promise: sends SYN probes, says who caused each
answer, completes the handshake, names the service, and compares all of it with a profile.

Commands:
{chr(10).join(f"  {name:<8}{text}" for name, text in COMMANDS.items())}

Options:
  --help      this page; `probe COMMAND --help` for a command
  --version   the version

Example:
  probe run profiles/lab.yaml
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command line (without the program's name); returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        sys.stdout.write(_HELP)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from probe import __version__

        sys.stdout.write(f"probe {__version__}\n")
        return 0
    from probe.cli.dispatch import dispatch

    return dispatch(arguments)
