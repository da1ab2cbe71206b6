"""Every answer of `answer_cases` through the engine. test_net_kernel asks the kernel the same, so the two agree."""

from __future__ import annotations

import pytest

from tests.core.answer_cases import CASES, EACH
from tests.core.case import Case
from tests.core.crafted import asked
from tests.core.playbook import HOST4, HOST6, Play
from tests.core.slow_replies import Packet, batch_of
from tests.core.words import word_of


def met(case: Case, version: int) -> Play:
    play = Play(HOST4 if version == 4 else HOST6)
    (frame,) = play.send(5.0)
    play.scan.receive(batch_of([Packet(packet) for packet in case.packets(asked(frame.tobytes()))]), 5.25)
    return play


@pytest.mark.parametrize("case, version", EACH, ids=[f"{case.name}/{version}" for case, version in EACH])
def test_the_engine_says(case: Case, version: int) -> None:
    assert word_of(met(case, version).scan) == case.verdict


def test_cases_have_names_of_their_own() -> None:
    named = [(case.name, version) for case, version in EACH]
    assert len(set(named)) == len(named)
    assert {case.verdict for case in CASES} >= {"open", "closed", "", "admin-prohibited"}


@pytest.mark.parametrize("name", ["reset with a wrong ack", "bad checksum", "quote: other sequence number"])
def test_what_decides_nothing_is_counted(name: str) -> None:
    (case,) = (case for case in CASES if case.name == name)
    for version in case.versions:
        assert met(case, version).scan.counters.forged == 1
