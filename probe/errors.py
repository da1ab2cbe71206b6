"""What goes wrong on our side. What a remote host does is never an exception: it is a verdict or a value.

Every error carries a sentence for people: what was wrong, where, what to do. `exit_code` is what `probe` ends with.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class ProbeError(Exception):
    """Anything that probe itself reports; its text is shown as it is, without a traceback."""

    exit_code = 2


class UsageError(ProbeError):
    """The command line is wrong; nothing was sent."""


class Problem(Struct, frozen=True):
    """One mistake in a file. Line and column count from 1."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class ProfileError(ProbeError):
    """A file that cannot be used, with every mistake in it, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class LabError(ProbeError):
    """The rehearsal network could not be built, entered or taken down."""


class WireError(ProbeError):
    """The local machine would not send or receive: no right, no route, no socket."""


class OutputError(ProbeError):
    """Results could not be written. Nothing was overwritten."""

    exit_code = 3


class ResultsError(ProbeError):
    """A file of results that cannot be read. Lines count from 1."""

    def __init__(self, path: str, line: int, message: str) -> None:
        self.path, self.line = path, line
        super().__init__(f"{path}:{line}: {message}")
