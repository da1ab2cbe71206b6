"""The other end of `stage`: starts it, hands it jobs, gives outcomes as they come. Costs nothing to import."""

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

from tests.cases.perform import Job, Outcome, Run

REPOSITORY = Path(__file__).resolve().parents[2]
AT_ONCE = 24  # cases mostly wait, so there are far more of them than processors


class Troupe:
    """Plays jobs in the background until it is closed; `of` waits for the outcome of one."""

    def __init__(self, jobs: Iterable[Job], at_once: int = AT_ONCE) -> None:
        self._told: dict[str, Outcome] = {}
        self._stage = subprocess.Popen(
            [sys.executable, "-m", "tests.cases.stage"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._stage.stdin is not None
        self._stage.stdin.write(json.dumps({"jobs": [asdict(job) for job in jobs], "at_once": at_once}) + "\n")
        self._stage.stdin.flush()

    def outcomes(self) -> Iterator[Outcome]:
        """Each job's, in the order in which they end."""
        assert self._stage.stdout is not None
        for line in self._stage.stdout:
            data = json.loads(line)
            yield Outcome(**{**data, "runs": [Run(**run) for run in data.get("runs", [])]})

    def of(self, case: str) -> Outcome:
        """Waits for it if need be."""
        if case not in self._told:
            for outcome in self.outcomes():
                self._told[outcome.case] = outcome
                if outcome.case == case:
                    break
        return self._told.get(case) or Outcome(case, error="the stage ended before this case was played")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._stage.stdin is not None
        assert self._stage.stdout is not None
        self._stage.stdin.close()
        self._stage.stdout.close()
        self._stage.wait()
