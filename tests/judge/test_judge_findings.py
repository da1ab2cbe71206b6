"""A whole profile judged, at once and verdict by verdict."""

from __future__ import annotations

from itertools import product

from probe.judge import Judge, judge
from probe.model import Finding, Outcome, Verdict
from tests.judge.judge_world import HTTP, SSH, WEB, closed, expects, lives, opened, target, unknown

V6 = "fd18:1::10"
PORTS = (22, 80, 8821)
TARGETS = (target(WEB, V6), target(V6, name="six"))
EXPECTATIONS = [
    expects("open", ports=(80,), number=1),
    lives("ssh", 22, number=2),
    expects("closed", ports=(22, 8821), number=3),
    expects("not-open", ports=(22,), number=4, name="six"),
    lives("http", 80, number=5),
]


def scan() -> list[Verdict]:
    found = {(port, address): closed(port, address) for port, address in product(PORTS, (WEB, V6))}
    found[80, WEB] = opened(80, HTTP, WEB)
    found[8821, WEB] = opened(8821, SSH, WEB)
    found[80, V6] = unknown(80, V6)
    return list(found.values())


def at_once(verdicts: list[Verdict]) -> list[Finding]:
    return list(judge(EXPECTATIONS, TARGETS, {one.key: one for one in verdicts}, PORTS))


def told(finding: Finding) -> tuple[int, str, int, Outcome]:
    key = finding.key
    return finding.expectation.number, str(key.address) if key else "", key.port if key else 0, finding.outcome


def test_one_finding_per_expectation_address_and_port_in_the_order_of_the_profile() -> None:
    met, violated, unsure = Outcome.MET, Outcome.VIOLATED, Outcome.UNKNOWN
    assert [told(finding) for finding in at_once(scan())] == [
        (1, WEB, 80, met),
        (1, V6, 80, unsure),
        (2, "", 0, violated),
        (3, WEB, 22, met),
        (3, WEB, 8821, violated),
        (3, V6, 22, met),
        (3, V6, 8821, met),
        (4, V6, 22, met),
        (5, "", 0, met),
    ]


def test_verdict_by_verdict_gives_the_same_findings() -> None:
    watching = Judge(EXPECTATIONS, TARGETS, PORTS)
    streamed = [finding for one in scan() for finding in watching.see(one)]
    services = watching.finish()
    assert [finding.expectation.number for finding in services] == [2, 5]
    assert sorted(map(told, streamed + services)) == sorted(map(told, at_once(scan())))


def test_a_port_without_a_verdict_was_never_sent() -> None:
    findings = at_once([])
    assert {finding.outcome for finding in findings} == {Outcome.UNKNOWN}
    assert "never sent" in findings[0].message


def test_a_verdict_that_nobody_asked_about_makes_no_finding() -> None:
    assert Judge(EXPECTATIONS, TARGETS, PORTS).see(closed(9, "198.18.9.9")) == []
