"""The change contract: what was announced must have happened, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from probe.judge import Judge, judge
from probe.model import Cause, Expectation, Finding, HostKey, Outcome, Proof, Service, Tls, Verdict
from tests.judge.judge_world import HTTP, SSH, closed, lives, opened, target, unknown, unreachable
from tests.judge.test_judge_diff import dropped

MET, VIOLATED, UNKNOWN = Outcome.MET, Outcome.VIOLATED, Outcome.UNKNOWN


def announced(port: int, was: str, becomes: str) -> Expectation:
    return Expectation(1, 21, 3, "web", frozenset({port}), words=(becomes,), baseline="last", was=(was,))


def unchanged(*ports: int, name: str = "web") -> Expectation:
    return Expectation(1, 20, 3, name, frozenset(ports), words=("unchanged",), baseline="last")


def found(expectation: Expectation, new: Verdict, *old: Verdict) -> Finding:
    judge = Judge([expectation], [target()], [new.key.port], baselines={"last": {one.key: one for one in old}})
    (finding,) = judge.see(new)
    return finding


@pytest.mark.parametrize(
    "old, new, outcome, words",
    [
        (dropped(22), opened(22, SSH), MET, "announced from dropped to open, and so it is: was filtered (dropped)"),
        (dropped(22), dropped(22), VIOLATED, "but it has not become so: was filtered (dropped)"),
        (closed(22), opened(22, SSH), VIOLATED, "but it was not so before: was closed (refused)"),
        (dropped(22), unknown(22), UNKNOWN, "cannot tell"),
        (unknown(22), opened(22, SSH), UNKNOWN, "cannot tell"),
        (unreachable(22), opened(22), UNKNOWN, "cannot tell"),
        (unknown(22), closed(22), VIOLATED, "but it has not become so"),
    ],
)
def test_an_announced_change(old: Verdict, new: Verdict, outcome: Outcome, words: str) -> None:
    finding = found(announced(22, "dropped", "open"), new, old)
    assert finding.outcome is outcome
    assert words in finding.message


TLS = Service("http", tls=Tls("TLSv1.3", sha256="aa"))


@pytest.mark.parametrize(
    "old, new, outcome, words",
    [
        (dropped(22), dropped(22), MET, "unchanged, as expected: filtered (dropped)"),
        (
            dropped(22),
            closed(22),
            VIOLATED,
            "expected unchanged, but it was filtered (dropped): no answer to 3 probes; is",
        ),
        (closed(22), closed(22, cause=Cause.REJECTED), VIOLATED, "it was closed (refused)"),
        (opened(22, SSH), opened(22, HTTP), VIOLATED, "it was open, ssh (OpenSSH 9.2p1); is open, http (nginx)"),
        (opened(22, TLS), opened(22, replace(TLS, tls=Tls("TLSv1.3", sha256="bb"))), MET, "unchanged"),
        (opened(22, SSH), opened(22), UNKNOWN, "cannot tell"),
        (dropped(22), unknown(22), UNKNOWN, "cannot tell"),
    ],
)
def test_what_was_not_announced(old: Verdict, new: Verdict, outcome: Outcome, words: str) -> None:
    finding = found(unchanged(22), new, old)
    assert finding.outcome is outcome
    assert words in finding.message


@pytest.mark.parametrize("expectation", [announced(22, "dropped", "open"), unchanged(22)])
def test_what_the_baseline_did_not_scan_is_unknown(expectation: Expectation) -> None:
    finding = found(expectation, opened(22))
    assert finding.outcome is UNKNOWN
    assert "web 198.18.1.10 tcp/22: the baseline has no verdict to compare with; now it is open" in finding.message


def test_a_deny_of_a_host_that_may_be_off_is_unproven() -> None:
    quiet = replace(dropped(22), live=False)
    assert found(unchanged(22), quiet, quiet).proof is Proof.UNPROVEN


def outcomes(findings: Iterable[Finding]) -> list[tuple[int | None, str, Outcome]]:
    return [
        (finding.key.port if finding.key else None, finding.expectation.target, finding.outcome) for finding in findings
    ]


def test_what_is_announced_need_not_be_unchanged_under_any_name() -> None:
    lines = [unchanged(22, 80), unchanged(22, 80, name="dmz"), announced(22, "dropped", "open")]
    old = {one.key: one for one in (dropped(22), dropped(80))}
    judge = Judge(lines, [target(), target(name="dmz")], [22, 80], baselines={"last": old})
    assert outcomes(judge.see(opened(22))) == [(22, "web", MET)]
    assert outcomes(judge.see(closed(80))) == [(80, "web", VIOLATED), (80, "dmz", VIOLATED)]


def test_a_finished_scan_is_judged_the_same() -> None:
    old, new = ({one.key: one} for one in (dropped(22), opened(22)))
    findings = judge([announced(22, "dropped", "open")], (target(),), new, (22,), baselines={"last": old})
    assert outcomes(findings) == [(22, "web", MET)]


def test_services_are_told_apart_by_the_baseline_that_the_profile_names() -> None:
    """A contract brings its run along: another server at home than then is an impostor, by its key."""
    then, now = (Service("ssh", key=HostKey("ssh-ed25519", f"SHA256:{name}")) for name in ("ours", "theirs"))
    old = opened(22, then)
    judge = Judge([lives("ssh", 22)], [target()], [22], baselines={"last": {old.key: old}})
    list(judge.see(opened(22, now)))
    (finding,) = judge.finish()
    assert (finding.outcome, finding.observed) == (Outcome.VIOLATED, "impostor")
