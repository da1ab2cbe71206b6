"""The last look before a packet leaves, the port that is ours alone, and what our own machine refuses."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import sys
from collections.abc import Iterator
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pytest

from probe.core.columns import Bytes
from probe.core.plan import Scope
from probe.errors import WireError
from probe.model import AddressRange
from probe.net import raw, routes
from probe.net.routes import ReservedPort, local_side, source_for
from probe.net.wire import Scoped, Sent
from tests.core.fake_wire import FakeWire, scattered_truth
from tests.core.playbook import Clock, Play, block_of


def range_of(text: str) -> AddressRange:
    net = ipaddress.ip_network(text)
    return AddressRange(net.version, int(net[0]), int(net[-1]))


def frames_of(*hosts: str) -> Iterator[npt.NDArray[np.void]]:
    scan = Play(*hosts, ports=(80, 81)).scan
    for _, rows in scan.frames(scan.due(0.0, 100), 0.0):
        yield rows


SCOPE = Scope([range_of("198.18.0.0/24"), range_of("fd18::/64")])


@pytest.mark.parametrize("hosts", [("198.18.0.1", "198.18.0.255"), ("fd18::1", "fd18::ffff:ffff:ffff:ffff")])
def test_packets_in_scope_pass(hosts: tuple[str, ...]) -> None:
    fake = FakeWire(scattered_truth, Clock())
    for rows in frames_of(*hosts):
        assert Scoped(fake, SCOPE).send(rows).failed == {}
    assert [packets for _, packets in fake.log] == [4]


@pytest.mark.parametrize("stray", ["198.18.1.0", "198.17.255.255", "fd18:0:0:1::", "fd17:ffff::1", "::198.18.0.1"])
def test_one_packet_out_of_scope_stops_all(stray: str) -> None:
    fake = FakeWire(scattered_truth, Clock())
    mates = ("198.18.0.1", "198.18.0.2") if "." in stray and ":" not in stray else ("fd18::1", "fd18::2")
    (rows,) = frames_of(*mates, stray)
    with pytest.raises(WireError, match="out of scope"):
        Scoped(fake, SCOPE).send(rows)
    assert fake.log == []


def test_a_scoped_wire_is_the_wire_in_all_else() -> None:
    fake = FakeWire(scattered_truth, Clock(), fd=77)
    scoped = Scoped(fake, SCOPE)
    assert (scoped.name, scoped.fileno(), scoped.drops(), scoped.receive()) == ("fake", 77, 0, None)


def test_what_left_is_all_but_what_failed() -> None:
    sent = Sent({errno.ENOBUFS: np.array([1, 4]), errno.EPERM: np.array([0])})
    assert sent.rows(6).tolist() == [2, 3, 5]
    assert Sent().rows(2).tolist() == [0, 1]


families = pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])


def needs(host: str) -> None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.bind((host, 0))
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")


@families
def test_a_reserved_port_is_ours_alone(family: int, host: str) -> None:
    needs(host)
    port = ReservedPort()
    with socket.socket(family, socket.SOCK_STREAM) as other:
        with pytest.raises(OSError, match="in use"):
            other.bind((host, port.number))
        with pytest.raises(ConnectionRefusedError):  # bound, but nobody listens: the kernel resets what comes
            other.connect((host, port.number))
    port.close()
    with socket.socket(family, socket.SOCK_STREAM) as other:
        other.bind((host, port.number))


def test_reserved_ports_differ() -> None:
    with contextlib.ExitStack() as stack:
        numbers = set()
        for _ in range(5):
            port = ReservedPort()
            stack.callback(port.close)
            numbers.add(port.number)
    assert len(numbers) == 5


def test_a_port_that_one_family_lacks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[int] = []
    original = ReservedPort._reserve_ipv6

    def refuse_twice(self: ReservedPort, number: int) -> None:
        if len(refused) < 2:
            refused.append(number)
            raise OSError(errno.EADDRINUSE, "taken")
        original(self, number)

    monkeypatch.setattr(ReservedPort, "_reserve_ipv6", refuse_twice)
    port = ReservedPort()
    port.close()
    assert port.number not in refused
    assert len(refused) == 2


def test_our_side_of_loopback() -> None:
    needs("::1")
    local, unroutable = local_side(block_of(("127.0.0.1", "127.0.0.9", "::1"), (80,)), 4000)
    assert unroutable == {}
    assert local.port == 4000
    assert local.low.tolist() == [0xFFFF7F000001, 0xFFFF7F000001, 1]  # the kernel's choice, not the target's address
    assert source_for(ipaddress.ip_address("127.0.0.7")) == ipaddress.ip_address("127.0.0.1")


def test_addresses_without_a_route_are_told_by_errno(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_ipv6(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address:
        if address.version == 6:
            raise OSError(errno.ENETUNREACH, "unreachable")
        return ipaddress.IPv4Address("198.18.9.9")

    def no_netlink() -> NoReturn:
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(routes, "source_for", no_ipv6)
    monkeypatch.setattr(routes, "prefixes", no_netlink)
    block = block_of(("198.18.0.1", "fd18::1", "198.18.0.2", "fd18::2"), (80,))
    local, unroutable = local_side(block, 4000)
    assert {code: rows.tolist() for code, rows in unroutable.items()} == {errno.ENETUNREACH: [1, 3]}
    assert local.low.tolist() == [0xFFFFC6120909, 0, 0xFFFFC6120909, 0]


def test_without_the_right_to_raw_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do, and what was already opened is closed."""
    opened: list[socket.socket] = []

    def sender(self: raw.RawWire, family: int, level: int, recverr: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sockets.append(sock)
        opened.append(sock)
        return sock

    def receiver(self: raw.RawWire, port: int) -> socket.socket:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(raw.RawWire, "_sender", sender)
    monkeypatch.setattr(raw.RawWire, "_receiver", receiver)
    with pytest.raises(WireError, match="CAP_NET_RAW"):
        raw.open_wire(4000)
    assert [sock.fileno() for sock in opened] == [-1, -1]


class Grumpy:
    """A socket that refuses one destination with each of these, and says nothing else."""

    def __init__(self) -> None:
        self.errors = {"198.18.0.2": OSError(errno.EPERM, ""), "198.18.0.3": TimeoutError(), "198.18.0.4": OSError()}
        self.sent: list[tuple[bytes, str]] = []

    def sendto(self, packet: bytes, name: tuple[str, int]) -> None:
        if name[0] in self.errors:
            raise self.errors[name[0]]
        self.sent.append((packet, name[0]))


def test_refusals_are_told_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw.RawWire, "_open", lambda self, port: None)
    wire, sock = raw.RawWire(4000), Grumpy()
    monkeypatch.setattr(wire, "_four", sock, raising=False)
    monkeypatch.setattr(wire, "_six", None, raising=False)
    (rows,) = frames_of("198.18.0.1", "198.18.0.2", "198.18.0.3", "198.18.0.4")
    last: Bytes = (rows["destination"] & 0xFF).astype(np.uint8)
    failed = {code: sorted(last[lines].tolist()) for code, lines in wire.send(rows).failed.items()}
    assert failed == {errno.EPERM: [2, 2], errno.EAGAIN: [3, 3], errno.EIO: [4, 4]}
    assert [packet for packet, _ in sock.sent] == [row.tobytes() for row in rows[last == 1]]
    (six,) = frames_of("fd18::1")
    assert {code: lines.tolist() for code, lines in wire.send(six).failed.items()} == {errno.EAFNOSUPPORT: [0, 1]}


