"""One command line to one command, and every error to a sentence and an exit code."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys

from probe.cli import COMMANDS
from probe.cli.parser import parser_for
from probe.errors import ProbeError, ProfileError, UsageError

_MODULES = {"run": "scanning", "scan": "scanning", "plan": "inspecting", "check": "inspecting", "ports": "inspecting"}
_MODULES |= {"find": "scanning", "trace": "tracing", "schema": "inspecting", "doctor": "doctor", "lab": "labs"}
_MODULES |= {"diff": "histories", "runs": "histories", "show": "histories", "learn": "scanning", "merge": "histories"}

GARBAGE = 100_000  # new objects from one look for garbage to the next


def dispatch(arguments: list[str]) -> int:
    """Parse and carry out; returns the exit code. Errors are written to standard error, never raised."""
    name, rest = arguments[0], arguments[1:]
    # A command is over before much garbage is in cycles; to look for it each time that 700 objects are new takes a
    # fifth of the start. And at its end the interpreter would look through all it has: 15 ms.
    gc.set_threshold(GARBAGE)
    atexit.register(gc.freeze)
    try:
        if name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, 1)
            raise UsageError(
                f"unknown command {name!r}{f' (did you mean {near[0]!r}?)' if near else ''}; see probe --help"
            )
        options = parser_for(name).parse_args(rest)
        return int(getattr(importlib.import_module(f"probe.cli.{_MODULES[name]}"), name)(options))
    except SystemExit as end:  # argparse has printed a --help page
        return int(end.code or 0)
    except ProfileError as error:
        return _say(str(error), error.exit_code)
    except ProbeError as error:
        return _say(f"probe: {error}", error.exit_code)
    except BrokenPipeError:  # the reader of our standard output went away; keep the interpreter from flushing into it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130


def _say(text: str, code: int) -> int:
    sys.stderr.write(_printable(text) + "\n")
    return code


def _printable(text: str) -> str:
    """Messages may quote what somebody else wrote: no control character reaches the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)
