"""The other end of `stage`: starts it, hands it jobs, gives outcomes as they come."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cases.corpus import FOLDER
from tests.cases.perform import Job, Outcome, Run

REPOSITORY = Path(__file__).resolve().parents[2]
AT_ONCE = 24  # cases mostly wait, so there are far more of them than processors


class Troupe:
    """Plays jobs in the background until it is closed."""

    def __init__(self, jobs: Iterable[Job], at_once: int = AT_ONCE, folder: Path = FOLDER) -> None:
        self._stage = subprocess.Popen(
            [sys.executable, "-m", "tests.cases.stage"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._stage.stdin is not None
        order = {"jobs": [asdict(job) for job in jobs], "at_once": at_once, "folder": str(folder)}
        self._stage.stdin.write(json.dumps(order) + "\n")
        self._stage.stdin.flush()

    def outcomes(self) -> Iterator[Outcome]:
        """Each job's, in the order in which they end."""
        assert self._stage.stdout is not None
        with self._stage.stdout as lines:
            for line in lines:
                data = json.loads(line)
                yield Outcome(**{**data, "runs": [Run(**run) for run in data.get("runs", [])]})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        assert self._stage.stdout is not None
        self._stage.stdout.close()

    def close(self) -> None:
        """Ends what is still being played; whoever reads outcomes comes to their end."""
        assert self._stage.stdin is not None
        self._stage.stdin.close()
        self._stage.wait()
