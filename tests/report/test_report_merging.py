"""Shards put together: the same as if nothing had been taken apart, and a word on what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.cli import main
from probe.errors import UsageError
from probe.judge import Judge
from probe.model import Finding, Outcome, Proof, Target, Verdict
from probe.report.fields import Fields
from probe.report.merging import Part, merge
from probe.report.parsing import finding_of, verdict_of
from probe.report.reading import Recorded
from probe.report.records import finding_record, port_record
from tests.report import report_world as world

TARGETS = (world.target("web", world.WEB), world.target("mail", world.MAIL))


def judged(seen: list[Verdict], targets: tuple[Target, ...] = TARGETS) -> list[Finding]:
    """As a run judges them: those of the ports that it has, and all about services."""
    judge = Judge(world.expectations(), targets, sorted({one.key.port for one in seen}))
    return [finding for verdict in seen for finding in judge.see(verdict)] + judge.finish()


def part(seen: list[Verdict], shard: str | None = None, **changes: object) -> Part:
    """A run of these verdicts, written and read again."""
    found = judged(seen)
    back = [verdict_of(Fields(port_record(verdict))) for verdict in seen]
    told = [finding_of(Fields(finding_record(finding))) for finding in found]
    run = replace(world.RUN, shard=shard, **changes)
    return Part(f"{shard}.jsonl", Recorded(run, {one.key: one for one in back}, told, world.summary(found)))


def told(findings: list[Finding]) -> list[str]:
    return sorted(f"{one.outcome} {one.proof} {one.expectation.number} {one.message}" for one in findings)


@given(st.lists(st.integers(0, 2), min_size=200, max_size=200))
def test_however_it_was_taken_apart_it_is_judged_as_one(where: list[int]) -> None:
    seen = world.verdicts()
    pieces = [[one for one, at in zip(seen, where, strict=True) if at == index] for index in range(3)]
    merged, missing = merge([part(piece, f"{n}/3") for n, piece in enumerate(pieces, 1)], "cafe")
    assert missing == []
    assert told(merged.findings) == told(judged(seen))
    assert {key: port_record(one) for key, one in merged.verdicts.items()} == {
        one.key: port_record(one) for one in seen
    }


def test_the_head_and_the_end_of_the_whole() -> None:
    seen = world.verdicts()
    later = {"started": "2026-01-02T05:00:00Z", "wire": "connect", "warnings": ("hm",), "run_id": "2"}
    merged, _ = merge([part(seen[100:], "2/2", **later), part(seen[:100], "1/2")], "cafe")
    run, end = merged.run, merged.summary
    assert (run.run_id, run.started, run.wire, run.shard) == ("cafe", world.RUN.started, "connect+raw", None)
    assert (run.addresses, run.ports, run.warnings) == (2, 100, ("hm",))
    assert end is not None
    assert (end.complete, end.exit_code, end.sent, end.duration_s) == (True, 1, 2 * 592, 3.1234)
    assert sum(end.counts.values()) == 200
    assert end.findings[Outcome.MET] == 196


def test_a_host_that_lives_in_one_shard_proves_the_denies_of_another() -> None:
    quiet = [world.dropped("web", world.WEB, 1, live=False)]
    merged, _ = merge([part(quiet, "1/2"), part([world.refused("web", world.WEB, 2)], "2/2")], "cafe")
    assert {finding.proof for finding in merged.findings if finding.outcome is Outcome.MET} == {Proof.PROVEN}


def test_a_shard_that_is_missing_makes_it_incomplete() -> None:
    merged, missing = merge([part(world.verdicts()[:100], "1/3")], "cafe")
    assert missing == ["shard 2/3 is missing", "shard 3/3 is missing"]
    assert merged.run.warnings == tuple(missing)
    assert merged.summary is not None
    assert not merged.summary.complete


def test_what_compares_with_a_baseline_is_taken_as_it_was_judged() -> None:
    seen = world.verdicts()
    first = part(seen, None)
    contract = replace(first.recorded.findings[0].expectation, baseline="last", words=("unchanged",))
    finding = replace(first.recorded.findings[0], expectation=contract, message="as it was")
    first.recorded.findings[0] = finding
    assert finding in merge([first], "cafe")[0].findings


@pytest.mark.parametrize(
    "other, message",
    [
        ({"shard": "1/2"}, "web 198.18.1.10 tcp/1 has a verdict in more than one of the files"),
        ({"shard": "2/3"}, "shard 2/3 does not belong to shard 1/2"),
        ({"shard": "2/2", "profile": "other"}, "the profile is 'other', that of 1/2.jsonl is 'office-edge'"),
        ({"shard": "2/2", "vantage": "dmz"}, "the vantage is 'dmz'"),
    ],
)
def test_what_does_not_belong_together(other: dict[str, str], message: str) -> None:
    seen = world.verdicts()[:10]
    with pytest.raises(UsageError, match=message.removeprefix("web ")):
        merge([part(seen, "1/2"), part(seen, **other)], "cafe")


def test_as_it_is_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On loopback: three hosts, two shards, together exactly the whole."""
    profile = tmp_path / "p.yaml"
    profile.write_text(
        "version: 1\nname: three\ntargets: {me: [127.0.0.1-3]}\nscan: {tcp: 1-5}\n"
        "expect: [{to: me, tcp: rest, is: closed}]\n"
    )
    files = [str(tmp_path / f"{shard}.jsonl") for shard in (1, 2)]
    common = ["--wire", "connect", "--no-progress", "--history", str(tmp_path / "h.sqlite")]
    for shard, file in enumerate(files, 1):
        assert main(["run", str(profile), *common, "--shard", f"{shard}/2", "-o", f"jsonl:{file}"]) == 0
    whole = tmp_path / "whole.jsonl"
    assert main(["merge", *files, "-o", f"jsonl:{whole}", "--history", str(tmp_path / "h.sqlite")]) == 0
    capsys.readouterr()
    records = [json.loads(line) for line in whole.read_text().splitlines()]
    ports = [(record["address"], record["port"]) for record in records if record["type"] == "port"]
    assert sorted(ports) == [(f"127.0.0.{host}", port) for host in (1, 2, 3) for port in range(1, 6)]
    assert [json.loads(Path(file).read_text().splitlines()[0])["shard"] for file in files] == ["1/2", "2/2"]
    assert main(["run", str(profile), *common]) == 0
    assert main(["diff", str(whole), "last", "--history", str(tmp_path / "h.sqlite")]) == 0
    assert main(["merge", files[0], "--no-history"]) == 3
    assert "probe: shard 2/2 is missing" in capsys.readouterr().err
