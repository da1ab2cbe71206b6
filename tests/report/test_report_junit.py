"""JUnit: well-formed whatever hosts and profiles say, numbers that add up, nothing undecided that passes."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from probe.judge import judge_port
from probe.model import Evidence, Finding, Outcome, Reason, State, Verdict
from probe.report.junit import JunitSink
from tests.report import report_world as world
from tests.report.test_report_records import Memory


def suites(findings: list[Finding], **changes: object) -> ET.Element:
    out = Memory()
    sink = JunitSink(out)
    sink.start(world.RUN)
    for finding in findings:
        sink.finding(finding)
    assert out.text == ""
    sink.finish(world.summary(findings, **changes))
    assert out.committed
    return ET.fromstring(out.text.encode())


def test_a_suite_per_target_and_a_case_per_finding() -> None:
    root = suites(world.findings(world.verdicts()))
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("201", "4", "1")
    assert [suite.get("name") for suite in root] == ["office-edge.web", "office-edge.mail"]
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("errors") == str(len(suite.findall("testcase/error")))
        assert suite.get("skipped") == "0"
        assert suite.get("timestamp") == "2026-01-02T03:04:05"


def test_a_violation_fails_and_names_its_line() -> None:
    root = suites(world.findings(world.verdicts()))
    case = next(case for case in root.iter("testcase") if case.get("name") == "198.18.1.10 tcp/22 is rejected")
    assert (case.get("classname"), case.get("line")) == ("office-edge.web", "19")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "closed/refused"
    assert failure.text == failure.get("message")
    assert "expected rejected, but it is closed (refused)" in (failure.text or "")


def test_services_have_a_case_too() -> None:
    names = [case.get("name") for case in suites(world.findings(world.verdicts())).iter("testcase")]
    assert "http on tcp/81" in names


def test_unknown_is_an_error_never_a_pass() -> None:
    (case,) = suites([judge_port(world.expectations()[3], world.not_sent("mail", world.MAIL, 97))]).iter("testcase")
    assert [child.tag for child in case] == ["error"]


def test_met_but_unproven_passes_and_says_so() -> None:
    (case,) = suites([judge_port(world.expectations()[3], world.dropped("m", world.MAIL, 9, live=False))]).iter(
        "testcase"
    )
    assert [child.tag for child in case] == ["system-out"]
    assert "unproven" in (case[0].text or "")


def test_a_run_cut_short_cannot_look_good() -> None:
    met = judge_port(world.expectations()[0], world.listening("web", world.WEB, 80))
    root = suites([met], complete=False, exit_code=130, interrupted="SIGINT")
    assert (root.get("tests"), root.get("errors")) == ("2", "1")
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert "interrupted by SIGINT" in (error.text or "")


@given(st.text(), st.text(), st.sampled_from(Outcome))
def test_any_text_makes_valid_xml(target: str, note: str, outcome: Outcome) -> None:
    key = world.key(world.WEB, 80)
    seen = Verdict(target, key, State.CLOSED, Reason.RESET, None, Evidence(note=note), 1)
    expectation = world.expectations()[0]
    root = suites([Finding(outcome, expectation, "closed", note, key=key, verdict=seen)])
    (case,) = root.iter("testcase")
    assert [child.tag for child in case] == {
        Outcome.MET: [],
        Outcome.VIOLATED: ["failure"],
        Outcome.UNKNOWN: ["error"],
    }[outcome]
