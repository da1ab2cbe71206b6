"""Records and the canonical form: names, order, what is left out, and that no line can do harm."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from probe.model import Conversation, Evidence, Handshake, HostKey, RunInfo, Service, Tls
from probe.report.jsonl import JsonlSink, line
from probe.report.records import evidence_record, finding_record, port_record, run_record, summary_record
from tests.report import report_world as world


class Memory:
    """An Out that keeps what was written, and remembers what it was told."""

    name = "memory"

    def __init__(self) -> None:
        self.text = ""
        self.flushed = ""
        self.committed = False

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        self.flushed = self.text

    def commit(self) -> None:
        self.committed = True

    def abandon(self, *, keep: bool) -> None:
        raise AssertionError("nobody gives up here")


def test_a_port_has_the_promised_shape_and_order() -> None:
    tls = Tls("TLSv1.3", "h2", "CN=a", "CN=b", ("a.example",), "2026-01-01", "2027-01-01", "ab" * 32)
    talk = Conversation(Handshake.ANSWERED, Service("http", "nginx", "1.22.1", "Debian", tls), b"HTTP/1.1 200 OK")
    record = port_record(world.listening("web", world.WEB, 443, talk))
    names = ["type", "target", "address", "transport", "port", "state", "reason", "cause", "evidence", "attempts"]
    assert list(record) == [*names, "rtt_ms", "registered", "handshake", "service", "banner"]
    assert list(record["service"]) == ["name", "product", "version", "info", "tls"]
    tls_names = ["version", "alpn", "subject", "issuer", "names", "not_before", "not_after", "sha256"]
    assert list(record["service"]["tls"]) == tls_names
    assert record["evidence"] == {"responder": world.WEB, "ttl": 63, "window": 65160, "flags": "SA"}
    assert (record["rtt_ms"], record["registered"], record["handshake"]) == (0.215, "https", "answered")
    assert record["banner"] == "HTTP/1.1 200 OK"


def test_where_a_dropped_port_ends_stands_in_its_evidence() -> None:
    evidence = Evidence(hop=2, hop_address="198.18.0.1", silent_hop=3, note="dropped at or after hop 2 (198.18.0.1)")
    record = evidence_record(evidence)
    assert list(record) == ["hop", "hop_address", "silent_hop", "note"]
    assert (record["hop"], record["hop_address"], record["silent_hop"]) == (2, "198.18.0.1", 3)


def test_what_is_absent_leaves_no_trace() -> None:
    record = port_record(world.not_sent("web", world.WEB, 4))
    assert record["evidence"] == {"errno": "ENETUNREACH"}
    assert not {"cause", "rtt_ms", "handshake", "service", "banner"} & set(record)
    only_tls = port_record(world.listening("web", world.WEB, 4, world.spoke(None, tls=Tls("TLSv1.2"))))
    assert only_tls["service"] == {"tls": {"version": "TLSv1.2"}}


def test_a_host_key_and_a_layer_by_starttls_are_told() -> None:
    key = HostKey("ssh-ed25519", "SHA256:abc")
    ssh = port_record(world.listening("web", world.WEB, 4, Conversation(Handshake.ANSWERED, Service("ssh", key=key))))
    assert ssh["service"] == {"name": "ssh", "key": {"type": "ssh-ed25519", "fingerprint": "SHA256:abc"}}
    smtp = Service("smtp", tls=Tls("TLSv1.3", starttls=True))
    record = port_record(world.listening("web", world.WEB, 4, Conversation(Handshake.ANSWERED, smtp)))
    assert record["service"]["tls"] == {"version": "TLSv1.3", "starttls": True}


def test_a_silent_port_has_empty_evidence() -> None:
    assert port_record(world.dropped("web", world.WEB, 4))["evidence"] == {}


def test_findings_by_port_and_by_service() -> None:
    found = world.findings(world.verdicts())
    by_port = finding_record(next(finding for finding in found if finding.expectation.number == 2))
    message = by_port.pop("message")
    assert list(by_port.items()) == [
        *(("type", "finding"), ("outcome", "violated"), ("proof", "proven"), ("expectation", 2), ("line", 19)),
        *(("target", "web"), ("address", world.WEB), ("transport", "tcp"), ("port", 22)),
        *(("expected", ["rejected"]), ("observed", "closed/refused")),
    ]
    assert message.startswith("web 198.18.1.10 tcp/22: expected rejected")
    by_service = finding_record(found[-1])
    assert by_service.pop("message").startswith("web: http expected on tcp/81, but it moved")
    places = [{"address": world.WEB, "port": 80}, {"address": world.WEB, "port": 99, "identity": "ab" * 32}]
    assert list(by_service.items()) == [
        *(("type", "finding"), ("outcome", "violated"), ("expectation", 5), ("line", 22), ("target", "web")),
        *(("service", "http"), ("home", 81), ("observed", "moved"), ("found", places)),
    ]


def test_head_and_end() -> None:
    head = run_record(world.RUN)
    assert list(head)[:7] == ["type", "schema_version", "run_id", "profile", "vantage", "started", "seed"]
    assert (head["wire"], head["probe_version"], "warnings" in head) == ("raw", "0.1.0", False)
    bare = RunInfo("1", "p", None, "2026-01-01T00:00:00Z", 1, "connect", "0.1.0", warnings=("no raw sockets",))
    assert "vantage" not in run_record(bare)
    assert run_record(bare)["warnings"] == ["no raw sockets"]
    end = summary_record(world.summary(complete=False, exit_code=130, interrupted="SIGINT"))
    assert list(end)[:4] == ["type", "complete", "exit_code", "counts"]
    assert list(end["counts"]) == ["open", "closed", "filtered", "unknown"]
    assert (end["duration_s"], end["interrupted"]) == (3.123, "SIGINT")
    assert end["findings"] == {"met": 0, "violated": 0, "unknown": 0}


def run_of(out: Memory) -> list[dict[str, Any]]:
    sink, seen = JsonlSink(out), world.verdicts()
    sink.start(world.RUN)
    for verdict in seen:
        sink.port(verdict)
    for finding in world.findings(seen):
        sink.finding(finding)
    sink.finish(world.summary())
    return [json.loads(text) for text in out.text.splitlines()]


def test_json_lines_of_a_run() -> None:
    out = Memory()
    records = run_of(out)
    kinds = [record["type"] for record in records]
    assert kinds == ["run"] + ["port"] * 200 + ["finding"] * 201 + ["summary"]
    assert out.committed


def test_each_line_is_handed_over_as_it_is_decided() -> None:
    out = Memory()
    sink = JsonlSink(out)
    sink.start(world.RUN)
    sink.port(world.dropped("web", world.WEB, 1))
    assert out.flushed == out.text
    assert len(out.text.splitlines()) == 2


@given(st.text(), st.text(), st.text(), st.binary())
def test_no_line_can_harm_a_terminal_or_break_into_two(product: str, subject: str, info: str, banner: bytes) -> None:
    service = Service("http", product, info=info, tls=Tls("TLSv1.3", subject=subject, names=(subject,)))
    record = port_record(world.listening("w", world.WEB, 80, Conversation(Handshake.ANSWERED, service, banner)))
    text = line(record)
    assert text.isascii()
    assert text[:-1].isprintable()
    assert json.loads(text) == record
    assert record.get("banner", "").isprintable()
    assert record["service"]["tls"].get("subject", "").isprintable()
