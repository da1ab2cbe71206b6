"""Many verdicts told at once leave the same behind as the same verdicts told one by one, in every format."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core import assess
from probe.model import Evidence, OutputSpec, PortKey, Reason, State, Verdict
from probe.report import FORMATS, Sink, stencil
from probe.report.archive import Archive
from probe.report.csv import CsvSink
from probe.report.database import Database
from probe.report.history import HistorySink
from probe.report.html import HtmlSink
from probe.report.journal import JournalSink, read_journal
from probe.report.jsonl import JsonlSink, line
from probe.report.records import port_record
from probe.report.reports import Reports
from probe.report.stencil import thousandths, times
from probe.report.table import TableSink
from probe.report.tape import Tape
from probe.sweep import Sweep
from tests.core.made_scans import SCANS, Made
from tests.report import report_world as world
from tests.report.test_report_records import Memory

sizes = st.sampled_from([1, 7, 1 << 14])


@pytest.fixture(autouse=True, params=[3, stencil.MANY_ALIKE])
def many_alike(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stencil, "MANY_ALIKE", request.param)


def sweeps(of: Made, size: int) -> list[Sweep]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assess, "SWEEP", size)
        return list(of.assessment().sweeps())


def tell(sink: Sink, told: Iterable[Sweep], *, at_once: bool) -> None:
    for sweep in told:
        if at_once:
            sink.ports(sweep)
        else:
            for verdict in sweep:
                sink.port(verdict)


@given(SCANS, sizes)
def test_jsonl(of: Made, size: int) -> None:
    fast, slow = Memory(), Memory()
    tell(JsonlSink(fast), sweeps(of, size), at_once=True)
    tell(JsonlSink(slow), sweeps(of, size), at_once=False)
    assert fast.text.splitlines() == slow.text.splitlines()
    assert fast.flushed == fast.text


@given(SCANS, sizes)
def test_csv(of: Made, size: int) -> None:
    fast, slow = Memory(), Memory()
    tell(CsvSink(fast), sweeps(of, size), at_once=True)
    tell(CsvSink(slow), sweeps(of, size), at_once=False)
    assert fast.text.split("\r\n") == slow.text.split("\r\n")


@given(st.sampled_from(sorted({*FORMATS} - {"jsonl", "csv"})), SCANS, sizes)
def test_all_others(kind: str, of: Made, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        texts = []
        for at_once in (True, False):
            path = Path(folder) / f"{at_once}"
            with Reports.open([OutputSpec(kind, str(path))]) as reports:
                reports.start(world.RUN)
                tell(reports, sweeps(of, size), at_once=at_once)
                reports.finish(world.summary())
            assert not reports.problems
            texts.append(path.read_text())
    assert texts[0] == texts[1]


@given(SCANS, sizes)
@settings(max_examples=30)
def test_the_history(of: Made, size: int) -> None:
    back = []
    for at_once in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "history.sqlite")
            sink = HistorySink(Database.open(path, create=True))
            sink.start(world.RUN)
            tell(sink, sweeps(of, size), at_once=at_once)
            sink.finish(world.summary())
            with Archive.open(path) as archive:
                back.append(list(archive.verdicts(archive.find("last"))))
    assert back[0] == back[1]
    assert len(back[0]) == sum(map(len, sweeps(of, size)))


@given(SCANS, sizes, st.integers(1, 80))
@settings(max_examples=30)
def test_the_journal(of: Made, size: int, begun: int) -> None:
    """From the beginning, and where it goes on with a run that was killed."""
    back = []
    for at_once in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "j")
            for resumed, told in ((False, sweeps(of, begun)[:1]), (True, sweeps(of, size))):
                sink = JournalSink(path, "mark", read_journal(path) if resumed else None)
                sink.start(world.RUN)
                tell(sink, told, at_once=at_once)
                sink.abandon(keep=True)
            back.append(read_journal(path).verdicts)
    assert back[0] == back[1]
    decided = [one for sweep in sweeps(of, size) for one in sweep if one.reason is not Reason.INTERRUPTED]
    assert back[0].keys() == {one.key for one in decided}


@given(SCANS, sizes)
@settings(max_examples=20)
def test_what_was_told_to_a_tape_is_played(of: Made, size: int) -> None:
    tape, played = Tape(), Memory()
    tape.start(world.RUN)
    tell(tape, sweeps(of, size), at_once=True)
    tape.play(JsonlSink(played), (), world.summary())
    assert played.text.splitlines()[1:-1] == [
        line(port_record(one)).rstrip("\n") for sweep in sweeps(of, size) for one in sweep
    ]


@given(st.lists(st.floats(0, allow_infinity=False) | st.just(np.nan) | st.integers(0, 10**7).map(lambda n: n / 2000)))
def test_times_are_rounded_as_python_does(rtts: list[float]) -> None:
    wholes, parts = times(np.array(rtts, np.float64), "")
    expected = ["" if rtt != rtt else repr(round(rtt, 3)) for rtt in rtts]
    assert [whole + part for whole, part in zip(wholes, parts, strict=True)] == expected


def test_halves_are_left_to_python() -> None:
    """0.0005 is a little more than that, and 2.0005 a little less: only all digits tell."""
    halves = np.array([0.0005, 2.0005, 0.0015, 1000.5, 0.25, np.nan, 1e300])
    assert thousandths(halves)[1].tolist() == [False, False, False, True, True, False, False]


def hostile() -> Iterator[Sweep]:
    """A host that says something else on each port, and text that would break a line or a cell."""
    target = 'a "target", \\ =cmd()\n\x1b[31m\u202e'
    address = ip_address("198.18.0.1")
    look = Verdict(target, PortKey(address, "tcp", 1), State.UNKNOWN, Reason.NOT_SENT, None, Evidence(str(address)), 1)
    looks = [
        look,
        Verdict(*(target, look.key, State.OPEN, Reason.SYN_ACK, None, Evidence("198.18.0.1", note='=1,"\r\n')), 1),
        Verdict(*(target, look.key, State.OPEN, Reason.SYN_ACK, None, Evidence(note="\\u0000")), 1, None, world.SSH),
    ]
    yield Sweep(
        ((target, address), ("@x", ip_address("fd18::1"))),
        tuple(looks),
        (True, True, False),
        np.array([0, 0, 1, 1, 1]),
        np.array([1, 443, 22, 80, 65535], np.uint16),
        np.array([0, 1, 0, 1, 2]),
        np.array([np.nan, 0.0004, 12345.6789, 2.0005, 0.1]),
    )


@pytest.mark.parametrize("sink", [JsonlSink, CsvSink])
def test_hostile_words_stay_in_their_place(sink: type[JsonlSink] | type[CsvSink]) -> None:
    fast, slow = Memory(), Memory()
    tell(sink(fast), hostile(), at_once=True)
    tell(sink(slow), hostile(), at_once=False)
    assert fast.text == slow.text
    assert fast.text.isprintable() or set(fast.text) - set(map(chr, range(32, 127))) <= {"\r", "\n"}


class Nowhere:
    """An Out that keeps nothing."""

    name = "nowhere"

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...

    def commit(self) -> None: ...

    def abandon(self, *, keep: bool) -> None: ...


def a_million() -> Iterator[Sweep]:
    """16 hosts × 65,535 ports, each of its own round-trip time; every 97th is silent, and so are two blocks."""
    closed, silent = world.refused("net", world.WEB, 1), world.dropped("net", world.WEB, 1)
    ports = np.arange(1, 65536)
    which = (ports % 97 == 0) | (ports // 5000 == 3)
    for number in range(16):
        place = ("net", ip_address(f"198.18.7.{number}"))
        times = np.where(which, np.nan, ports / (number + 7))
        columns = (np.zeros(ports.size, np.int64), ports.astype(np.uint16), which.astype(np.int64), times)
        whole = Sweep((place,), (closed, silent), (True, False), *columns)
        yield from (whole.only(slice(start, start + (1 << 14))) for start in range(0, ports.size, 1 << 14))


@pytest.mark.parametrize(("make", "sweeps"), [(TableSink, 64), (HtmlSink, 64), (JsonlSink, 12), (CsvSink, 12)])
def test_a_million_verdicts_leave_little_behind(make: Callable[[Nowhere], Sink], sweeps: int) -> None:
    sink, seen = make(Nowhere()), 0
    sink.start(world.RUN)
    tracemalloc.start()
    try:
        for number, sweep in enumerate(islice(a_million(), sweeps)):
            sink.ports(sweep)
            if number == 3:
                seen = tracemalloc.get_traced_memory()[0]
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now - seen < 500_000
    assert peak < 30_000_000
