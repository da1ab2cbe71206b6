"""One expectation, one port, one finding."""

from __future__ import annotations

from probe.judge.wording import evidence_in_words, place, seen_in_words, words_in_words
from probe.judge.words import meets_any
from probe.model import Expectation, Finding, Outcome, Proof, State, Verdict


def judge_port(expectation: Expectation, verdict: Verdict) -> Finding:
    """What becomes of a port expectation, given the verdict of one port that it names."""
    outcome = meets_any(expectation.words, verdict)
    shown = proof(outcome, verdict)
    message = f"{expectation.target} {place(verdict.key)}: {_message(expectation, verdict, outcome, shown)}"
    return Finding(outcome, expectation, verdict.observed, message, shown, verdict.key, verdict=verdict)


def proof(outcome: Outcome, verdict: Verdict) -> Proof | None:
    """A deny that is met by a host that may just be off proves nothing about its rules; what is open proves itself."""
    if outcome is Outcome.UNKNOWN:
        return None
    deny = outcome is Outcome.MET and verdict.state is not State.OPEN
    return Proof.UNPROVEN if deny and not verdict.live else Proof.PROVEN


def _message(expectation: Expectation, verdict: Verdict, outcome: Outcome, shown: Proof | None) -> str:
    expected, seen = words_in_words(expectation.words), seen_in_words(verdict)
    evidence = evidence_in_words(verdict)
    if outcome is Outcome.VIOLATED:
        return f"expected {expected}, but it is {seen}: {evidence}"
    if outcome is Outcome.MET:
        doubt = "; unproven, nothing was seen to live on this host" if shown is Proof.UNPROVEN else ""
        return f"{seen}, as expected: {evidence}{doubt}"
    undecided = verdict.state is State.UNKNOWN
    return f"expected {expected}, cannot tell: {evidence if undecided else f'it is {seen}: {evidence}'}"
