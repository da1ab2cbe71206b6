"""Peers that mean harm get so many bytes and seconds of ours and no more, and nothing of theirs gets out raw."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import tracemalloc
from ipaddress import ip_address
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.dialogue import Limits
from probe.judge import judge_port
from probe.model import Cause, Conversation, Evidence, Expectation, PortKey, Reason, State, Verdict
from probe.net.streams import converse
from probe.report.csv import COLUMNS, CsvSink
from probe.report.jsonl import JsonlSink
from probe.report.junit import JunitSink
from probe.report.table import TableSink
from probe.services import hints
from probe.services.identify import identify
from probe.services.matchers import match
from probe.services.talk import BANNER
from tests.net.hostile_peers import ELSEWHERE, HOSTILE, TERMINAL
from tests.net.scripted_net import Peer, ScriptedNet, run_virtually
from tests.report import report_world as world
from tests.report.test_report_records import Memory
from tests.services.test_services_matchers import GREETINGS

HOST = "198.18.1.10"
LIMITS = Limits()
SLACK = 3.0  # seconds: the first connection, and what had just begun when time was up
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def spoken(name: str, port: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Conversation, float, ScriptedNet]:
    make, _ = HOSTILE[name]
    net = ScriptedNet({(HOST, port): make()})
    talk, seconds = run_virtually(lambda: converse(HOST, port, identify(port), dial=net.dial), monkeypatch)
    return talk, seconds, net


@pytest.mark.parametrize("port", [7777, 443])
@pytest.mark.parametrize("name", HOSTILE)
def test_time_and_bytes_are_bounded_and_nobody_is_taken_in(
    name: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk, seconds, net = spoken(name, port, monkeypatch)
    assert (talk.service.name or "TLS" if talk.service else None) == HOSTILE[name][1]
    assert seconds <= LIMITS.seconds + SLACK
    assert net.received <= LIMITS.received * len(net.dialled)
    assert len(net.dialled) <= 2 * len(hints.hellos(port))
    assert len(talk.banner) <= BANNER
    assert net.open["all"] == 0
    assert not any(ELSEWHERE in request for _, _, request in net.requests)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "flood" in name or "without end" in name])
def test_memory_is_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken(name, 7777, monkeypatch)  # imports are not what is measured
    tracemalloc.start()
    try:
        spoken(name, 7777, monkeypatch)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_gets_out_raw(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    talk, _, _ = spoken(name, 7777, monkeypatch)
    check_all_formats(talk)


def check_all_formats(talk: Conversation) -> None:
    """Every format is valid and plain, whatever the peer said."""
    memories = {make: Memory() for make in (JsonlSink, CsvSink, JunitSink, TableSink)}
    verdict = Verdict(
        "web",
        PortKey(ip_address(HOST), "tcp", 7777),
        State.OPEN,
        Reason.SYN_ACK,
        Cause.LISTENING,
        Evidence(responder=HOST, ttl=64, window=1, flags="SA"),
        1,
        conversation=talk,
    )
    finding = judge_port(Expectation(1, 1, 1, "web", frozenset({7777}), words=("dropped",)), verdict)
    for make, memory in memories.items():
        sink = make(memory)
        sink.start(world.RUN)
        sink.port(verdict)
        sink.finding(finding)
        sink.finish(world.summary([finding]))
    check_jsonl(memories[JsonlSink].text)
    check_csv(memories[CsvSink].text)
    ET.fromstring(memories[JunitSink].text)
    assert all(line.isprintable() for line in memories[TableSink].text.splitlines())


def check_jsonl(text: str) -> None:
    assert text.isascii()
    assert all(line.isprintable() for line in text.splitlines())
    assert [json.loads(line)["type"] for line in text.splitlines()] == ["run", "port", "finding", "summary"]


def check_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text)))
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert not any(cell.startswith(DANGEROUS) for row in rows for cell in row)
    assert all(cell.isprintable() for row in rows for cell in row)


def test_a_terminal_is_coloured_by_us_alone() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    memory = Memory()
    sink = TableSink(memory, stream=Terminal(), width=100)
    sink.start(world.RUN)
    for port in (80, 81):
        service = world.spoke("http" if port == 80 else None, TERMINAL.decode(), TERMINAL.decode(), banner=TERMINAL)
        sink.port(world.listening("web", world.WEB, port, service))
    sink.port(world.listening("web", world.WEB, 82, Conversation(service.handshake, None, TERMINAL)))
    sink.finish(world.summary())
    assert "\x1b[" in memory.text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", memory.text)
    assert all(line.isprintable() for line in plain.splitlines())


@pytest.mark.parametrize("value", range(256))
def test_no_byte_makes_a_service_however_often_it_comes(value: int) -> None:
    assert [match(bytes([value]) * times) for times in (1, 2, 4, 12, 4096)] == [None] * 5


@pytest.mark.parametrize(
    "filler", [b"a", b" ", b"\n", b".", b"0", b"-", b"a.", b"a ", b"\x00", b"\xff\xfb\x01", b"/", b"<"]
)
def test_no_pattern_takes_long(filler: bytes) -> None:
    """Beginnings of real greetings, and then the same again and again: what makes a careless pattern try every way."""
    starts = {greeting[:size] for greeting, _ in GREETINGS for size in (0, 4, 12, len(greeting) // 2)}
    slowest = 0.0
    for start in starts:
        began = time.process_time()
        match((start + filler * BANNER)[:BANNER])
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 0.1  # it takes a thousandth or two


@given(st.binary(max_size=300))
def test_noise_is_no_service(noise: bytes) -> None:
    assert match(noise) is None


@given(st.binary(max_size=200), st.integers(1, 65535))
def test_whatever_is_said_every_format_is_valid(noise: bytes, port: int) -> None:
    monkeypatch = pytest.MonkeyPatch()
    try:
        net = ScriptedNet({(HOST, port): Peer(greeting=noise or None)})
        talk, _ = run_virtually(lambda: converse(HOST, port, identify(port), dial=net.dial), monkeypatch)
    finally:
        monkeypatch.undo()
    check_all_formats(talk)
