"""Where dropped ports end, on paths that are known, with routers that answer seldom or never."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.columns import I64, Bytes
from probe.core.locate import Locate
from probe.core.located import Located, in_words
from probe.core.pace import Pace
from probe.net.craft import syn_templates
from tests.core.fake_packets import icmp
from tests.core.fake_path import CLOSED, OPEN, FakePath, Router
from tests.core.playbook import HOST4, HOST6, Clock, block_of, drive, local_of
from tests.core.slow_replies import Packet, batch_of

NAMES = {4: "198.18.7.{}", 6: "fd18:7::{}"}
DROPPED = (21, 22, 23, 25)
families = pytest.mark.parametrize("host", [HOST4, HOST6])


def address(host: str, number: int) -> str:
    return NAMES[ip_address(host).version].format(number)


def routers(host: str, number: int, rate: float | None = None) -> list[Router]:
    return [Router(ip_address(address(host, n)).packed, rate) for n in range(1, number + 1)]


class Search:
    """Locates the silent ones of `ports` on the hosts of `ways`, from start to end."""

    def __init__(
        self,
        ways: dict[str, list[Router]],
        dropped: Sequence[int] = DROPPED,
        answering: dict[int, int] | None = None,
        *,
        loss: float = 0.0,
        rate: float = 5000.0,
        most_packets: int = 100_000,
        most_seconds: float = 60.0,
        attempts: int = 3,
        witnesses: bool = True,
        start: bool = True,
        **path: object,
    ) -> None:
        self.clock, answering = Clock(), {80: OPEN} if answering is None else answering
        self.path = FakePath({ip_address(h).packed: way for h, way in ways.items()}, answering, self.clock, loss)
        for name, value in path.items():
            setattr(self.path, name, value)
        self.block = block_of(list(ways), [*dropped, *answering])
        slots = np.arange(self.block.slots)
        silent = np.isin(self.block.port_numbers(slots), list(dropped))
        self.locate = Locate(
            block=self.block,
            local=local_of(self.block),
            templates=syn_templates(),
            seed=3,
            attempts=attempts,
            timeout=0.5,
            dropped=slots[silent],
            witnesses=slots[~silent] if witnesses else slots[:0],
            most_packets=most_packets,
            most_seconds=most_seconds,
        )
        self.rate = rate
        if start:
            self.run()

    def run(self) -> None:
        began = self.clock.now
        drive(self.locate, self.path, Pace(self.rate, began), self.clock, turn=0.001)
        self.seconds = self.clock.now - began
        places = self.locate.places()
        self.places = {(str(key.address), key.port): places[slot] for slot in places if (key := self.block.key(slot))}

    def at(self, host: str, port: int = 22) -> Located:
        return self.places[host, port]

    @property
    def words(self) -> set[str]:
        return {in_words(place) for place in self.places.values()}


@families
def test_a_drop_on_the_way_is_found_beside_a_port_that_gets_through(host: str) -> None:
    way = routers(host, 3)
    way[1].drops = frozenset(DROPPED)
    search = Search({host: way})
    second, third = address(host, 2), address(host, 3)
    assert search.at(host) == Located(hop=2, address=second, silent=3, silent_address=third, target=4)
    assert search.words == {f"dropped at or after hop 2 ({second}); hop 3 ({third}) is silent for this port"}


@families
@pytest.mark.parametrize("ports", [{80: OPEN}, {80: CLOSED}, {}])
def test_without_a_witness_the_last_hop_that_answers_is_all_there_is(host: str, ports: dict[int, int]) -> None:
    way = routers(host, 3)
    way[1].drops = frozenset(DROPPED)
    search = Search({host: way}, answering=ports, witnesses=False)
    assert search.at(host) == Located(hop=2, address=address(host, 2), silent=3)
    assert search.words == {f"dropped at or after hop 2 ({address(host, 2)})"}


@families
def test_a_drop_by_the_host_itself_is_after_the_last_router(host: str) -> None:
    search = Search({host: routers(host, 2)})
    assert search.at(host) == Located(hop=2, address=address(host, 2), target=3)
    assert search.words == {f"dropped at or after hop 2 ({address(host, 2)}); the next is the host itself"}


def test_each_port_has_its_own_place() -> None:
    way = routers(HOST4, 4)
    way[0].drops, way[2].drops, way[3].drops_early = frozenset({21}), frozenset({22}), frozenset({23})
    way[0].drops_early = frozenset({25})
    search = Search({HOST4: way}, dropped=(21, 22, 23, 25, 26))
    assert {port: search.at(HOST4, port).hop for port in (21, 22, 23, 25, 26)} == {21: 1, 22: 3, 23: 3, 25: None, 26: 4}
    assert in_words(search.at(HOST4, 25)) == "dropped at or before hop 1 (198.18.7.1), which answers for other ports"


@pytest.mark.parametrize("witnesses", [True, False])
def test_a_port_that_ends_nearer_than_the_first_one(witnesses: bool) -> None:
    way = routers(HOST4, 4)
    way[3].drops, way[1].drops, way[0].drops_early = frozenset({21}), frozenset({22}), frozenset({23})
    search = Search({HOST4: way}, dropped=(21, 22, 23), witnesses=witnesses)
    assert [search.at(HOST4, port).hop for port in (21, 22, 23)] == [4, 2, None]


def test_a_drop_before_the_first_answer_of_a_silent_host() -> None:
    way = routers(HOST4, 2)
    way[0].drops_early = frozenset(DROPPED)
    search = Search({HOST4: way}, answering={}, witnesses=False)
    assert search.words == {"no hop on the way answers: dropped at the first one, or none of them tells"}


def test_a_neighbour_has_no_hops() -> None:
    search = Search({HOST4: []})
    assert search.words == {"dropped by the host itself, or on the link to it: there is no hop in between"}


def test_a_hop_that_never_answers_is_not_taken_for_the_drop() -> None:
    way = routers(HOST4, 4)
    way[1].mute = True
    way[2].drops = frozenset(DROPPED)
    search = Search({HOST4: way})
    assert search.at(HOST4).hop == 3
    assert search.words == {
        "dropped at or after hop 3 (198.18.7.3); hop 2 does not answer; hop 4 (198.18.7.4) is silent for this port"
    }


def test_the_silence_of_a_mute_hop_behind_the_last_answer_is_told_as_such() -> None:
    way = routers(HOST4, 4)
    way[0].drops, way[1].mute = frozenset(DROPPED), True
    search = Search({HOST4: way})
    assert search.words == {
        "dropped at or after hop 1 (198.18.7.1); hop 2 does not answer; hop 3 (198.18.7.3) is silent for this port"
    }


@families
def test_routers_that_answer_once_a_second_are_waited_for(host: str) -> None:
    """As Linux does by default: the ports share what there is, and none is placed too near."""
    way = routers(host, 3, rate=1.0)
    way[2].drops = frozenset(range(1, 21))
    search = Search({host: way}, dropped=range(1, 21))
    assert {place.hop for place in search.places.values()} == {3}
    assert {place.cut for place in search.places.values()} == {None}
    assert 14 < search.seconds < 30


@families
def test_a_slow_hop_beyond_the_drop_is_no_reason_to_doubt(host: str) -> None:
    way = routers(host, 3)
    way[0].drops, way[1].rate, way[2].rate = frozenset(DROPPED), 1.0, 1.0
    search = Search({host: way})
    assert {(place.hop, place.silent) for place in search.places.values()} == {(1, 2)}


def test_many_ports_cost_few_packets_each() -> None:
    dropped = range(1000, 2000)
    way = routers(HOST4, 8)
    way[4].drops = frozenset(dropped)
    search = Search({HOST4: way}, dropped=dropped)
    assert {place.hop for place in search.places.values()} == {5}
    assert search.path.sent < 5 * len(dropped)
    assert search.seconds < 10


def test_hosts_share_the_answers_of_a_slow_router_fairly() -> None:
    first = Router(ip_address("198.18.7.1").packed, rate=2.0)
    ways = {f"198.18.0.{n}": [first] for n in range(1, 5)}
    search = Search(ways, dropped=range(1, 31), most_seconds=20.0)
    found = [sum(search.at(host, port).hop == 1 for port in range(1, 31)) for host in ways]
    assert max(found) - min(found) <= 3
    assert 25 < sum(found) < 60
    assert search.words == {
        "dropped at or after hop 1 (198.18.7.1); the next is the host itself",
        "not located: routers on the way answer too seldom, the limit of 20 s was reached",
    }


def test_lost_packets_are_sent_again() -> None:
    way = routers(HOST4, 5)
    way[3].drops = frozenset(range(1, 101))
    search = Search({HOST4: way}, dropped=range(1, 101), loss=0.1, attempts=6)
    assert {place.hop for place in search.places.values()} == {4}


@pytest.mark.parametrize("most", [1, 7, 40])
def test_the_bound_on_packets_holds_and_is_told(most: int) -> None:
    way = routers(HOST4, 3)
    way[1].drops = frozenset(range(1, 51))
    search = Search({HOST4: way}, dropped=range(1, 51), most_packets=most)
    assert search.path.sent == most
    assert f"not located: the limit of {most} packets was reached" in search.words
    assert all(place.hop in (None, 1, 2) for place in search.places.values())


def test_the_bound_on_seconds_holds() -> None:
    search = Search({HOST4: routers(HOST4, 3, rate=0.2)}, dropped=range(1, 51), most_seconds=5.0)
    assert search.seconds < 5.0 + 1.2
    assert "not located: routers on the way answer too seldom, the limit of 5 s was reached" in search.words


def test_the_rate_holds() -> None:
    way = routers(HOST4, 3)
    way[0].drops = frozenset(range(1, 51))
    search = Search({HOST4: way}, dropped=range(1, 51), rate=100.0)
    times = [when for when, _, _ in search.path.log]
    assert all(later - earlier > 0.09 for earlier, later in zip(times, times[10:], strict=False))
    assert {place.hop for place in search.places.values()} == {1}


LAST = "dropped at or after hop 3 (198.18.7.3)"


@pytest.mark.parametrize(
    ("ttls", "words"),
    [
        ({2}, LAST),
        ({4, 5}, f"{LAST}; perhaps farther, but this machine would not send (EPERM)"),
        (set(range(31)), "not located: this machine would not send (EPERM)"),
    ],
)
def test_what_this_machine_would_not_send_is_not_the_networks_silence(ttls: set[int], words: str) -> None:
    def refuse(frames: Bytes) -> dict[int, I64]:
        return {errno.EPERM: np.flatnonzero(np.isin(frames[:, 8], list(ttls)))}

    search = Search({HOST4: routers(HOST4, 3)}, refuse=refuse, witnesses=False, answering={})
    assert search.words == {words}


def test_silence_while_our_own_kernel_drops_packets_is_none() -> None:
    """Nothing is heard for ten seconds, and then all is found all the same."""
    way = routers(HOST4, 2)
    way[1].drops = frozenset(DROPPED)
    search = Search({HOST4: way}, start=False)
    until = search.clock.now + 10.0
    while search.clock.now < until:
        search.locate.sent(search.locate.due(search.clock.now, 100), search.clock.now)
        search.locate.lost(search.clock.now)
        search.clock.now += 0.25
    search.run()
    assert {place.hop for place in search.places.values()} == {2}


def test_a_port_that_answers_now_was_not_dropped() -> None:
    search = Search({HOST4: routers(HOST4, 2)}, dropped=(22, 23), answering={80: OPEN, 22: OPEN}, witnesses=False)
    assert search.at(HOST4, 22).answered
    assert in_words(search.at(HOST4, 22)) == "silent in the scan, but it answered when it was located"


@given(
    hops=st.integers(1, 5),
    drop=st.integers(1, 6),
    early=st.booleans(),
    mute=st.sets(st.integers(1, 5), max_size=3),
    slow=st.sets(st.integers(1, 5)),
    witness=st.booleans(),
    host=st.sampled_from([HOST4, HOST6]),
)
@settings(max_examples=60)
def test_no_claim_goes_beyond_what_was_heard_nor_stops_before_it(
    hops: int, drop: int, early: bool, mute: set[int], slow: set[int], witness: bool, host: str
) -> None:
    """The truth: the last router that speaks, of those that a packet to the dropped ports comes to see."""
    way = routers(host, hops)
    for number, router in enumerate(way, 1):
        router.mute, router.rate = number in mute, 1.0 if number in slow else None
        if number == drop:
            router.drops_early, router.drops = (
                (frozenset(DROPPED), frozenset()) if early else (frozenset(), frozenset(DROPPED))
            )
    search = Search({host: way}, witnesses=witness)
    last = min(hops, drop - early)
    truth = max((number for number in range(1, last + 1) if number not in mute), default=None)
    for place in search.places.values():
        assert (place.hop, place.address) == (truth, truth and address(host, truth))
        assert place.silent is None or place.silent > (truth or 0)
        assert not set(place.mute) - mute


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12), st.booleans())
def test_bent_answers_decide_nothing_and_break_nothing(bends: list[tuple[int, int]], six: bool) -> None:
    host = HOST6 if six else HOST4
    search = Search({host: routers(host, 1)}, dropped=(22,), answering={}, witnesses=False, most_packets=1)
    (questions, rows), *_ = search.locate.frames(np.array([1]), 0.0)
    frame = rows.view(np.uint8).reshape(1, -1)
    quote = icmp(frame, *((3, 0) if six else (11, 0)))[0].copy()
    for at, value in bends:
        quote[at % len(quote)] = value
    heard = search.locate.receive(batch_of([Packet(quote.tobytes())]), 1.0)
    assert heard.size == 0
    assert len(questions) == 1


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Located(hop=2, address="a"), "dropped at or after hop 2 (a)"),
        (Located(hop=5, address="a", mute=(1, 3)), "dropped at or after hop 5 (a); hops 1, 3 do not answer"),
        (Located(hop=1, address="a", silent=2, cut="why"), "dropped at or after hop 1 (a); perhaps farther, but why"),
        (Located(cut="why"), "not located: why"),
        (Located(hop=1, address="a", target=2, silent=2), "dropped at or after hop 1 (a); the next is the host itself"),
    ],
)
def test_the_words(place: Located, words: str) -> None:
    assert in_words(place) == words
