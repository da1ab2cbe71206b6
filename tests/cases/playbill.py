"""Outcomes for all test processes of one session: each process plays its share of the cases, and reads those of the
others from a folder that they have in common. Without pytest-xdist there is one process, and its share is everything.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cases.perform import Job, Outcome, Run
from tests.cases.troupe import AT_ONCE, Troupe

_POLL = 0.02


class Playbill:
    """`number` of `processes` counts from zero; all of them are given the same jobs and the same folder."""

    def __init__(self, jobs: Sequence[Job], folder: Path, number: int, processes: int) -> None:
        self._folder, self._processes = folder, processes
        self._end = folder / f"{number}.end"
        self._troupe = Troupe(jobs[number::processes], max(1, AT_ONCE // processes))
        self._reader = threading.Thread(target=self._write_down, daemon=True)
        self._reader.start()

    def of(self, case: str) -> Outcome:
        """Waits for it, whoever plays it."""
        path = self._folder / f"{case}.json"
        while not path.exists():
            if len(list(self._folder.glob("*.end"))) == self._processes and not path.exists():
                return Outcome(case, error="the stage ended before this case was played")
            time.sleep(_POLL)
        data = json.loads(path.read_text())
        return Outcome(**{**data, "runs": [Run(**run) for run in data["runs"]]})

    def _write_down(self) -> None:
        for outcome in self._troupe.outcomes():
            partial = self._folder / f"{outcome.case}.partial"
            partial.write_text(json.dumps(outcome.as_dict()))
            partial.rename(partial.with_suffix(".json"))
        self._end.touch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._processes > 1:  # others may still wait for what we play
            self._reader.join()
        self._troupe.close()
        self._reader.join()
