"""The small dialogues that all others are made of: what is asked of the network, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.dialogue import (
    Closed,
    Command,
    Data,
    Event,
    Heard,
    Read,
    Send,
    Sent,
    Spent,
    Timeout,
    ask,
    listen,
    rehearse,
)
from probe.model import Conversation, Handshake


def play(dialogue: Generator[Command, Event, Heard], events: Iterable[Event]) -> tuple[list[Command], Heard]:
    """Every command that the dialogue gave, and its result. Each event has to be wanted."""
    script, commands = iter(events), list[Command]()
    try:
        commands.append(next(dialogue))
        while True:
            commands.append(dialogue.send(next(script)))
    except StopIteration as stop:
        assert next(script, None) is None, "the dialogue ended before its script"
        heard: Heard = stop.value
        return commands, heard


def test_listen_waits_long_for_the_first_byte_and_briefly_for_more() -> None:
    commands, heard = play(listen(0.4, 0.1, 100), [Data(b"SSH"), Data(b"-2.0"), Timeout()])
    assert commands == [Read(0.4, 100), Read(0.1, 97), Read(0.1, 93)]
    assert heard == Heard(b"SSH-2.0")


def test_listen_stops_at_its_limit() -> None:
    commands, heard = play(listen(0.4, 0.1, 4), [Data(b"ab"), Data(b"cd")])
    assert commands == [Read(0.4, 4), Read(0.1, 2)]
    assert heard == Heard(b"abcd")


@pytest.mark.parametrize("end", [Closed(), Closed(reset=True)])
def test_listen_keeps_what_came_before_the_end(end: Closed) -> None:
    assert play(listen(1, 1, 9), [Data(b"x"), end])[1] == Heard(b"x", end)


@pytest.mark.parametrize("end", [Timeout(), Spent()])
def test_silence_and_a_spent_budget_are_no_end_of_the_connection(end: Event) -> None:
    assert play(listen(1, 1, 9), [end])[1] == Heard(b"", None)


def test_ask_sends_then_listens() -> None:
    commands, heard = play(ask(b"PING", 1.0, 0.1, 50), [Sent(), Data(b"+PONG"), Timeout()])
    assert commands == [Send(b"PING"), Read(1.0, 50), Read(0.1, 45)]
    assert heard == Heard(b"+PONG")


def test_ask_hears_that_nobody_listens() -> None:
    assert play(ask(b"PING", 1, 1, 9), [Closed(reset=True)]) == ([Send(b"PING")], Heard(b"", Closed(reset=True)))


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_how_tcp_cuts_the_bytes_does_not_matter(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[start:end] for start, end in pairwise(edges)]
    assert play(listen(1, 1, 100), [*map(Data, parts), Timeout()])[1] == Heard(data)


def test_rehearse_returns_what_the_dialogue_returns() -> None:
    def dialogue() -> Generator[Command, Event, Conversation]:
        event = yield Send(b"hello")
        assert event == Sent()
        return Conversation(Handshake.MUTE)

    assert rehearse(dialogue(), lambda command: Sent()) == Conversation(Handshake.MUTE)
