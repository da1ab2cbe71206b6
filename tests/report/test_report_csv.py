"""CSV: every cell comes back as it was meant, none is a formula, and the columns are those that were promised."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import Conversation, Handshake, HostKey, Service, Tls
from probe.report.csv import COLUMNS, CsvSink, cell
from tests.report import report_world as world
from tests.report.test_report_records import Memory

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def rows(out: Memory) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out.text, newline=""), strict=True))


def whole_run() -> Memory:
    out = Memory()
    sink, seen = CsvSink(out), world.verdicts()
    sink.start(world.RUN)
    for verdict in seen:
        sink.port(verdict)
    for finding in world.findings(seen):
        sink.finding(finding)
    sink.finish(world.summary())
    return out


def test_rows_of_a_run() -> None:
    table = rows(whole_run())
    assert [row["type"] for row in table] == ["port"] * 200 + ["finding"] * 201 + ["summary"]
    assert tuple(table[0]) == COLUMNS
    assert all(value is not None for row in table for value in row.values())
    tls = next(row for row in table if row["port"] == "99" and row["target"] == "web")
    assert (tls["service"], tls["product"], tls["tls_version"]) == ("http", "nginx", "TLSv1.3")
    assert (tls["tls_subject"], tls["tls_names"]) == ("CN=www.office.example", "www.office.example")
    assert (tls["responder"], tls["ttl"], tls["rtt_ms"], tls["outcome"]) == (world.WEB, "63", "0.215", "")


def test_what_is_absent_is_an_empty_cell() -> None:
    silent = next(row for row in rows(whole_run()) if row["port"] == "1")
    filled = {name for name, value in silent.items() if value}
    assert filled == {
        *("type", "target", "address", "transport", "port", "state"),
        *("reason", "cause", "attempts", "registered"),
    }


def test_findings_in_cells() -> None:
    table = rows(whole_run())
    moved = next(row for row in table if row["observed"] == "moved")
    assert (moved["home"], moved["service"], moved["expected"]) == ("81", "http", "")
    assert moved["found"] == "198.18.1.10 80, 198.18.1.10 99"
    assert next(row for row in table if row["expectation"] == "3")["expected"] == "dropped rejected"


@pytest.mark.parametrize(
    "changes,observed,message",
    [
        ({}, "complete", "exit 1: an expectation was violated"),
        ({"complete": False, "exit_code": 130, "interrupted": "SIGINT"}, "SIGINT", "exit 130: interrupted by SIGINT"),
        ({"complete": False, "exit_code": 1}, "incomplete", "exit 1: an expectation was violated"),
    ],
)
def test_the_last_row_says_how_the_run_ended(changes: dict[str, Any], observed: str, message: str) -> None:
    out = Memory()
    sink = CsvSink(out)
    sink.start(world.RUN)
    sink.finish(world.summary(**changes))
    last = rows(out)[-1]
    assert (last["type"], last["observed"], last["message"]) == ("summary", observed, message)


def test_formulas_get_a_quote_mark() -> None:
    assert cell("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0"
    assert cell("@SUM(1)") == "'@SUM(1)"
    assert cell("\t=1") == "\\x09=1"
    assert cell(None) == ""
    assert cell(-1) == "'-1"


def test_identity_has_cells_of_its_own() -> None:
    service = Service("ssh", tls=Tls("TLSv1.3", starttls=True), key=HostKey("ssh-ed25519", "SHA256:abc"))
    out = Memory()
    sink = CsvSink(out)
    sink.start(world.RUN)
    sink.port(world.listening("web", world.WEB, 22, Conversation(Handshake.ANSWERED, service)))
    (row,) = rows(out)
    assert [row[name] for name in ("service", "key_type", "key_fingerprint", "tls_starttls")] == [
        *("ssh", "ssh-ed25519", "SHA256:abc", "True")
    ]


@given(st.text(), st.text(), st.binary())
def test_hostile_text_stays_in_its_cell_and_is_no_formula(product: str, subject: str, banner: bytes) -> None:
    service = Service("http", product, tls=Tls("TLSv1.3", subject=subject))
    out = Memory()
    sink = CsvSink(out)
    sink.start(world.RUN)
    sink.port(world.listening("web", world.WEB, 80, Conversation(Handshake.ANSWERED, service, banner)))
    (row,) = rows(out)
    assert None not in row
    assert not any(value.startswith(DANGEROUS) for value in row.values())
    assert all(value.isprintable() for value in row.values())
    assert row["product"] == cell(product or None)
