"""A change contract: what was announced must have happened, and nothing else.

An announced change has two halves, and both must be met: the baseline was what the announcement says, and now the port
is what it was to become. `unchanged` is met where state, cause and service are as they were; that a certificate or host
key was renewed is no change of a rule, `probe diff` tells it. What either run could not decide is unknown, and so is a
port that the baseline did not scan.
"""

from __future__ import annotations

from probe.judge.likeness import Layer, Undecided, difference
from probe.judge.ports import proof
from probe.judge.wording import evidence_in_words, look_in_words, place, seen_in_words, words_in_words
from probe.judge.words import meets_any
from probe.model import Expectation, Finding, Outcome, Verdict
from probe.profile.words import UNCHANGED


def judge_change(expectation: Expectation, verdict: Verdict, old: Verdict | None) -> Finding:
    """What becomes of an expectation that has a baseline; `old` is the verdict there, None where it has none."""
    if old is None:
        outcome, told = Outcome.UNKNOWN, f"the baseline has no verdict to compare with; now it is {_seen(verdict)}"
    elif expectation.words == (UNCHANGED,):
        outcome, told = _unchanged(verdict, old)
    else:
        outcome, told = _announced(expectation, verdict, old)
    message = f"{expectation.target} {place(verdict.key)}: {told}"
    shown = proof(outcome, verdict)
    return Finding(outcome, expectation, verdict.observed, message, shown, verdict.key, verdict=verdict)


def _unchanged(verdict: Verdict, old: Verdict) -> tuple[Outcome, str]:
    found = difference(old, verdict)
    if found in (None, Layer.IDENTITY):
        return Outcome.MET, f"unchanged, as expected: {_seen(verdict)}"
    if isinstance(found, Undecided):
        return Outcome.UNKNOWN, f"expected unchanged, cannot tell: was {_seen(old)}; is {_seen(verdict)}"
    return Outcome.VIOLATED, f"expected unchanged, but it was {look_in_words(old)}; is {look_in_words(verdict)}"


def _announced(expectation: Expectation, verdict: Verdict, old: Verdict) -> tuple[Outcome, str]:
    before, now = meets_any(expectation.was, old), meets_any(expectation.words, verdict)
    announced = f"announced from {words_in_words(expectation.was)} to {words_in_words(expectation.words)}"
    seen = f"was {_seen(old)}; is {_seen(verdict)}"
    if Outcome.VIOLATED in (before, now):
        late = "it has not become so" if now is Outcome.VIOLATED else "it was not so before"
        return Outcome.VIOLATED, f"{announced}, but {late}: {seen}"
    if Outcome.UNKNOWN in (before, now):
        return Outcome.UNKNOWN, f"{announced}, cannot tell: {seen}"
    return Outcome.MET, f"{announced}, and so it is: {seen}"


def _seen(verdict: Verdict) -> str:
    return f"{seen_in_words(verdict)}: {evidence_in_words(verdict)}"
