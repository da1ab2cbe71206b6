"""Judging alike what is alike: the same verdicts as judging every slot by itself."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.core import assess, character
from probe.core.assess import Assessment
from probe.core.character import EVERYWHERE, Host, characters
from probe.core.ledger import ANSWERED, ECHOED, OTHER, PLAIN, RESET_SEEN, SYN_ACK_SEEN
from probe.core.resets import Voice
from probe.model import Verdict
from probe.report.shorthand import SOMEWHERE
from tests.core.fake_packets import icmp, read
from tests.core.made_scans import SCANS, Made, made
from tests.core.playbook import Play, judge, reset


def one_by_one(of: Made) -> list[Verdict]:
    scan, assessment = of.scan, of.assessment()
    every = np.arange(scan.block.slots)
    sent = (scan.tries > 0) | (scan.seen != 0) | (not of.circumstances.interrupted)
    return [assessment.verdict(slot, bool(scan.believed(every[slot : slot + 1])[0])) for slot in every[sent].tolist()]


def host_of(of: Made, row: int) -> Host:
    """The character of a host, by its definition."""
    scan, width = of.scan, len(of.scan.block.ports)
    slots = range(row * width, (row + 1) * width)
    is_open = [slot for slot in slots if scan.seen[slot] & ANSWERED == SYN_ACK_SEEN]
    closed = [slot for slot in slots if scan.seen[slot] & ANSWERED == RESET_SEEN]
    echoed = [slot for slot in closed if scan.look[slot] & (ECHOED | PLAIN | OTHER) == ECHOED]
    syn_acks = frozenset(int(scan.ttl[slot]) for slot in is_open)
    echoes = frozenset(int(scan.ttl[slot]) for slot in echoed) | of.echoes.get(row, frozenset())
    address = (int(scan.block.high[row]), int(scan.block.low[row]))
    spoke = any(scan.icmp_kinds[scan.icmp[slot]].sender == address for slot in slots if scan.icmp[slot] >= 0)
    note = f"this host answers on {len(is_open)} of {width} ports: that says nothing of any one of them"
    everywhere = width >= EVERYWHERE and len(is_open) >= 0.95 * width
    return Host(bool(syn_acks or echoes or spoke), Voice(syn_acks, echoes), note if everywhere else None)


@given(SCANS)
def test_the_same_as_one_by_one(of: Made) -> None:
    assert list(of.assessment().verdicts()) == one_by_one(of)


@given(SCANS, st.integers(1, 200))
def test_the_same_in_pieces_of_any_size(of: Made, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assess, "SWEEP", size)
        sweeps = list(of.assessment().sweeps())
    assert [verdict for sweep in sweeps for verdict in sweep] == one_by_one(of)
    assert all(0 < len(sweep) <= size for sweep in sweeps)


@given(SCANS, st.integers(1, 300))
def test_hosts_have_the_character_that_they_have_alone(of: Made, at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(character, "_AT_ONCE", at_once)
        kinds, of_row = characters(of.scan, of.echoes)
    rows = range(len(of.scan.block.high))
    assert [kinds[of_row[row]] for row in rows] == [host_of(of, row) for row in rows]


def test_everywhere_is_said_of_a_host_and_not_of_its_neighbour() -> None:
    of = made(1, 2, EVERYWHERE, mixed=False)
    of.scan.seen[:EVERYWHERE], of.scan.seen[EVERYWHERE:] = SYN_ACK_SEEN, RESET_SEEN
    of.scan.seen[:2] = RESET_SEEN
    kinds, of_row = characters(of.scan, {})
    assert [kinds[of_row[row]].everywhere is not None for row in (0, 1)] == [True, False]
    assert "48 of 50" in str(kinds[of_row[0]].everywhere)


@given(SCANS)
def test_a_look_is_what_its_verdicts_share(of: Made) -> None:
    for sweep in of.assessment().sweeps():
        first: dict[int, int] = {}
        for place, verdict in enumerate(sweep):
            look = sweep.looks[sweep.which[place]]
            itself = sweep.own[sweep.which[place]]
            assert neutral(verdict, itself=itself) == neutral(look, itself=itself)
            assert not itself or verdict.evidence.responder == str(verdict.key.address)
            first.setdefault(int(sweep.which[place]), place)
        assert list(first) == list(range(len(sweep.looks)))  # in the order in which they come
        assert [sweep.at(place) for place in first.values()] == list(sweep.looks)


def neutral(verdict: Verdict, *, itself: bool) -> Verdict:
    changes: dict[str, Any] = {"evidence": replace(verdict.evidence, responder="itself")} if itself else {}
    return replace(verdict, target="", key=SOMEWHERE, rtt_ms=None, **changes)


@given(SCANS, st.data())
def test_a_part_is_a_part(of: Made, data: st.DataObject) -> None:
    for sweep in of.assessment().sweeps():
        start = data.draw(st.integers(0, len(sweep)))
        stop = data.draw(st.integers(start, len(sweep)))
        assert list(sweep.only(slice(start, stop))) == list(sweep)[start:stop]


def test_what_is_alike_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play("198.18.0.1", "198.18.0.2", ports=range(1, 2001))
    play.hear(1.1, reset(play.send(1.0, 4000)))
    judged: list[int] = []
    slow = Assessment.verdict

    def counted(self: Assessment, slot: int, sure: bool) -> Verdict:
        judged.append(slot)
        return slow(self, slot, sure)

    monkeypatch.setattr(Assessment, "verdict", counted)
    (sweep,) = Assessment(play.scan, assess.Circumstances(), str, lambda _: None).sweeps()
    assert (judged, len(sweep), len(sweep.looks)) == ([0], 4000, 1)


def test_a_router_that_is_scanned_too_speaks_for_itself_and_for_others() -> None:
    router, host = "198.18.0.1", "198.18.0.2"
    play = Play(router, host, ports=(20, 21))
    frames = play.send(1.0)
    frames = frames[np.lexsort((read(frames, 22, 2), read(frames, 16, 4)))]
    by_router = [icmp(frames[n : n + 1], 3, 13, sender=ip_address(router).packed) for n in range(3)]
    play.hear(1.1, *by_router, icmp(frames[3:], 3, 13, sender=ip_address(host).packed))
    found = [verdict.evidence.responder for verdict in judge(play.scan)]
    assert found == [router, router, router, host]
