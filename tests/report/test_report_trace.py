"""A trace on paper: records, the view, the capture file, and that nothing a peer sends gets out of its line."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.core.conclusion import Word, conclude
from probe.core.located import Located
from probe.core.story import Story
from probe.core.traced import TraceEnd, TraceInfo
from probe.errors import OutputError, UsageError
from probe.model import OutputSpec
from probe.report.trace import TraceLines, TraceSink
from probe.report.traces import Traces
from probe.report.traceview import TraceView
from tests.core.tracebook import ENDS, HELLO, THEM, error, segment, told
from tests.report.test_report_records import Memory

CONNECTED = Word(0, 0.1)
INFO = TraceInfo("web.test", ENDS, 1_700_000_000_123_456_789, "raw", "0.1.0")


def write(sink: TraceSink, story: Story, word: Word, place: Located | None = None) -> None:
    sink.start(INFO)
    for step in story.steps:
        sink.step(step)
    sink.finish(TraceEnd(conclude(story, word, place), story.attempts, story.rtt_ms, place))


def records(story: Story, word: Word = CONNECTED, place: Located | None = None) -> list[dict[str, Any]]:
    memory = Memory()
    write(TraceLines(memory), story, word, place)
    assert memory.committed
    assert memory.text.isascii()
    return [json.loads(line) for line in memory.text.splitlines()]


def view(story: Story, word: Word = CONNECTED, width: int = 80) -> list[str]:
    memory = Memory()
    write(TraceView(memory, stream=io.StringIO(), width=width), story, word)
    return memory.text.splitlines()


def test_a_record_for_the_head_each_packet_and_the_end() -> None:
    head, syn, syn_ack, ack, data, end = records(told(*HELLO, "< PA 1 1 hi"))
    assert head == {
        "type": "trace",
        "schema_version": 1,
        "target": "web.test",
        "address": THEM,
        "transport": "tcp",
        "port": 80,
        "source": "198.18.0.10",
        "source_port": 40000,
        "started": "2023-11-14T22:13:20.123456Z",
        "wire": "raw",
        "probe_version": "0.1.0",
    }
    assert syn == {
        "type": "packet",
        "number": 1,
        "time": "1970-01-01T00:00:00.000000Z",
        "direction": "out",
        "name": "SYN",
        "flags": "S",
        "seq": 2**32 - 2,
        "seq_relative": 0,
        "window": 65160,
        "ttl": 64,
        "length": 0,
        "state": "SYN-SENT",
    }
    assert (syn_ack["since_ms"], syn_ack["ack"], syn_ack["ack_relative"]) == (1.0, 2**32 - 1, 1)
    assert (ack["seq_relative"], ack["ack_relative"], ack["state"]) == (1, 1, "ESTABLISHED")
    assert (data["name"], data["length"], data["data"]) == ("data", 2, "hi")
    assert (end["type"], end["exit_code"], end["state"], end["rtt_ms"]) == ("summary", 0, "open", 1.0)
    assert end["meaning"][0].startswith("Open: ")


def test_a_record_of_an_icmp_error_and_of_the_hop() -> None:
    _, _, icmp, _ = records(told("> S 0", error(3, 13)), Word(113, 0.1))
    assert (icmp["name"], icmp["sender"], icmp["reason"]) == ("ICMP", "198.18.0.1", "admin-prohibited")
    assert (icmp["icmp_type"], icmp["icmp_code"], icmp["quoted_seq_relative"]) == (3, 13, 0)
    end = records(told("> S 0"), Word(110, 4.0), Located(hop=2, address="198.18.0.1", silent=3))[-1]
    assert (end["hop"], end["hop_address"], end["silent_hop"]) == (2, "198.18.0.1", 3)


def test_the_view() -> None:
    assert view(told("> S 0", segment("< RA 0 1", ttl=62)), Word(111, 0.1))[:8] == [
        "198.18.2.20 tcp/80  from 198.18.0.10 port 40000 · raw · 2023-11-14 22:13:20 UTC",
        "",
        "  1 00:00:00.000000                → SYN          SYN-SENT",
        "    Flags [S], seq 4294967294 (0), win 65160, ttl 64, length 0",
        "  2 00:00:00.001000     +1.000 ms  ← RST          CLOSED",
        "    Flags [R.], seq 4294967293, ack 4294967295 (1), win 65160, ttl 62, length 0",
        "",
        "closed/undetermined  reset · exit 1",
    ]


def test_lines_break_between_fields() -> None:
    stamped = [segment(line, stamps=(4_000_000_000, 4_000_000_000)) for line in HELLO]
    for width in (60, 80, 120):
        lines = [line for line in view(told(*stamped), width=width) if line.startswith("    ")]
        assert all(len(line) <= width for line in lines)
        assert not [line for line in lines if line.count("[") != line.count("]")]


def test_remarks_and_data_are_shown() -> None:
    text = "\n".join(view(told("> S 0", "> S 0", *HELLO[1:], "< PA 1 1 220-hello")))
    assert "→ SYN          SYN-SENT  retransmission" in text
    assert '\n    "220-hello"\n' in text


HOSTILE = b"\x1b]52;c;eA==\x07\x1b[2J\r\n\xe2\x80\xae\x9b31m\xff"


@given(st.binary(min_size=1, max_size=400))
@example(HOSTILE)
def test_nothing_that_a_peer_says_gets_out_of_its_line(data: bytes) -> None:
    packet = segment("< PA 1 1 x")[:-1] + data
    story = told(*HELLO)
    story.add(9_000_000, packet[:2] + (len(packet)).to_bytes(2, "big") + packet[4:], intact=True)
    for width in (60, 120):
        assert all(line.isprintable() for line in view(story, width=width))
    records(story)


# --- the outputs -----------------------------------------------------------------------------------------------------


def test_files_appear_whole_and_private(tmp_path: Path) -> None:
    lines, table, capture = tmp_path / "t.jsonl", tmp_path / "t.txt", tmp_path / "t.pcap"
    specs = [OutputSpec("jsonl", str(lines)), OutputSpec("table", str(table))]
    with Traces.open(specs, str(capture)) as traces:
        assert list(tmp_path.glob("t.*")) == []
        traces.packet(5, bytes(range(256)))
        write(traces, told(*HELLO), Word(0, 0.1))
    assert len(lines.read_text().splitlines()) == 5
    assert "open/listening" in table.read_text()
    assert capture.read_bytes()[24 + 16 :] == bytes(range(256))
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_trace_that_was_broken_off_leaves_its_packets_readable(tmp_path: Path) -> None:
    with Traces.open([], str(tmp_path / "t.pcap")) as traces:
        traces.packet(5, b"abc")
    assert [path.name for path in tmp_path.iterdir()] == [".t.pcap.partial"]
    assert (tmp_path / ".t.pcap.partial").read_bytes().endswith(b"abc")


def test_a_trace_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    with Traces.open([OutputSpec("jsonl", str(tmp_path / "t"))], None):
        assert [path.name for path in tmp_path.iterdir()] == [".t.partial"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("specs", "capture", "said"),
    [
        ([("csv", "x")], None, "a trace has the formats jsonl, table"),
        ([("jsonl", "x"), ("table", "x")], None, "two outputs cannot go to the same place"),
        ([("jsonl", "x")], "x", "two outputs cannot go to the same place"),
        ([], "-", "a capture goes to a file"),
        ([], "no/such/folder", "there is no folder no/such"),
    ],
)
def test_outputs_that_cannot_be(
    specs: list[tuple[str, str]], capture: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=said):
        Traces.open([OutputSpec(*spec) for spec in specs], capture)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_takes_one_output_and_not_the_rest(tmp_path: Path) -> None:
    lines, capture = tmp_path / "t.jsonl", tmp_path / "t.pcap"
    with Traces.open([OutputSpec("jsonl", str(lines))], str(capture)) as traces:
        lines.mkdir()  # in the way when the file is to be put in place
        capture.mkdir()
        write(traces, told(*HELLO), Word(0, 0.1))
    assert [type(problem) for problem in traces.problems] == [OutputError, OutputError]
