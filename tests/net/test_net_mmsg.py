"""sendmmsg from buffers laid out once: what was put in goes out, in order, and what could not is told by row."""

from __future__ import annotations

import errno
import socket
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.net.ipsend import joined
from probe.net.mmsg import MOST, Outbox, wait_for_room


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    return ours, theirs


@given(st.lists(st.binary(min_size=7, max_size=7), max_size=10))
def test_packets_arrive_as_they_are(packets: list[bytes]) -> None:
    outbox = Outbox(7)
    ours, theirs = pair()
    with ours, theirs:
        for row, packet in enumerate(packets):
            outbox.packets[row] = np.frombuffer(packet, np.uint8)
        assert outbox.send(ours.fileno(), len(packets)) == {}
        assert [theirs.recv(100) for _ in packets] == packets
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def test_a_full_queue_is_for_later() -> None:
    ours, theirs = pair()
    with ours, theirs:
        ours.setblocking(False)
        outbox = Outbox(100)
        outbox.packets[:] = np.arange(MOST)[:, None] % 256
        failed = outbox.send(ours.fileno(), MOST)
        sent = 0
        while True:
            try:
                assert theirs.recv(200) == bytes([sent % 256]) * 100
            except BlockingIOError:
                break
            sent += 1
        assert 0 < sent < MOST
        assert {code: rows.tolist() for code, rows in failed.items()} == {errno.EAGAIN: list(range(sent, MOST))}


def test_each_packet_has_its_own_address_and_its_own_failure() -> None:
    """UDP on the loopback; port 0 cannot be sent to."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        for sock in (one, other):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        ports = [one.getsockname()[1], 0, other.getsockname()[1], 0, one.getsockname()[1]]
        outbox = Outbox(1, name=16)
        for row, port in enumerate(ports):
            name = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton("127.0.0.1")
            outbox.names[row, :8] = np.frombuffer(name, np.uint8)
            outbox.packets[row] = row
        failed = outbox.send(ours.fileno(), len(ports))
        assert {code: rows.tolist() for code, rows in failed.items()} == {errno.EINVAL: [1, 3]}
        assert [one.recv(9), other.recv(9), one.recv(9)] == [b"\0", b"\2", b"\4"]


def test_a_closed_socket_fails_every_packet() -> None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.close()
    failed = Outbox(4).send(sock.fileno(), 3)
    assert {code: rows.tolist() for code, rows in failed.items()} == {errno.EBADF: [0, 1, 2]}


def test_a_full_queue_does_not_hold_us_for_ever() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        wait_for_room(sock)
        assert sock.gettimeout() is None
        seconds, rest = struct.unpack("@ll", sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16))
        assert (seconds, rest) == (1, 0)


@given(st.lists(st.dictionaries(st.sampled_from([1, 11]), st.sets(st.integers(0, 9)), max_size=2), max_size=4))
def test_rows_of_several_calls_are_counted_through(parts: list[dict[int, set[int]]]) -> None:
    expected: dict[int, list[int]] = {}
    for number, part in enumerate(parts):
        for code, rows in part.items():
            expected.setdefault(code, []).extend(row + 10 * number for row in sorted(rows))
    arrays = [{code: np.array(sorted(rows), np.int64) for code, rows in part.items()} for part in parts]
    assert {code: rows.tolist() for code, rows in joined(arrays, 10).failed.items()} == expected
