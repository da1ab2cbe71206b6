"""Results read back: what was written comes back as it was, and whatever else a file holds is named with its line."""

from __future__ import annotations

import io
import json
import types
import typing
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs
from msgspec.structs import replace

from probe.errors import ResultsError
from probe.model import (
    Conversation,
    Evidence,
    Expectation,
    Finding,
    Handshake,
    Outcome,
    Proof,
    RunInfo,
    Service,
    Summary,
    Verdict,
)
from probe.report import reading
from probe.report.fields import Fields
from probe.report.jsonl import JsonlSink, line
from probe.report.parsing import finding_of, run_of, summary_of, verdict_of
from probe.report.reading import Recorded, read_run, run_from
from probe.report.records import finding_record, port_record, run_record, summary_record
from tests.report.report_world import RUN, findings, summary, verdicts

Record = dict[str, Any]


def written() -> list[bytes]:
    """The lines of a whole run."""
    seen = verdicts()
    found = findings(seen)
    records = [run_record(RUN), *map(port_record, seen), *map(finding_record, found), summary_record(summary(found))]
    return [line(record).encode() for record in records]


LINES = written()


def read(lines: list[bytes]) -> Recorded:
    return run_from(lines, "r.jsonl")


def changed(number: int, **fields: object) -> list[bytes]:
    """The run with fields of one line changed; None takes a field away."""
    record: Record = json.loads(LINES[number - 1])
    record |= fields
    kept = {name: value for name, value in record.items() if value is not None}
    return [*LINES[: number - 1], json.dumps(kept).encode() + b"\n", *LINES[number:]]


def test_what_was_written_comes_back() -> None:
    run = read(LINES)
    assert run.run == RUN
    assert [port_record(verdict) for verdict in run.verdicts.values()] == [port_record(seen) for seen in verdicts()]
    assert [finding_record(one) for one in run.findings] == [finding_record(one) for one in findings(verdicts())]
    assert run.summary == replace(summary(run.findings), duration_s=3.123)
    assert run.complete


def filled(kind: type[Any]) -> Any:
    """A value of a struct of the model with something in every field."""
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: _some(hints[field.name]) for field in structs.fields(kind)})


