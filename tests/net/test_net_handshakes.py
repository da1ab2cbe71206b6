"""Handshakes on many ports at once: in the time of the slowest, never above the rate, never too many connections."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from ipaddress import ip_address
from itertools import pairwise

import pytest

from probe.core.dialogue import Closed
from probe.core.pace import Pace
from probe.model import Conversation, Handshake, PortKey
from probe.net import handshakes, turnstile
from probe.net.handshakes import Handshakes
from probe.net.turnstile import PACKETS, PER_HOST, PERIOD, connections_allowed
from probe.services import hints
from tests.net.scripted_net import Peer, ScriptedNet, run_virtually

HOST, OTHER = "198.18.1.10", "fd18::1:10"
PEERS: list[Callable[[], Peer]] = [
    lambda: Peer(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    lambda: Peer(b"220 ready\r\n", replies=lambda request: b"250 Ok\r\n"),
    lambda: Peer(replies=lambda request: b"HTTP/1.1 200 OK\r\n\r\n" if request.startswith(b"GET") else None),
    lambda: Peer(replies=lambda request: b"VERSION 1.6.18\r\n" if request == b"version\r\n" else Closed()),
    lambda: Peer(replies=lambda request: b"+PONG\r\n" if request.startswith(b"PING") else None),
]


def key(port: int, host: str = HOST) -> PortKey:
    return PortKey(ip_address(host), "tcp", port)


def shaken(
    monkeypatch: pytest.MonkeyPatch, net: ScriptedNet, rate: float = 1e6, stop_after: float | None = None
) -> tuple[Handshakes, float]:
    """Handshakes with every peer of the net, started at once; and how many seconds they took."""

    async def main() -> Handshakes:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        shakes = Handshakes(Pace(rate, loop.time()), lambda _: None, dial=net.dial)
        shakes.start([key(port, host) for host, port in net.peers])
        if stop_after is not None:
            loop.call_later(stop_after, stop.set)
        await shakes.finish(stop)
        return shakes

    return run_virtually(main, monkeypatch)


def hundred(host: str = HOST) -> dict[tuple[str, int], Peer]:
    return {(host, 20000 + number): PEERS[number % len(PEERS)]() for number in range(100)}


def test_a_hundred_ports_take_the_time_of_the_slowest(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [shaken(monkeypatch, ScriptedNet({(HOST, 20000): make()}))[1] for make in PEERS]
    net = ScriptedNet(hundred())
    shakes, seconds = shaken(monkeypatch, net)
    names = [talk.service.name for port in range(20000, 20100) if (talk := shakes.result(key(port))) and talk.service]
    assert names == ["ssh", "smtp", "http", "memcached", "redis"] * 20
    assert seconds < max(alone) + 0.1
    assert net.peak[HOST] <= PER_HOST


def test_each_result_is_told_as_soon_as_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    net = ScriptedNet({(HOST, 1): Peer(), (HOST, 22): PEERS[0](), (HOST, 25): PEERS[1]()})

    async def main() -> list[tuple[int, str | None]]:
        told: list[tuple[int, str | None]] = []

        def on_result(key: PortKey, talk: Conversation) -> None:
            told.append((key.port, talk.service.name if talk.service else None))

        pace = Pace(1e6, asyncio.get_running_loop().time())
        shakes = Handshakes(pace, lambda _: None, dial=net.dial, on_result=on_result)
        shakes.start([key(port, host) for host, port in net.peers])
        await shakes.finish(asyncio.Event())
        return told

    told, _ = run_virtually(main, monkeypatch)
    assert sorted(told[:2]) == [(22, "ssh"), (25, "smtp")]
    assert told[2:] == [(1, None)]  # it says nothing, and nobody waits for it


def test_the_rate_holds_for_connections_however_many_want_one(monkeypatch: pytest.MonkeyPatch) -> None:
    net = ScriptedNet({**hundred(), (HOST, 1): Peer()})
    shaken(monkeypatch, net, rate=800)
    starts = sorted(net.dialled)
    share = 800 / PACKETS
    for number, start in enumerate(starts):
        in_a_second = sum(start <= other < start + 1 for other in starts[number : number + 2 * int(share)])
        assert in_a_second <= share + max(1, share * PERIOD)


def test_what_a_connection_costs_beyond_its_share_is_paid_by_those_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty ports of 40 packets each at 800 packets per second: what is owed for all but the last is paid by then."""
    net = ScriptedNet({(HOST, port): Peer(b"RFB 003.008\n", costs=40) for port in range(30)})
    monkeypatch.setattr(handshakes, "connections_allowed", lambda: 1)
    shaken(monkeypatch, net, rate=800)
    assert len(net.dialled) == 30
    assert net.dialled[-1] - net.dialled[0] >= 29 * 40 / 800 - 0.2


