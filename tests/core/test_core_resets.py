"""Who sent the reset: every combination of TTL, DSCP, and what else the host said."""

from __future__ import annotations

import pytest

from probe.core.ledger import ECHOED, LOOKED, OTHER, PLAIN
from probe.core.resets import Voice, reset_cause
from probe.model import Cause

NOBODY: frozenset[int] = frozenset()


def voice(*syn_ack_ttls: int, echo: frozenset[int] = NOBODY) -> Voice:
    return Voice(frozenset(syn_ack_ttls), echo)


@pytest.mark.parametrize(
    ("ttl", "voice", "cause", "words"),
    [
        (64, voice(), Cause.UNDETERMINED, "second look"),
        (60, voice(60), Cause.UNDETERMINED, "host itself"),
        (60, voice(50, 60), Cause.UNDETERMINED, "host itself"),
        (62, voice(50, 60), Cause.UNDETERMINED, "50, 60"),
        (61, voice(60), Cause.REJECTED, "1 hop nearer"),
        (63, voice(60), Cause.REJECTED, "3 hops nearer"),
        (91, voice(60), Cause.REJECTED, "31 hops nearer"),
        (92, voice(60), Cause.REJECTED, "something else"),  # initial TTLs lie 32 apart
        (124, voice(60), Cause.REJECTED, "something else"),  # 128 - 4: another initial TTL, not 64 hops
        (255, voice(60), Cause.REJECTED, "something else"),
        (59, voice(60), Cause.REJECTED, "something else"),  # farther away than the host itself
    ],
)
def test_by_ttl_alone(ttl: int, voice: Voice, cause: Cause, words: str) -> None:
    found, note = reset_cause(ttl, 0, voice)
    assert found is cause
    assert words in note


@pytest.mark.parametrize(
    ("ttl", "look", "voice", "cause", "words"),
    [
        (60, ECHOED, voice(60), Cause.REFUSED, "the host itself"),
        (60, ECHOED, voice(), Cause.REFUSED, "the host itself"),
        (60, PLAIN, voice(60, echo=frozenset({60})), Cause.REJECTED, "a rule"),
        (60, PLAIN, voice(echo=frozenset({60})), Cause.REJECTED, "a rule"),
        (61, PLAIN, voice(echo=frozenset({60})), Cause.REJECTED, "1 hop nearer"),
        (60, PLAIN, voice(60), Cause.UNDETERMINED, "no reset of this host has it"),
        (60, OTHER, voice(60, echo=frozenset({60})), Cause.UNDETERMINED, "the path changes"),
        (60, ECHOED | PLAIN, voice(60, echo=frozenset({60})), Cause.UNDETERMINED, "the path changes"),
        (61, PLAIN, voice(60), Cause.REJECTED, "1 hop nearer"),
        (61, ECHOED, voice(60), Cause.UNDETERMINED, "another host"),  # behind address translation, maybe
        (60, 0, voice(60, echo=frozenset({60})), Cause.UNDETERMINED, "second look"),
    ],
)
def test_by_the_second_look(ttl: int, look: int, voice: Voice, cause: Cause, words: str) -> None:
    found, note = reset_cause(ttl, LOOKED | look, voice)
    assert found is cause
    assert words in note
