"""Which way each packet leaves, on a made-up machine: every packet leaves once or is told to have failed, and what the
machine has to say is heard before the next batch."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core import frames as f
from probe.core.columns import I64, Bytes
from probe.model import Address
from probe.net import hops, ways
from probe.net.netlink import ARPHRD_ETHER, Link, Neighbour, Prefix, Route
from probe.net.rules import Say
from probe.net.ways import CALM, FRESH, REST, Ways
from probe.net.wire import Sent

GATEWAY, LOCAL, REACHABLE = ipaddress.ip_address("198.18.0.1"), ipaddress.ip_address("198.18.0.9"), 2
MAC = b"\2\0\0\0\0\x11"
LINKS = {2: Link("eth", ARPHRD_ETHER, 1500, True, True, b"\2" * 6)}
EVERYTHING = Prefix(0, 2**32 - 1, 4, False)


@dataclass
class Machine:
    """Everything that `Ways` asks, and where the packets went: lists of the last byte of their destinations."""

    neighbours: dict[tuple[int, Address], Neighbour] = field(default_factory=dict)
    say: Say = field(default_factory=lambda: Say(None, frozenset()))
    heard: bool = False
    now: float = 1000.0
    most: int = 3
    by_kernel: list[int] = field(default_factory=list)
    by_frame: list[int] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    answers_after: float | None = None

    def send(
        self, interface_or_rows: int | npt.NDArray[np.void], headers: Bytes | None = None, rows: object = None
    ) -> Sent | dict[int, I64]:
        if isinstance(interface_or_rows, int):
            assert isinstance(rows, np.ndarray)
            assert headers is not None
            assert headers.tobytes()[:6] == MAC
            assert len(rows) <= self.most
            return self._record(rows, self.by_frame)
        return Sent(self._record(interface_or_rows, self.by_kernel))

    def _record(self, rows: npt.NDArray[np.void], to: list[int]) -> dict[int, I64]:
        numbers = (rows["destination"] & 255).tolist()
        to += [number for number in numbers if number not in self.refused]
        failed: dict[int, list[int]] = {}
        for row, number in enumerate(numbers):
            if number in self.refused:
                failed.setdefault(self.refused[number], []).append(row)
        return {code: np.array(some) for code, some in failed.items()}

    def watch_heard(self) -> bool:
        heard, self.heard = self.heard, False
        return heard

    def close(self) -> None:
        """Nothing to close."""

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.answers_after is not None and self.now >= self.answers_after:
            self.neighbours[2, GATEWAY] = Neighbour(REACHABLE, MAC)

    def table(self) -> dict[tuple[int, Address], Neighbour]:
        return dict(self.neighbours)

    def routes_to(self, addresses: Iterable[Address]) -> Iterator[Route | int]:
        for address in addresses:
            yield errno.ENETUNREACH if int(address) & 255 >= 200 else Route(LOCAL, GATEWAY, 2)

    def forget(self) -> None:
        self.by_kernel.clear()
        self.by_frame.clear()


class Watching:
    def __init__(self, machine: Machine) -> None:
        self.heard, self.close = machine.watch_heard, machine.close


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return installed(Machine(), monkeypatch)


def installed(machine: Machine, patch: pytest.MonkeyPatch) -> Machine:
    # A bound, so that what cannot be routed has an interval of its own.
    table = (EVERYTHING, Prefix(int(GATEWAY) & ~255 | 200, int(GATEWAY) | 255, 4, False))
    patch.setattr(ways, "Watch", lambda: Watching(machine))
    patch.setattr(ways, "IpSender", lambda: machine)
    patch.setattr(ways, "local_say", lambda: machine.say)
    patch.setattr(ways, "neighbours", machine.table)
    patch.setattr("probe.net.ways.time.sleep", machine.sleep)
    patch.setattr(hops, "neighbours", machine.table)
    patch.setattr(hops, "routes_to", machine.routes_to)
    patch.setattr(hops, "prefixes", lambda: iter(table))
    patch.setattr(hops, "links", lambda: LINKS)
    return machine


def made(machine: Machine) -> Ways:
    return Ways(machine, lambda: None, lambda: machine.now)  # type: ignore[arg-type]


def to(*numbers: int) -> npt.NDArray[np.void]:
    rows = np.zeros(len(numbers), f.SYN4)
    rows["destination"] = np.array(numbers) + (int(GATEWAY) & ~255)
    return rows


def failed(sent: Sent) -> dict[int, list[int]]:
    return {code: rows.tolist() for code, rows in sent.failed.items()}


def test_the_first_packet_to_a_next_hop_goes_by_the_kernel(machine: Machine) -> None:
    machine.neighbours[2, GATEWAY] = Neighbour(REACHABLE, MAC)
    wire = made(machine)
    for now, kernel in ((0.0, [10]), (0.5, []), (FRESH / 2, [10]), (0.1, [])):
        machine.now += now
        machine.forget()
        assert failed(wire.send(to(10, 11, 12, 13, 14))) == {}
        assert machine.by_kernel == kernel
        assert machine.by_kernel + machine.by_frame == [10, 11, 12, 13, 14]


def test_a_link_address_that_comes_at_once_is_waited_for(machine: Machine) -> None:
    machine.answers_after = machine.now + 0.0005
    assert failed(made(machine).send(to(10, 11, 12))) == {}
    assert sorted(machine.by_kernel + machine.by_frame) == [10, 11, 12]
    assert machine.by_frame


def test_a_link_address_that_does_not_come_holds_packets_back(machine: Machine) -> None:
    wire = made(machine)
    began = machine.now
    assert failed(wire.send(to(10, 11, 12))) == {errno.EAGAIN: [1, 2]}
    assert machine.by_kernel == [10]
    waited = machine.now
    assert waited - began < 0.01
    assert failed(wire.send(to(10, 11, 12))) == {errno.EAGAIN: [1, 2]}
    assert machine.now == waited  # not again so soon
    machine.answers_after = machine.now
    machine.now += REST
    assert failed(wire.send(to(10, 11, 12))) == {}


def test_a_next_hop_that_is_dead_is_left_to_the_kernel(machine: Machine) -> None:
    machine.neighbours[2, GATEWAY] = Neighbour(0x20, b"")
    wire = made(machine)
    assert failed(wire.send(to(10, 11))) == {}
    machine.neighbours[2, GATEWAY] = Neighbour(0x01, b"")  # the kernel asks once more
    machine.now += FRESH
    assert failed(wire.send(to(12))) == {}
    assert machine.by_kernel == [10, 11, 12]


def test_what_cannot_be_routed_is_told_by_the_kernel(machine: Machine) -> None:
    machine.neighbours[2, GATEWAY] = Neighbour(REACHABLE, MAC)
    machine.refused = {200: errno.ENETUNREACH}
    assert failed(made(machine).send(to(10, 200, 11))) == {errno.ENETUNREACH: [1]}


def test_rules_send_everything_by_the_kernel(machine: Machine) -> None:
    machine.neighbours[2, GATEWAY] = Neighbour(REACHABLE, MAC)
    machine.say = Say("rules", frozenset())
    wire = made(machine)
    wire.send(to(10, 11, 12))
    assert (machine.by_kernel, machine.by_frame, wire.say.why) == ([10, 11, 12], [], "rules")


def test_a_shaped_interface_gets_no_frames(machine: Machine) -> None:
    machine.neighbours[2, GATEWAY] = Neighbour(REACHABLE, MAC)
    machine.say = Say(None, frozenset({2}))
    made(machine).send(to(10, 11, 12))
    assert (machine.by_kernel, machine.by_frame) == ([10, 11, 12], [])


def test_a_change_is_obeyed_before_it_has_been_looked_at(machine: Machine) -> None:
    machine.neighbours[2, GATEWAY] = Neighbour(REACHABLE, MAC)
    wire = made(machine)
    machine.heard, machine.say = True, Say("rules", frozenset())
    wire.send(to(10, 11))
    assert (machine.by_frame, wire.say.why) == ([], None)
    machine.now += 2 * CALM
    wire.send(to(12))
    assert (machine.by_frame, wire.say.why) == ([], "rules")


@given(
    st.lists(st.integers(0, 255), max_size=12),
    st.dictionaries(st.integers(0, 255), st.sampled_from([errno.EPERM, errno.ENOBUFS]), max_size=40),
    st.booleans(),
)
def test_every_packet_leaves_once_or_fails_once(numbers: list[int], refused: dict[int, int], known: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        machine = installed(Machine(refused=refused), patch)
        if known:
            machine.neighbours[2, GATEWAY] = Neighbour(REACHABLE, MAC)
        sent = made(machine).send(to(*numbers))
    rows = [row for some in sent.failed.values() for row in some.tolist()]
    assert len(rows) == len(set(rows))
    left = [number for row, number in enumerate(numbers) if row not in rows]
    assert sorted(machine.by_kernel + machine.by_frame) == sorted(left)
    for code, some in sent.failed.items():
        assert all(code == errno.EAGAIN or refused[numbers[row]] == code for row in some.tolist())
