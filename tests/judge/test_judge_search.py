"""A service that may be anywhere: found, nowhere, or not to be said."""

from __future__ import annotations

import pytest

from probe.judge import Judge, judge
from probe.model import Expectation, Finding, Outcome, Place, PortKey, Verdict
from tests.judge.judge_world import HTTP, ONLY_TLS, SSH, WEB, closed, opened, target, unknown, unreachable

V6 = "fd18:1::10"
PORTS = (22, 80, 8821)
ANYWHERE = Expectation(1, 0, 0, "web", service="ssh")


def search(*verdicts: Verdict, addresses: tuple[str, ...] = (WEB,)) -> Finding:
    judging = Judge([ANYWHERE], [target(*addresses)], PORTS)
    assert [judging.see(verdict) for verdict in verdicts] == [[]] * len(verdicts)
    (finding,) = judging.finish()
    return finding


def test_found() -> None:
    finding = search(opened(8821, SSH), closed(22), unknown(80))
    assert (finding.outcome, finding.observed) == (Outcome.MET, "found")
    assert finding.found == (Place(WEB, 8821),)
    assert finding.message == (
        "web: ssh answers at 198.18.1.10 tcp/8821; 1 port could not be decided; searched tcp/22, 80, 8821 of 1 address"
    )


def test_found_in_several_places() -> None:
    finding = search(opened(22, SSH, V6), opened(80, SSH), opened(22, SSH), addresses=(WEB, V6))
    assert finding.found == (Place(WEB, 22), Place(WEB, 80), Place(V6, 22))


def test_nowhere() -> None:
    finding = search(opened(22, HTTP), closed(80), closed(8821))
    assert (finding.outcome, finding.observed, finding.found) == (Outcome.VIOLATED, "nowhere", ())
    assert finding.message == "web: ssh was found nowhere; searched tcp/22, 80, 8821 of 1 address"


@pytest.mark.parametrize(
    "doubt", [unknown(80), unreachable(80), opened(80), opened(80, ONLY_TLS), opened(80, asked=False)]
)
def test_what_may_hide_it_leaves_it_open(doubt: Verdict) -> None:
    finding = search(closed(22), doubt, closed(8821))
    assert (finding.outcome, finding.observed) == (Outcome.UNKNOWN, "unknown")
    assert "ssh was found nowhere, cannot tell; " in finding.message


def test_what_was_not_scanned_leaves_it_open() -> None:
    assert search(closed(22)).outcome is Outcome.UNKNOWN
    assert "2 ports could not be decided" in search(closed(22)).message


def test_a_finished_scan_is_judged_the_same() -> None:
    verdicts = (opened(8821, SSH), closed(22), closed(80))
    by_key: dict[PortKey, Verdict] = {verdict.key: verdict for verdict in verdicts}
    assert list(judge([ANYWHERE], (target(),), by_key, PORTS)) == [search(*verdicts)]