def _some(hint: Any) -> Any:
    """Something of a type: the first that may stand there, and not the default."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return _some(next(part for part in typing.get_args(hint) if part is not type(None)))
    if isinstance(hint, type) and issubclass(hint, Struct):
        return filled(hint)
    inner = typing.get_args(hint)
    if typing.get_origin(hint) in (tuple, frozenset):
        return hint((_some(inner[0]),))
    if typing.get_origin(hint) is dict:
        return dict.fromkeys(inner[0], 3) if issubclass(inner[0], Enum) else {"syn-ack": 0.5}
    if issubclass(hint, Enum):
        return list(hint)[-1]
    return {str: "x", int: 7, float: 0.5, bool: True, bytes: b"x"}[hint]


@pytest.mark.parametrize(
    "value, record, back",
    [
        (filled(RunInfo), run_record, run_of),
        (filled(Summary), summary_record, summary_of),
        (replace(verdicts()[0], evidence=filled(Evidence)), port_record, verdict_of),
        (
            replace(verdicts()[0], conversation=Conversation(Handshake.ANSWERED, filled(Service), b"x")),
            port_record,
            verdict_of,
        ),
        (
            Finding(
                Outcome.MET,
                replace(filled(Expectation), ports=frozenset(), column=0, rest=False, service=None, home=None),
                "x",
                "x",
                Proof.UNPROVEN,
                verdicts()[0].key,
            ),
            finding_record,
            finding_of,
        ),
    ],
    ids=["run", "summary", "evidence", "service", "finding"],
)
def test_no_field_of_the_model_is_forgotten(
    value: Any, record: Callable[[Any], Record], back: Callable[[Fields], Any]
) -> None:
    """Whoever gives the model a new field finds out here that it must be read back too."""
    assert back(Fields(json.loads(line(record(value))))) == value


def test_a_file_is_read_as_its_lines_are(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"".join(LINES))
    assert read_run(str(path)) == read(LINES)


def test_a_run_without_its_end_is_incomplete() -> None:
    run = read(LINES[:50])
    assert (len(run.verdicts), run.summary, run.complete) == (49, None, False)


def test_what_a_later_probe_adds_is_passed_over() -> None:
    lines = [*LINES[:1], b'{"type":"hop","ttl":3}\n', *changed(2, colour="red")[1:]]
    assert read(lines).verdicts == read(LINES).verdicts


LAST = len(LINES)
BAD: list[tuple[list[bytes], int, str]] = [
    ([], 1, "the file is empty"),
    ([b"\n"], 1, "the line is no JSON: Expecting value at column 1"),
    ([b"\x1f\x8b\x08\x00\n"], 1, "the line is no JSON"),
    ([b'{"type":"r\xff"}\n'], 1, "not UTF-8"),
    ([b"[" * 100_000 + b"\n"], 1, "nested too deeply"),
    ([b"1" * 10_000 + b"\n"], 1, "the line is no JSON"),
    ([b"7\n"], 1, "a record is a JSON object, not 7"),
    ([b"{}\n"], 1, "starts with a record of type 'run', not None"),
    (LINES[1:], 1, "starts with a record of type 'run', not 'port'"),
    (changed(1, schema_version=2), 1, "'schema_version' is 2; this probe reads 1"),
    (changed(1, schema_version=True), 1, "'schema_version': a whole number"),
    (changed(1, run_id=None), 1, "'run_id' is missing"),
    (changed(1, warnings="x"), 1, "'warnings': a list is expected, not 'x'"),
    (changed(2, type=None), 2, "'type' is missing"),
    (changed(2, address="198.18.1.300"), 2, "'address': '198.18.1.300' is no address"),
    (changed(2, address="fe80::1%eth0"), 2, "one machine only"),
    (changed(2, port="80"), 2, "'port': a whole number from 0 to 65535 is expected, not '80'"),
    (changed(2, port=80.0), 2, "not 80.0"),
    (changed(2, port=65536), 2, "not 65536"),
    (changed(2, state="ajar"), 2, "'state': 'ajar' is none of open, closed, filtered, unknown"),
    (changed(2, state=["open"]), 2, "'state': ['open'] is none of"),
    (changed(2, reason="because"), 2, "'reason': 'because' is none of"),
    (changed(2, evidence=[]), 2, "'evidence': an object is expected, not []"),
    (changed(2, evidence={"ttl": 256}), 2, "'evidence': 'ttl': a whole number from 0 to 255 is expected, not 256"),
    (changed(2, evidence={"note": 1}), 2, "'evidence': 'note': text is expected, not 1"),
    (changed(2, rtt_ms=-1), 2, "'rtt_ms': a number"),
    (changed(2, rtt_ms=float("nan")), 2, "'rtt_ms': a number"),
    (changed(2, target="x" * 500 + "\n", attempts="many"), 2, "'attempts'"),
    (changed(LAST - 1, found={}), LAST - 1, "'found': a list"),
    (changed(LAST, complete=1), LAST, "'complete': true or false is expected, not 1"),
    (changed(LAST, counts={"open": -1}), LAST, "'counts': 'open': a whole number"),
    ([*LINES, LINES[1]], LAST + 1, "something stands behind the summary"),
    ([*LINES[:3], LINES[0]], 4, "a second run starts here"),
    ([*LINES[:3], LINES[1]], 4, "a second verdict for 198.18.1.10 tcp/1"),
    ([*LINES[:3], LINES[3][:-20]], 4, "the file ends in the middle of this line"),
]


@pytest.mark.parametrize("lines, number, message", BAD)
def test_what_is_wrong_is_named_with_its_line(lines: list[bytes], number: int, message: str) -> None:
    with pytest.raises(ResultsError) as caught:
        read(lines)
    assert str(caught.value).startswith(f"r.jsonl:{number}: ")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("path, message", [("nowhere.jsonl", "No such file"), ("/", "Is a directory")])
def test_files_that_cannot_be_read(path: str, message: str) -> None:
    with pytest.raises(ResultsError, match=rf"{path}:1: cannot be read: {message}"):
        read_run(path)


def test_a_line_without_end_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 1000)
    with pytest.raises(ResultsError, match="r:1: the line is too long"):
        run_from(reading.lines_of(io.BytesIO(b"\0" * 100_000)), "r")


def test_text_that_would_disturb_a_terminal_is_escaped_on_the_way_in() -> None:
    evil = "\x1b[31m\u202e\ud800\n"
    run = read(changed(2, target=evil, evidence={"errno": evil, "responder": evil}, handshake="answered", banner=evil))
    verdict = next(iter(run.verdicts.values()))
    seen = [verdict.target, verdict.evidence.errno or "", verdict.evidence.responder or ""]
    assert all(text == "\\x1b[31m\\u202e\\ud800\\x0a" for text in seen)
    JsonlSink(_Nowhere()).port(verdict)


class _Nowhere:
    name = "nowhere"

    def write(self, text: str) -> None:
        text.encode()

    def flush(self) -> None:
        pass

    def commit(self) -> None:
        pass

    def abandon(self, *, keep: bool) -> None:
        pass


# --- whatever bytes there are


@given(st.integers(0, len(b"".join(LINES))))
def test_a_file_cut_at_any_byte_is_read_or_refused(cut: int) -> None:
    data = b"".join(LINES)[:cut]
    try:
        run = run_from(io.BytesIO(data), "r")
    except ResultsError:
        return
    whole = read(LINES)
    assert list(run.verdicts.items()) == list(whole.verdicts.items())[: len(run.verdicts)]
    assert run.findings == whole.findings[: len(run.findings)]


@given(st.integers(0, len(LINES) - 1), st.data())
def test_a_garbled_line_is_read_or_refused_with_its_number(number: int, data: st.DataObject) -> None:
    old = LINES[number]
    at = data.draw(st.integers(0, len(old) - 2))
    garbled = old[:at] + data.draw(st.binary(min_size=1, max_size=3)) + old[at + 1 :]
    try:
        read([*LINES[:number], garbled, *LINES[number + 1 :]])
    except ResultsError as error:
        assert error.line in (number + 1, number + 2)  # noqa: PT017


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(LINES), st.data())
def test_any_value_in_any_field_is_understood_or_named(old: bytes, data: st.DataObject) -> None:
    record = json.loads(old)
    name = data.draw(st.sampled_from(sorted(record)))
    record[name] = data.draw(JSON)
    head = [] if old is LINES[0] else LINES[:1]
    try:
        read([*head, json.dumps(record).encode() + b"\n"])
    except ResultsError as error:
        assert str(error).startswith(f"r.jsonl:{len(head) + 1}: ")  # noqa: PT017


@given(st.binary(max_size=60))
def test_a_banner_comes_back_byte_for_byte(banner: bytes) -> None:
    seen: Verdict = replace(verdicts()[0], conversation=Conversation(Handshake.ANSWERED, None, banner))
    record = json.loads(line(port_record(seen)))
    assert verdict_of(Fields(record)) == replace(seen, rtt_ms=None)