def test_connections_follow_the_rate_that_the_path_bears(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        pace, times = Pace(8000, loop.time()), list[float]()
        gate = turnstile.Turnstile(pace, 100)
        for number in range(6):
            if number == 3:
                pace.limit(80)
            await gate.enter(ip_address(HOST))
            times.append(loop.time())
        return times

    times, _ = run_virtually(main, monkeypatch)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps[:2]) < 0.01
    assert min(gaps[3:]) >= PACKETS / 80


def test_slow_rates_do_not_cost_the_dialogue_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four packets a second: each hello waits two seconds for its connection."""
    net = ScriptedNet({(HOST, 20000): PEERS[4]()})
    shakes, seconds = shaken(monkeypatch, net, rate=4)
    talk = shakes.result(key(20000))
    assert talk is not None
    assert talk.handshake is Handshake.ANSWERED
    assert seconds > 4


@pytest.mark.parametrize(("most", "per_host"), [(7, 5), (3, 50)])
def test_connections_are_capped_in_all_and_for_each_host(
    monkeypatch: pytest.MonkeyPatch, most: int, per_host: int
) -> None:
    monkeypatch.setattr(turnstile, "PER_HOST", per_host)
    monkeypatch.setattr(handshakes, "connections_allowed", lambda: most)
    peers = {(host, port): Peer() for host in (HOST, OTHER) for port in range(6)}
    net = ScriptedNet(peers)
    shakes, _ = shaken(monkeypatch, net)
    assert net.peak["all"] == most
    assert max(net.peak[HOST], net.peak[OTHER]) <= per_host
    assert all(shakes.result(key(port, host)) for host, port in peers)


def test_a_host_that_is_mute_on_every_port_is_not_asked_everything_on_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "MUTE_PORTS", 5)
    monkeypatch.setattr(handshakes, "PORTS_AT_ONCE", 5)
    peers = {(HOST, 20000 + port): Peer() for port in range(40)}
    peers[HOST, 20041] = PEERS[2]()
    peers[OTHER, 20000] = Peer()
    net = ScriptedNet(peers)
    shakes, _ = shaken(monkeypatch, net)
    everything = len(hints.hellos(20000))
    assert len(net.dialled) < (5 + 5 + 1) * everything + 35 * 4
    assert sum(place[0] == OTHER for place in net.requests) == everything
    web = shakes.result(key(20041))
    assert web is not None
    assert web.service is not None


def test_an_early_end_closes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    net = ScriptedNet({(HOST, port): Peer() for port in range(500)} | hundred(OTHER))
    shakes, seconds = shaken(monkeypatch, net, stop_after=0.7)
    assert seconds == pytest.approx(0.7)
    assert net.peak["all"] > 100
    assert net.open["all"] == 0
    assert shakes.result(key(1)) is None
    assert shakes.unfinished > 500


def test_mute_ports_are_spoken_to_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (ScriptedNet({(HOST, port): Peer() for port in range(20000, 20000 + n)}) for n in (1, 10))
    (_, one), (_, ten) = shaken(monkeypatch, few), shaken(monkeypatch, many)
    assert ten < one + hints.STAGGER
    assert ten < 6


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "raised"),
    [(256, 4096, 500, 900), (256, 500, 100, 500), (300, 300, 8, 300), (20000, 20000, 500, 20000), (-1, -1, 500, -1)],
)
def test_files_never_run_out(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, allowed: int, raised: int) -> None:
    limit = [soft, hard]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limit))
    monkeypatch.setattr(resource, "setrlimit", lambda _, now: limit.__setitem__(slice(None), now))
    assert connections_allowed() == allowed
    assert limit == [raised, hard]
