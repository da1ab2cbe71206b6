"""What the words of `is:` mean.

Theory of operation
===================
A verdict has a state (what was seen) and a cause (what that means for whoever wrote the rule). A word asks about the
state alone (`open`, `not-open`), about the cause (`rejected`, `dropped`, `blocked`), or a little of both (`closed`).
So one table says it all: a row per verdict that can be, a column per word.

    +   the verdict meets the word
    -   it contradicts the word
    ?   it leaves room for both, and we do not guess

A row is read as the set of causes that it may stand for. `closed/undetermined` is a reset of which nobody knows who
sent it: certainly closed, perhaps `rejected`, never `dropped`. `filtered/undetermined` is silence or ICMP that could be
a rule or a missing route: not open and not closed, beyond that unknown. `unreachable` says nothing about any rule: no
packet came as far as the rule, so `?` throughout. Whatever is not in the table (every `unknown`, and pairs that make no
sense) is `?` too: a verdict that we do not understand must never turn a finding green or red.

A list of words is a choice: one that is met suffices, and only when all are contradicted is the list violated.
"""

from __future__ import annotations

from collections.abc import Iterable

from probe.model import Cause, Outcome, State, Verdict

WORDS = ("open", "closed", "rejected", "dropped", "blocked", "not-open")

# Columns in the order of WORDS.
_TABLE: dict[tuple[State, Cause], str] = {
    #                                   open closed rejected dropped blocked not-open
    (State.OPEN, Cause.LISTENING):        "+    -       -       -       -       -",
    (State.OPEN, Cause.TCPWRAPPED):       "+    -       -       -       -       -",
    (State.OPEN, Cause.HALF_OPEN):        "+    -       -       -       -       -",
    (State.OPEN, Cause.UNDETERMINED):     "+    -       -       -       -       -",
    (State.CLOSED, Cause.REFUSED):        "-    +       -       -       -       +",
    (State.CLOSED, Cause.REJECTED):       "-    -       +       -       +       +",
    (State.CLOSED, Cause.UNDETERMINED):   "-    +       ?       -       ?       +",
    (State.FILTERED, Cause.REJECTED):     "-    -       +       -       +       +",
    (State.FILTERED, Cause.DROPPED):      "-    -       -       +       +       +",
    (State.FILTERED, Cause.UNDETERMINED): "-    -       ?       ?       ?       +",
    (State.FILTERED, Cause.UNREACHABLE):  "?    ?       ?       ?       ?       ?",
}  # fmt: skip

_SIGNS = {"+": Outcome.MET, "-": Outcome.VIOLATED, "?": Outcome.UNKNOWN}

_MEANING: dict[tuple[State, Cause, str], Outcome] = {
    (state, cause, word): _SIGNS[sign]
    for (state, cause), row in _TABLE.items()
    for word, sign in zip(WORDS, row.split(), strict=True)
}


def meets(word: str, verdict: Verdict) -> Outcome:
    """What `verdict` says to one word. A decided state without a cause counts as `undetermined`."""
    return _MEANING.get((verdict.state, verdict.cause or Cause.UNDETERMINED, word), Outcome.UNKNOWN)


def meets_any(words: Iterable[str], verdict: Verdict) -> Outcome:
    """What `verdict` says to a choice of words: met by one, violated only against all of them."""
    answers = {meets(word, verdict) for word in words}
    for outcome in (Outcome.MET, Outcome.UNKNOWN):
        if outcome in answers:
            return outcome
    return Outcome.VIOLATED
