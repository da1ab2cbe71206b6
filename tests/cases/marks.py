"""What a scanner said, held against the truth: right, undetermined, or wrong, port by port, and why in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from probe.model import Cause, State
from tests.cases.corpus import Answer, Case, Port, Truth


class Mark(IntEnum):
    """Ordered from best to worst; a case is as good as its worst port."""

    RIGHT = 0
    UNDETERMINED = 1
    WRONG = 2


@dataclass(frozen=True, slots=True)
class Said:
    """A scanner's word on a port. Other scanners than probe know no causes: None."""

    state: str
    cause: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        return "/".join(word for word in (self.state, self.cause, self.reason) if word)


def said_by_probe(records: Iterable[Mapping[str, Any]]) -> dict[Port, Said]:
    """The port records of a run."""
    return {
        (record["address"], record["port"]): Said(record["state"], record.get("cause"), record["reason"])
        for record in records
        if record["type"] == "port"
    }


def mark(truth: Truth, said: Said | None, states_only: bool = False) -> Mark:
    """`states_only` for scanners that know no causes."""
    if said is None:
        return Mark.WRONG
    if any(_fits(answer, said, states_only) for answer in truth.answers):
        return Mark.RIGHT
    if (said.state == State.UNKNOWN and truth.unknown) or (states_only and said.state == truth.past_kernel):
        return Mark.RIGHT
    open_about_it = said.cause == Cause.UNDETERMINED and any(answer.state == said.state for answer in truth.answers)
    return Mark.UNDETERMINED if open_about_it else Mark.WRONG


def _fits(answer: Answer, said: Said, states_only: bool) -> bool:
    if said.state != answer.state:
        return False
    return states_only or (answer.cause in (None, said.cause) and answer.reason in (None, said.reason))


@dataclass(frozen=True, slots=True)
class Judgement:
    """`wrong` and `undetermined` tell the ports in words; `hidden` are the undetermined ones that could be known."""

    wrong: tuple[str, ...]
    undetermined: tuple[str, ...]
    hidden: tuple[str, ...]

    @property
    def mark(self) -> Mark:
        return Mark.WRONG if self.wrong else Mark.UNDETERMINED if self.undetermined else Mark.RIGHT


def judge(case: Case, said: Mapping[Port, Said], states_only: bool = False) -> Judgement:
    """All ports of a case that the truth names."""
    marks = {port: mark(truth, said.get(port), states_only) for port, truth in case.truth.items()}
    unsure = [port for port, each in marks.items() if each is Mark.UNDETERMINED]
    return Judgement(
        wrong=_told(case, said, [port for port, each in marks.items() if each is Mark.WRONG]),
        undetermined=_told(case, said, unsure),
        hidden=_told(case, said, [port for port in unsure if not case.truth[port].undetermined]),
    )


def _told(case: Case, said: Mapping[Port, Said], ports: list[Port]) -> tuple[str, ...]:
    return tuple(f"{address} {port}: {said.get((address, port))}" for address, port in ports)
