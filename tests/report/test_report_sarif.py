"""SARIF: results at the lines of the profile, what is undecided neither an alert nor a pass, nothing that is met."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from probe.model import Finding, RunInfo
from probe.report.sarif import SarifSink
from tests.report import report_world as world
from tests.report.test_report_records import Memory

SOURCE = replace(world.RUN, source="profiles/office edge.yaml")


def log(found: Iterable[Finding], run: RunInfo = SOURCE, **changes: object) -> dict[str, Any]:
    out = Memory()
    sink = SarifSink(out)
    sink.start(run)
    for finding in found:
        sink.finding(finding)
    sink.finish(world.summary((), **changes))
    whole: dict[str, Any] = json.loads(out.text)
    assert whole["version"] == "2.1.0"
    (only,) = whole["runs"]
    return dict(only)


def test_a_result_for_each_group_and_none_for_what_is_met() -> None:
    results = log(world.findings(world.verdicts()))["results"]
    told = [(result["kind"], result["level"], result["ruleId"], result["message"]["text"][:34]) for result in results]
    assert told == [
        ("fail", "error", "port", "web 198.18.1.10 tcp/22: expected r"),
        ("fail", "error", "port", "web 198.18.1.10 tcp/53: expected d"),
        ("fail", "error", "port", "web 198.18.1.10 tcp/88: expected d"),
        ("fail", "error", "service", "web: http expected on tcp/81, but "),
        ("open", "none", "port", "mail fd18:1::11 tcp/97: expected n"),
    ]


def test_it_stands_at_the_line_of_the_profile() -> None:
    first = log(world.findings(world.verdicts()))["results"][0]
    physical = first["locations"][0]["physicalLocation"]
    assert physical == {
        "artifactLocation": {"uri": "profiles/office%20edge.yaml"},
        "region": {"startLine": 19, "startColumn": 5},
    }
    assert first["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "web 198.18.1.10 tcp/22"
    assert first["partialFingerprints"] == {"probe/v1": "web 198.18.1.10 rejected closed/refused"}


@pytest.mark.parametrize("source", [None, "<stdin>"])
def test_without_a_file_there_is_no_line(source: str | None) -> None:
    (first, *_) = log(world.findings(world.verdicts()), replace(world.RUN, source=source))["results"]
    assert "physicalLocation" not in first["locations"][0]


def test_findings_that_differ_in_the_port_alone_are_one_result() -> None:
    seen = [
        world.refused("web", world.WEB, port) if port in (5, 6, 7, 9) else one
        for port, one in enumerate(world.verdicts(), 1)
    ]
    texts = [result["message"]["text"] for result in log(world.findings(seen))["results"]]
    about = "expected dropped or rejected, but it is closed (refused): RST from 198.18.1.10, TTL 63"
    assert f"web 198.18.1.10 tcp/5-7, 9: {about}" in texts


@pytest.mark.parametrize("complete", [True, False])
def test_a_run_that_was_cut_short_was_not_successful(complete: bool) -> None:
    (invocation,) = log([], complete=complete, exit_code=3)["invocations"]
    assert invocation["executionSuccessful"] is complete
    assert (invocation["exitCode"], invocation["startTimeUtc"]) == (3, "2026-01-02T03:04:05.000Z")
    assert invocation["endTimeUtc"] == "2026-01-02T03:04:08.123Z"
