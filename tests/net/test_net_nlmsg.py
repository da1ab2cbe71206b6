"""Netlink's framing: what is packed comes back, and no garbled byte makes the parser raise, loop or read on."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.net import nlmsg
from probe.net.netlink import (
    _NEIGHBOUR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    _errno,
    _route,
    read_links,
    read_neighbours,
)
from probe.net.nlmsg import Message, Netlink, attribute, attributes, messages, request

values = st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=6)
requests = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.binary(max_size=60))


@given(values)
def test_attributes_come_back(wanted: dict[int, bytes]) -> None:
    packed = b"".join(attribute(kind, value) for kind, value in wanted.items())
    assert attributes(b"1234" + packed, 4) == wanted


@given(st.lists(requests, max_size=4))
def test_messages_come_back(wanted: list[tuple[int, int, int, bytes]]) -> None:
    packed = b"".join(request(*each) for each in wanted)
    padding = [-len(payload) % 4 for *_, payload in wanted]
    found = [(m.kind, m.flags, m.sequence, m.payload) for m in messages(packed)]
    assert found == [(kind, flags | nlmsg.F_REQUEST, number, payload) for kind, flags, number, payload in wanted]
    assert len(packed) == sum(16 + len(each[3]) + pad for each, pad in zip(wanted, padding, strict=True))


@given(st.lists(requests, min_size=1, max_size=3), st.data())
def test_what_is_cut_off_is_left_out(wanted: list[tuple[int, int, int, bytes]], data: st.DataObject) -> None:
    packed = b"".join(request(*each) for each in wanted)
    cut = packed[: data.draw(st.integers(0, len(packed)))]
    assert [m.sequence for m in messages(cut)] == [number for _, _, number, _ in wanted][: len(list(messages(cut)))]


@given(st.binary(max_size=200))
@example(struct.pack("=IHHII", 0, 24, 0, 1, 0))  # a length of nothing would be read for ever
@example(struct.pack("=IHHII", 2**32 - 1, 24, 0, 1, 0))
@example(struct.pack("=IHHII", 16, 3, 0, 1, 0))
def test_garbage_never_raises(data: bytes) -> None:
    for message in messages(data):
        assert message.error is None or isinstance(message.error, int)
        attributes(message.payload, 0)
    for kind in (RTM_NEWROUTE, RTM_NEWNEIGH, RTM_NEWLINK):
        garbled = [Message(kind, 0, 1, data)]
        assert len(dict(read_links(garbled))) + len(dict(read_neighbours(garbled))) <= 1
        _errno(garbled[0]), _route(garbled[0], ipaddress.ip_address("198.18.0.1"))


def test_the_slow_twin_reads_the_same() -> None:
    """pyroute2's own messages, made by it and read by us."""
    from pyroute2.netlink.rtnl.ndmsg import ndmsg

    message = ndmsg()
    message["family"], message["ifindex"], message["state"] = socket.AF_INET, 7, 2
    message["attrs"] = [("NDA_DST", "198.18.0.9"), ("NDA_LLADDR", "02:00:00:00:00:09")]
    message["header"]["type"], message["header"]["sequence_number"] = RTM_NEWNEIGH, 5
    message.encode()
    (found,) = messages(bytes(message.data))
    ((key, neighbour),) = read_neighbours([found])
    assert (found.sequence, key) == (5, (7, ipaddress.ip_address("198.18.0.9")))
    assert (neighbour.state, neighbour.lladdr, neighbour.usable) == (2, bytes.fromhex("020000000009"), True)


def entry(address: bytes, state: int = 2, sequence: int = 1, flags: int = nlmsg.F_MULTI) -> bytes:
    payload = _NEIGHBOUR.pack(socket.AF_INET, 1, state, 0, 0) + attribute(1, address)
    return struct.pack("=IHHII", 16 + len(payload), RTM_NEWNEIGH, flags, sequence, 0) + payload


def end(sequence: int = 1, error: int = 0, kind: int = nlmsg.NLMSG_DONE) -> bytes:
    return struct.pack("=IHHIIi", 20, kind, nlmsg.F_MULTI, sequence, 0, -error)


class Kernel:
    """A netlink socket that plays a script: datagrams with their senders, or errors."""

    def __init__(self, script: Sequence[bytes | OSError | tuple[bytes, int]]) -> None:
        self.script = list(script)
        self.asked: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.asked.append(data)

    def recvfrom(self, _size: int) -> tuple[bytes, tuple[int, int]]:
        step = self.script.pop(0)
        if isinstance(step, OSError):
            raise step
        data, sender = step if isinstance(step, tuple) else (step, 0)
        return data, (sender, 0)

    def close(self) -> None:
        self.script = []


def netlink(*script: bytes | OSError | tuple[bytes, int]) -> tuple[Netlink, Kernel]:
    with Netlink(socket.NETLINK_ROUTE) as real:
        kernel = Kernel(script)
    real._socket = kernel  # type: ignore[assignment]
    return real, kernel


def dumped(*script: bytes | OSError | tuple[bytes, int]) -> list[str]:
    found = read_neighbours(netlink(*script)[0].dump(30, b""))
    return [str(address) for (_, address), _ in found]


A, B, C = bytes([198, 18, 0, 1]), bytes([198, 18, 0, 2]), bytes([198, 18, 0, 3])
OVERRUN = OSError(errno.ENOBUFS, "No buffer space available")


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ([entry(A) + entry(B), entry(C), end()], ["198.18.0.1", "198.18.0.2", "198.18.0.3"]),
        ([entry(A) + end()], ["198.18.0.1"]),
        ([(entry(A), 77), entry(B), end()], ["198.18.0.2"]),  # another process speaks up
        ([entry(A, sequence=9), end(9), entry(B), end()], ["198.18.0.2"]),  # the rest of an older dump
        ([entry(A) + entry(B)[:-2], end()], ["198.18.0.1"]),  # cut short
        ([entry(A), OVERRUN, entry(A, sequence=2), end(2)], ["198.18.0.1"]),
        ([entry(A, flags=nlmsg.F_DUMP_INTR), end(), entry(B, sequence=2), end(2)], ["198.18.0.2"]),
    ],
)
def test_dumps(script: list[bytes | OSError | tuple[bytes, int]], found: list[str]) -> None:
    assert dumped(*script) == found


def test_a_dump_that_changes_for_ever_is_still_an_answer() -> None:
    torn = [part for n in range(1, 6) for part in (entry(A, sequence=n, flags=nlmsg.F_DUMP_INTR), end(n))]
    assert dumped(*torn) == ["198.18.0.1"]


@pytest.mark.parametrize("kind", [nlmsg.NLMSG_ERROR, nlmsg.NLMSG_DONE])
def test_a_dump_that_is_refused(kind: int) -> None:
    with pytest.raises(PermissionError):
        dumped(end(error=errno.EPERM, kind=kind))


def test_answers_find_their_questions() -> None:
    """One datagram asks, the answers come one by one."""
    kernel, script = netlink(end(2, errno.ENETUNREACH, 2), (end(1), 5), entry(A, sequence=7), end(1, errno.EACCES, 2))
    assert [answer.error for answer in kernel.ask(26, [b"abc", b"d"])] == [errno.EACCES, errno.ENETUNREACH]
    assert [m.payload for m in messages(script.asked[0])] == [b"abc", b"d"]


def test_groups_that_stay_silent() -> None:
    with Netlink(socket.NETLINK_ROUTE) as kernel:
        assert kernel.heard() is False
