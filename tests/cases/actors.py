"""Who lives in the network of a case: the scripted host, listeners, a watcher of the scanner's packets, and a client.

All of them run on one asyncio loop in the process of the case. Sockets stay in the namespace that they were made in.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from probe.lab.namespaces import NEW_NET, set_namespace
from tests.cases.corpus import Case, Port
from tests.cases.packets import read_syn
from tests.cases.responder import Responder

_ETH_P_ALL, _ETH_P = 3, {4: 0x0800, 6: 0x86DD}
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h, SO_TIMESTAMPNS_OLD: struct timespec
# Of a client, in seconds: Linux sends its SYN again after 1 and 3 of them. It waits longer for what shall come.
_PATIENCE, _LONG_PATIENCE, _TRIES = 1.6, 12.0, 3
_DISCARD, _INTRODUCTION = 9, 0.2
BANNER = b"SSH-2.0-case\r\n"


def packet_socket(network: int, interface: str) -> socket.socket:
    """Hears every packet of the interface, from the IP header on."""
    set_namespace(network, NEW_NET)
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(_ETH_P_ALL))
    ear.bind((interface, _ETH_P_ALL))
    return ear


class ScriptedHost:
    """A responder behind a packet socket."""

    def __init__(self, responder: Responder, ear: socket.socket) -> None:
        self._responder, self._ear = responder, ear

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._ear, self._hear)

    def _hear(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, sender = self._ear.recvfrom(2048)
                if sender[2] != socket.PACKET_HOST:
                    continue
                back = (sender[0], _ETH_P[packet[0] >> 4 or 4], 0, 0, sender[4])
                for delay, answer in self._responder.hear(packet, loop.time()):
                    if delay:
                        loop.call_later(delay, self._send, answer, back)
                    else:
                        self._send(answer, back)

    def _send(self, packet: bytes, back: tuple[object, ...]) -> None:
        try:
            self._ear.sendto(packet, back)
        except OSError as error:  # a flood fills the card's queue, and what does not fit is lost there
            if error.errno not in (errno.ENOBUFS, errno.EAGAIN):
                raise


@dataclass
class Door:
    """A listening socket, what it does with a connection, and the guests that fill its queue if it shall be full."""

    listener: socket.socket
    kind: str
    guests: list[socket.socket] = field(default_factory=list)


def open_doors(network: int, kinds: Mapping[int, str]) -> list[Door]:
    """Listening sockets in both families, by port."""
    set_namespace(network, NEW_NET)
    return [_open_door(port, kind) for port, kind in kinds.items()]


def _open_door(port: int, kind: str) -> Door:
    backlog = 0 if kind == "full" else 128
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=backlog)
    listener.setblocking(False)
    return Door(listener, kind, [_guest(port) for _ in range(4)] if kind == "full" else [])


def _guest(port: int) -> socket.socket:
    guest = socket.socket(socket.AF_INET6)
    guest.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        guest.connect(("::1", port))
    return guest


class Doors:
    """Accepts on all listeners but those that are full: their kernel drops SYNs."""

    def __init__(self, doors: list[Door]) -> None:
        self._doors = doors
        self._peers: list[socket.socket] = []

    def start(self) -> None:
        for door in self._doors:
            if door.kind != "full":
                asyncio.get_running_loop().add_reader(door.listener, self._accept, door)

    def close(self, port: int) -> None:
        """Nothing listens on this port any more."""
        for door in self._doors:
            if door.listener.fileno() >= 0 and door.listener.getsockname()[1] == port:
                asyncio.get_running_loop().remove_reader(door.listener)
                door.listener.close()

    def _accept(self, door: Door) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                peer, _ = door.listener.accept()
                peer.setblocking(False)
                _CONDUCT[door.kind](peer)
                if peer.fileno() >= 0:
                    self._peers.append(peer)


def _reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def _greet(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.send(BANNER)


def _echo(peer: socket.socket) -> None:
    asyncio.get_running_loop().add_reader(peer, _return, peer)


def _return(peer: socket.socket) -> None:
    data = b""
    with contextlib.suppress(OSError):
        data = peer.recv(4096)
        peer.send(data)
    if not data:
        asyncio.get_running_loop().remove_reader(peer)


_CONDUCT: dict[str, Callable[[socket.socket], None]] = {
    "banner": _greet,
    "mute": lambda peer: None,
    "echo": _echo,
    "close": lambda peer: peer.close(),
    "reset": _reset,
}


class Watcher:
    """Counts the scanner's SYNs where they pass the first router, and keeps the kernel's time of each."""

    def __init__(self, ear: socket.socket, addresses: set[bytes]) -> None:
        self._ear, self._addresses = ear, addresses
        self.times: list[float] = []
        self._waiting: list[tuple[int, Callable[[], None]]] = []
        ear.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def after(self, syns: int, act: Callable[[], None]) -> None:
        self._waiting.append((syns, act))

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._ear, self._hear)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, ancillary, _, sender = self._ear.recvmsg(2048, 64)
                syn = read_syn(packet) if sender[2] == socket.PACKET_HOST else None
                if syn and syn.source in self._addresses:
                    self.times.append(_time(ancillary))
        for entry in [entry for entry in self._waiting if entry[0] <= len(self.times)]:
            self._waiting.remove(entry)
            entry[1]()

    def most_in(self, window: float) -> int:
        """The most SYNs in any `window` seconds."""
        times, most, first = sorted(self.times), 0, 0
        for last, time in enumerate(times):
            while times[first] <= time - window:
                first += 1
            most = max(most, last - first + 1)
        return most


def _time(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            whole, nano = struct.unpack("qq", data)
            return float(whole) + float(nano) * 1e-9
    raise AssertionError("no time")


async def introduce(addresses: list[str]) -> None:
    """One datagram to each, so that the hosts on the way know each other's hardware addresses before the scan begins.

    A kernel at the other end says that nobody wants it (a scripted host says nothing); either way it has arrived soon.
    """
    await asyncio.gather(*(_introduce(address) for address in addresses))


async def _introduce(address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        with contextlib.suppress(OSError, TimeoutError):
            line.connect((address, _DISCARD))
            line.send(b"")
            await asyncio.wait_for(asyncio.get_running_loop().sock_recv(line, 1), _INTRODUCTION)


async def connects(address: str, port: int, patience: float) -> bool:
    """Whether a client that tries a few times gets a connection; from the namespace that this process is in."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + patience
    for _ in range(_TRIES):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                await asyncio.wait_for(loop.sock_connect(client, (address, port)), ends - loop.time())
            except TimeoutError:
                return False
            except ConnectionResetError:  # it stood, and was reset at once; a refusal has another number
                return True
            except OSError:
                await asyncio.sleep(0.05)  # nobody tells when it would be worth trying again
            else:
                return True
    return False


async def judge(case: Case) -> dict[Port, bool]:
    """What a client gets of every port of which the truth is sure."""
    truths = {port: truth.is_open for port, truth in case.truth.items() if case.client}
    doors = [port for port, is_open in truths.items() if is_open is not None]
    got = await asyncio.gather(*(connects(*door, _LONG_PATIENCE if truths[door] else _PATIENCE) for door in doors))
    return dict(zip(doors, got, strict=True))
