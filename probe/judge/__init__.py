"""Verdicts against expectations: what was promised, what was seen, and whether the two agree.

`words` holds the meaning of each word as a table, `ports` judges one port, `moves` judges where a service lives (and
`search` whether it is anywhere), `identity` tells servers of one kind apart, `findings` puts them to a whole profile,
`exits` turns the findings into an exit code. `wording` and `telling` write for people.
"""

from __future__ import annotations

from probe.judge.exits import Tally, exit_code
from probe.judge.findings import Baselines, Judge, judge
from probe.judge.moves import ServiceWatch, answers_as
from probe.judge.ports import judge_port
from probe.judge.wording import evidence_in_words, seen_in_words
from probe.judge.words import WORDS, meets

__all__ = [
    "WORDS",
    "Baselines",
    "Judge",
    "ServiceWatch",
    "Tally",
    "answers_as",
    "evidence_in_words",
    "exit_code",
    "judge",
    "judge_port",
    "meets",
    "seen_in_words",
]
