"""Prometheus: the text format as its parsers want it, and numbers that add up."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.model import RunInfo, Verdict
from probe.report import prometheus
from probe.report.prometheus import PrometheusSink
from tests.report import report_world as world
from tests.report.test_report_records import Memory

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

LABEL = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"(probe_[a-z_]+){{((?:{LABEL})(?:,{LABEL})*)}} ([-+0-9.e]+)")


def metrics(seen: Iterable[Verdict], run: RunInfo = world.RUN, **changes: object) -> Samples:
    """The samples, read by the rules of the text format: a HELP, a TYPE, then samples of that name, each once."""
    out = Memory()
    sink = PrometheusSink(out)
    sink.start(run)
    seen = list(seen)
    for verdict in seen:
        sink.port(verdict)
    for finding in world.findings(seen):
        sink.finding(finding)
    sink.finish(world.summary((), **changes))
    assert out.text.endswith("\n")
    samples: Samples = {}
    name = ""
    for line in out.text.splitlines():
        if line.startswith("#"):
            name = line.split()[2]
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert match[1] == name
        labels = frozenset((pair.partition("=")[0], pair.partition("=")[2]) for pair in re.findall(LABEL, match[2]))
        assert samples.setdefault((name, labels), float(match[3])) is not None
    return samples


def value(samples: Samples, name: str, **labels: str) -> float:
    wanted = {(key, f'"{text}"') for key, text in labels.items()}
    (found,) = (number for (metric, has), number in samples.items() if metric == f"probe_{name}" and wanted <= has)
    return found


def test_numbers() -> None:
    samples = metrics(world.verdicts())
    assert value(samples, "run_exit_code", profile="office-edge") == 1
    assert value(samples, "run_complete") == 1
    assert value(samples, "run_start_timestamp_seconds") == 1767323045
    assert value(samples, "packets", kind="sent") == 592
    assert value(samples, "ports", target="web", state="open", cause="listening") == 4
    assert value(samples, "ports", target="mail", state="unknown") == 1
    assert value(samples, "ports", target="web", state="unknown") == 0
    assert value(samples, "findings", expectation="2", outcome="violated", line="19") == 1
    assert value(samples, "findings", expectation="2", outcome="met") == 0
    assert sum(number for (name, _), number in samples.items() if name == "probe_ports") == 200


def test_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_MOST_CERTIFICATES", 2)
    moments = ["2027-01-01T00:00:00Z", "whenever", "2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z"]
    seen = [
        world.listening("web", world.WEB, 440 + n, world.spoke("http", tls=replace(world.TLS, not_after=moment)))
        for n, moment in enumerate(moments)
    ]
    samples = metrics(seen)
    expiries = {number for (name, _), number in samples.items() if name.startswith("probe_certificate")}
    assert expiries == {1798761600, 1830297600}


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_names_hold_it_is_read(profile: str, vantage: str) -> None:
    samples = metrics([], replace(world.RUN, profile=profile, vantage=vantage))
    assert len(samples) > 5
