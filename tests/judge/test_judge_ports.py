"""One port against one expectation: outcome, proof, and the sentence for people."""

from __future__ import annotations

import pytest

from probe.judge import judge_port
from probe.model import Cause, Evidence, Outcome, Proof, Reason, State, Verdict
from tests.judge.judge_world import closed, expects, opened, unknown, verdict

DROPPED = verdict(State.FILTERED, Cause.DROPPED)
SILENT_HOST = verdict(State.FILTERED, Cause.DROPPED, live=False)


def test_a_violation_names_expectation_observation_and_packet() -> None:
    finding = judge_port(expects("rejected"), opened(22))
    assert finding.outcome is Outcome.VIOLATED
    assert finding.observed == "open/listening"
    assert finding.message == (
        "web 198.18.1.10 tcp/22: expected rejected, but it is open: SYN-ACK from 198.18.1.10, TTL 63, window 65160"
    )
    assert finding.verdict is not None
    assert finding.key == finding.verdict.key


def test_a_met_expectation_says_so_with_its_packet() -> None:
    finding = judge_port(expects("closed"), closed(22))
    assert (finding.outcome, finding.proof) == (Outcome.MET, Proof.PROVEN)
    assert finding.message == "web 198.18.1.10 tcp/22: closed (refused), as expected: RST from 198.18.1.10, TTL 63"


@pytest.mark.parametrize(
    "seen,because",
    [
        (unknown(22), "expected open or closed, cannot tell: never sent (EPERM)"),
        (
            verdict(
                State.FILTERED, Cause.UNREACHABLE, Reason.HOST_UNREACH, Evidence("198.18.0.1", 64, None, None, 3, 1)
            ),
            "expected open or closed, cannot tell: it is filtered (unreachable): "
            "ICMP host-unreach (type 3 code 1) from 198.18.0.1, TTL 64",
        ),
    ],
)
def test_what_cannot_be_told_says_why(seen: Verdict, because: str) -> None:
    finding = judge_port(expects("open", "closed"), seen)
    assert (finding.outcome, finding.proof) == (Outcome.UNKNOWN, None)
    assert finding.message == f"web 198.18.1.10 tcp/22: {because}"


@pytest.mark.parametrize("words", [("dropped",), ("blocked",), ("not-open",), ("open", "dropped")])
def test_a_deny_met_by_a_host_that_never_spoke_is_unproven(words: tuple[str, ...]) -> None:
    assert judge_port(expects(*words), DROPPED).proof is Proof.PROVEN
    doubtful = judge_port(expects(*words), SILENT_HOST)
    assert (doubtful.outcome, doubtful.proof) == (Outcome.MET, Proof.UNPROVEN)
    assert doubtful.message.endswith("unproven, nothing was seen to live on this host")


def test_what_is_open_proves_itself() -> None:
    proxied = verdict(State.OPEN, Cause.TCPWRAPPED, Reason.SYN_ACK, live=False)
    assert judge_port(expects("open"), proxied).proof is Proof.PROVEN


def test_a_violation_by_a_silent_host_is_no_deny_that_was_met() -> None:
    assert judge_port(expects("open"), SILENT_HOST).proof is Proof.PROVEN


def test_a_reset_of_unknown_sender_leaves_rejected_open() -> None:
    finding = judge_port(expects("rejected"), closed(22, cause=Cause.UNDETERMINED))
    assert finding.outcome is Outcome.UNKNOWN
    assert "cannot tell: it is closed, cause undetermined: RST from 198.18.1.10, TTL 63" in finding.message
