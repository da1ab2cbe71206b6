"""Races of hellos against one port, on a clock that jumps: who is asked when, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import pytest

from probe.core.dialogue import Closed, Command, Connect, Data, Event, Failed, Read, Send, ask, race
from probe.model import Conversation, Handshake, Service
from probe.net.streams import converse
from probe.services import hints, stores
from probe.services.identify import identify
from tests.net.scripted_net import RTT, Answer, Peer, ScriptedNet, run_virtually

HOST = "198.18.1.10"
PAGE = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\r\n"


class Port:
    """One scripted port, and what `identify` makes of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, peer: Peer, number: int = 7777) -> None:
        self.net = ScriptedNet({(HOST, number): peer})
        talk, self.seconds = run_virtually(
            lambda: converse(HOST, number, identify(number), dial=self.net.dial), monkeypatch
        )
        self.talk: Conversation = talk
        self.name = talk.service.name if talk.service else None
        assert self.net.open["all"] == 0


def only(request: bytes, reply: Answer, other: Answer = None) -> Callable[[bytes], Answer]:
    return lambda sent: reply if sent.startswith(request) else other


def test_who_answers_the_likely_hello_sees_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch, Peer(replies=only(b"GET", PAGE)))
    assert port.talk.service == Service("http", "nginx", "1.22.1")
    assert len(port.net.dialled) == 1
    assert port.seconds < hints.GREETING + 2 * hints.QUIET


def test_a_mute_port_costs_little_more_than_one_hello(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch, Peer())
    hellos = len(hints.hellos(7777))
    assert port.talk == Conversation(Handshake.MUTE)
    assert len(port.net.requests) == len(port.net.dialled) == hellos
    assert port.seconds < hints.GREETING + hints.STAGGER * hellos + hints.TLS
    assert port.net.peak["all"] <= 1 + hints.TLS / hints.STAGGER


def test_a_slow_answer_is_waited_for_and_ends_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = b"+PONG\r\n$40\r\n# Server\r\nredis_version:7.0.15\r\n"
    port = Port(monkeypatch, Peer(replies=only(stores.REDIS_HELLO, reply), thinks=0.9))
    assert port.talk.service == Service("redis", "Redis", "7.0.15")
    assert port.talk.banner == reply


def test_who_hangs_up_on_every_wrong_hello_is_asked_the_next_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch, Peer(replies=only(b"version\r\n", b"VERSION 1.6.18\r\n", Closed())))
    assert port.name == "memcached"
    assert port.net.peak["all"] == 1
    assert port.seconds < hints.GREETING + hints.STAGGER + hints.QUIET


def test_a_server_that_refuses_a_second_client_is_asked_by_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch, Peer(replies=only(b"version\r\n", b"VERSION 1.6.18\r\n"), most=1))
    assert port.name == "memcached"
    assert port.net.peak["all"] == 1


def test_a_single_threaded_web_server_is_identified(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch, Peer(replies=only(b"GET", PAGE), most=1, patient=True))
    assert port.name == "http"


def test_a_port_that_goes_away_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    net = ScriptedNet({(HOST, 7777): Peer()})

    async def dial(address: str, port: int, seconds: float, allowance: int) -> object:
        made = await net.dial(address, port, seconds, allowance)
        net.peers.clear()
        return made

    talk, _ = run_virtually(lambda: converse(HOST, 7777, identify(7777), dial=dial), monkeypatch)  # type: ignore[arg-type]
    assert talk == Conversation(Handshake.MUTE)
    assert len(net.dialled) <= 3


Words = Generator[Command, Event, bytes]


def say(word: bytes, connect: bool = True) -> Words:
    if connect and isinstance((yield Connect()), Failed):
        return b"no connection"
    heard = yield from ask(word, 1.0, 0.1, 99)
    return heard.data


def raced(
    monkeypatch: pytest.MonkeyPatch, peer: Peer, enough: Callable[[Sequence[bytes | None]], bool], *words: bytes
) -> tuple[list[Sequence[bytes | None]], float, ScriptedNet]:
    """The words race for an answer, the first on the open connection; then the connection is tried once more."""
    net, results = ScriptedNet({(HOST, 1): peer}), list[Sequence[bytes | None]]()

    def dialogue() -> Generator[Command, Event, Conversation]:
        yield Connect()
        branches = [say(word, connect=bool(number)) for number, word in enumerate(words)]
        results.append((yield from race(branches, enough, 0.25)))
        assert not isinstance((yield Send(b"more")), Data)
        assert not isinstance((yield Read(1, 1)), Data)
        return Conversation(Handshake.MUTE)

    _, seconds = run_virtually(lambda: converse(HOST, 1, dialogue(), dial=net.dial), monkeypatch)
    return results, seconds, net


def test_all_branches_are_heard_where_nobody_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer(replies=lambda request: request.upper())
    (results,), seconds, net = raced(monkeypatch, peer, lambda _: False, b"a", b"b", b"c")
    assert results == (b"A", b"B", b"C")
    assert seconds == pytest.approx(3 * 0.1, abs=10 * RTT)  # one after the other, since each is answered
    assert net.open["all"] == 0


def test_silent_branches_start_one_stagger_apart_and_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    (results,), seconds, net = raced(monkeypatch, Peer(), lambda _: False, b"a", b"b", b"c")
    assert results == (b"", b"", b"")
    assert seconds == pytest.approx(1.0 + 2 * 0.25, abs=0.01)
    starts = [time - net.dialled[0] for time in net.dialled]
    assert starts == pytest.approx([0, 0.25, 0.5], abs=0.01)


def test_enough_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer(replies=only(b"b", b"yes"))
    (results,), seconds, net = raced(monkeypatch, peer, lambda done: b"yes" in done, b"a", b"b", b"c")
    assert results == (None, b"yes", None)
    assert seconds == pytest.approx(0.25 + 0.1, abs=0.01)
    assert len(net.dialled) == 2


def test_a_race_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    (results,), seconds, _ = raced(monkeypatch, Peer(), lambda _: False)
    assert results == ()
    assert seconds == pytest.approx(1.0, abs=0.01)
