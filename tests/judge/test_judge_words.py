"""The words of `is:`, each against every state and cause that there is."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.judge.words import WORDS, meets, meets_any
from probe.model import Cause, Outcome, State
from tests.judge.judge_world import verdict

MET, VIOLATED, UNKNOWN = Outcome.MET, Outcome.VIOLATED, Outcome.UNKNOWN
# The contract, written a second time in another way than the table: who meets a word, who leaves it open.
MEETS = {
    "open": {(State.OPEN, Cause.LISTENING), (State.OPEN, Cause.TCPWRAPPED), (State.OPEN, Cause.HALF_OPEN)}
    | {(State.OPEN, Cause.UNDETERMINED)},
    "closed": {(State.CLOSED, Cause.REFUSED), (State.CLOSED, Cause.UNDETERMINED)},
    "rejected": {(State.CLOSED, Cause.REJECTED), (State.FILTERED, Cause.REJECTED)},
    "dropped": {(State.FILTERED, Cause.DROPPED)},
}
MEETS["blocked"] = MEETS["rejected"] | MEETS["dropped"]
MEETS["not-open"] = MEETS["closed"] | MEETS["blocked"] | {(State.FILTERED, Cause.UNDETERMINED)}
DOUBTS = {
    "rejected": {(State.CLOSED, Cause.UNDETERMINED), (State.FILTERED, Cause.UNDETERMINED)},
    "dropped": {(State.FILTERED, Cause.UNDETERMINED)},
    "blocked": {(State.CLOSED, Cause.UNDETERMINED), (State.FILTERED, Cause.UNDETERMINED)},
}
POSSIBLE = set().union(*MEETS.values())


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("state,cause", list(product(State, Cause)))
def test_every_word_says_what_the_contract_says(word: str, state: State, cause: Cause) -> None:
    pair = (state, cause)
    undecided = pair not in POSSIBLE or pair in DOUBTS.get(word, set())
    expected = UNKNOWN if undecided else MET if pair in MEETS[word] else VIOLATED
    assert meets(word, verdict(state, cause)) is expected


@pytest.mark.parametrize("word", WORDS)
def test_unknown_and_unreachable_meet_and_violate_nothing(word: str) -> None:
    for cause in (None, *Cause):
        assert meets(word, verdict(State.UNKNOWN, cause)) is UNKNOWN
    for state in State:
        assert meets(word, verdict(state, Cause.UNREACHABLE)) is UNKNOWN


def test_a_missing_cause_is_an_undetermined_one() -> None:
    assert meets("rejected", verdict(State.CLOSED, None)) is UNKNOWN
    assert meets("closed", verdict(State.CLOSED, None)) is MET


def test_a_word_that_nobody_knows_is_never_met() -> None:
    assert meets("ajar", verdict(State.OPEN, Cause.LISTENING)) is UNKNOWN


@given(st.lists(st.sampled_from(WORDS), min_size=1), st.sampled_from(State), st.sampled_from(Cause))
def test_a_list_is_a_choice(words: list[str], state: State, cause: Cause) -> None:
    seen = verdict(state, cause)
    single = [meets(word, seen) for word in words]
    expected = MET if MET in single else UNKNOWN if UNKNOWN in single else VIOLATED
    assert meets_any(words, seen) is expected


@given(st.sampled_from(State), st.sampled_from(Cause))
def test_blocked_is_short_for_rejected_or_dropped(state: State, cause: Cause) -> None:
    seen = verdict(state, cause)
    assert meets("blocked", seen) is meets_any(["rejected", "dropped"], seen)
