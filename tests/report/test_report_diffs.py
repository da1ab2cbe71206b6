"""A diff in its formats: all of them say the same, and none of it can be led astray by what hosts say."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from msgspec.structs import replace

from probe.errors import UsageError
from probe.judge.diff import compare
from probe.model import Cause, OutputSpec, Verdict
from probe.report.compared import Compared
from probe.report.diffs import open_outputs, write
from tests.report.report_world import RUN, SSH, WEB, dropped, listening, not_sent, prohibited, refused, spoke

LATER = replace(RUN, run_id="0193-beef", started="2026-01-03T03:04:05Z")


def old() -> list[Verdict]:
    fleet = [dropped("web", WEB, port) for port in range(1, 11)]
    return [*fleet, listening("web", WEB, 22, SSH), refused("web", WEB, 2222), dropped("web", WEB, 3000)]


def new() -> list[Verdict]:
    fleet = [prohibited("web", WEB, port) for port in range(1, 9)] + [dropped("web", WEB, 9), not_sent("web", WEB, 10)]
    moved = [refused("web", WEB, 22), listening("web", WEB, 2222, SSH), dropped("web", WEB, 4000)]
    return [*fleet, *moved]


def compared(before: list[Verdict], after: list[Verdict], *, complete: bool = True) -> Compared:
    diff = compare({one.key: one for one in before}, {one.key: one for one in after})
    return Compared(RUN, LATER, diff, complete)


def written(what: Compared, kind: str, tmp_path: Path) -> str:
    path = tmp_path / "diff"
    write(what, open_outputs([OutputSpec(kind, str(path)), OutputSpec("jsonl", "-")]))
    return path.read_text()


def test_text(tmp_path: Path) -> None:
    assert written(compared(old(), new()), "text", tmp_path).splitlines() == [
        "office-edge  2026-01-02T03:04:05Z (0192-abcd) → 2026-01-03T03:04:05Z (0193-beef)",
        "",
        "± changed  web 198.18.1.10 tcp/1-8  cause",
        "  was  filtered (dropped): no answer to 3 probes",
        "  is   filtered (rejected): ICMP admin-prohibited (type 3 code 13) from 198.18.0.1, TTL 64",
        "→ moved    web 198.18.1.10 tcp/22 → 2222",
        "  web 198.18.1.10: ssh (OpenSSH 9.2p1) moved from tcp/22 to tcp/2222; tcp/22 is now closed",
        "  (refused): RST from 198.18.1.10, TTL 63",
        "not compared",
        "  198.18.1.10 tcp/4000  not scanned before",
        "  198.18.1.10 tcp/3000  not scanned now",
        "  198.18.1.10 tcp/10  undecided",
        "",
        "8 changed · 1 moved · 1 unchanged · 1 not scanned before · 1 not scanned now · 1 undecided · exit 1:",
        "something changed",
    ]


def test_jsonl(tmp_path: Path) -> None:
    records = [json.loads(line) for line in written(compared(old(), new()), "jsonl", tmp_path).splitlines()]
    assert [record["type"] for record in records] == ["diff", *["change"] * 9, *["not-compared"] * 3, "summary"]
    head, move, end = records[0], records[9], records[-1]
    assert (head["old"]["run_id"], head["new"]["run_id"]) == ("0192-abcd", "0193-beef")
    assert (move["kind"], move["port"], move["moved_to"]) == ("moved", 22, 2222)
    assert move["old"]["service"] == move["new"]["service"]
    assert records[1]["old"]["cause"] == "dropped"
    assert records[1]["new"]["evidence"]["responder"] == "198.18.0.1"
    assert end["changes"] == {"state": 0, "cause": 8, "service": 0, "identity": 0, "moved": 1}
    assert (end["exit_code"], end["unchanged"]) == (1, 1)
    assert end["not_compared"] == {"not scanned before": 1, "not scanned now": 1, "undecided": 1}


def test_junit(tmp_path: Path) -> None:
    root = ET.fromstring(written(compared(old(), new(), complete=False), "junit", tmp_path))
    assert root.attrib == {
        "name": "probe diff",
        "tests": "14",
        "failures": "9",
        "errors": "2",
        "skipped": "2",
        "time": "0",
    }
    suites = {suite.attrib["name"]: suite for suite in root}
    assert list(suites) == ["office-edge.web", "office-edge.diff"]
    names = [case.attrib["name"] for case in suites["office-edge.web"]]
    assert names[0] == "198.18.1.10 tcp/1 cause is unchanged"
    assert names[-1] == "198.18.1.10 tcp/22 moved to 2222"


@pytest.mark.parametrize("complete, last", [(True, "nothing changed"), (False, "not everything could be compared")])
def test_nothing_changed(complete: bool, last: str, tmp_path: Path) -> None:
    text = written(compared(old(), old(), complete=complete), "text", tmp_path)
    assert "changed · 0 moved · 13 unchanged" in text
    assert last in " ".join(text.split())


@pytest.mark.parametrize("kind", ["text", "jsonl", "junit"])
def test_what_hosts_say_disturbs_nothing(kind: str, tmp_path: Path) -> None:
    evil = "]]><x>\x1b[31m[bold]\u202e&\x00"
    before = [listening("web", WEB, 80, spoke("http", evil)), refused("web", WEB, 81, Cause.REFUSED)]
    after = [listening("web", WEB, 80, spoke("http", evil, evil)), listening("web", WEB, 81, spoke(evil))]
    text = written(compared(before, after), kind, tmp_path)
    assert all(char.isprintable() or char == "\n" for char in text)
    if kind == "junit":
        assert len(list(ET.fromstring(text).iter("failure"))) == 2


@pytest.mark.parametrize("asked", [["csv:x"], ["text:-", "junit:-"], ["text:x", "junit:x"], ["text:nowhere/x"]])
def test_bad_outputs(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        open_outputs([OutputSpec(*text.split(":")) for text in asked])


def test_without_outputs_it_is_text_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write(compared(old(), old()), open_outputs([]))
    assert capsys.readouterr().out.endswith("nothing changed\n")