def test_batches_are_clean_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of an earlier packet stands behind a shorter one, and what was handed out is not written to again."""
    monkeypatch.setattr(raw.RawWire, "_open", lambda self, port: None)
    monkeypatch.setattr(raw, "MOST_PACKETS", 2)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    with ours, theirs:
        wire = raw.RawWire(4000)
        monkeypatch.setattr(wire, "_packets", theirs, raising=False)
        assert wire.receive() is None
        for packet in (b"a" * 60, b"b" * 50, b"c" * 20, b"d" * 40, b"e" * 3000):
            ours.send(packet)
        batches = [wire.receive() for _ in range(4)]
    assert batches.pop() is None
    found = [
        (row.tobytes(), size, bool(intact))
        for batch in batches
        if batch is not None
        for row, size, intact in zip(batch.rows, batch.lengths.tolist(), batch.intact, strict=True)
    ]
    assert found == [
        (b"a" * 60, 60, False),
        (b"b" * 50 + bytes(10), 50, False),
        (b"c" * 20 + bytes(20), 20, False),
        (b"d" * 40, 40, False),
        (b"e" * 2048, 2048, False),
    ]


@pytest.mark.parametrize(
    ("status", "expected"), [(0, False), (1 << 3, True), (1 << 7, True), (1 << 0 | 1 << 4, False), (1 << 7 | 1, True)]
)
def test_the_kernels_word_on_a_checksum(status: int, expected: bool) -> None:
    """struct tpacket_auxdata begins with tp_status: not computed yet (1 << 3), or checked (1 << 7)."""
    auxdata = status.to_bytes(4, sys.byteorder) + bytes(16)
    assert raw._vouched_for([(1, 2, b"x"), (263, 8, auxdata)]) is expected
    assert raw._vouched_for([]) is False
