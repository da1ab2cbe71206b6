"""Asks this machine's kernel, and our own wire: in a namespace of ours both meet every answer of `answer_cases`.

`python -m tests.net.kernel_oracle` tells {"case/version": [kernel's word, engine's word]} as JSON. Each SYN leaves over
a veth pair and is read and answered at the pair's other end by a packet socket; nothing else is there. A `connect` that
still waits afterwards is given the valid SYN-ACK, and must take it: "" is told of no socket that was dead.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import struct
import sys
from pathlib import Path

from probe.lab.namespaces import new_network, unshare_user
from tests.core.answer_cases import EACH
from tests.core.case import Case
from tests.core.crafted import ICMP, ICMPV6, SYN, TCP, Answer, Asked, asked, checksum, ipv4, ipv6

US = {4: "198.18.0.2", 6: "fd18::2"}
PEER = {4: "198.18.0.1", 6: "fd18::1"}
NEAR, FAR = "near", "far"
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
PATIENCE = 5.0
ECHO, ECHO_REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
ESTABLISHED, SYN_SENT, SYN_RECV, CLOSE_WAIT = 1, 2, 3, 8  # net/tcp_states.h
STATES = {ESTABLISHED: "open", CLOSE_WAIT: "open", SYN_SENT: "", SYN_RECV: ""}


def build() -> tuple[bytes, bytes]:
    """A network of one cable with both ends here; returns their hardware addresses. Needs a single thread."""
    from pyroute2 import IPRoute

    if os.geteuid() != 0:
        unshare_user(0)
    new_network()
    with IPRoute() as netlink:
        netlink.link("add", ifname=NEAR, kind="veth", index=100, peer={"ifname": FAR})
        ends = {name: netlink.link_lookup(ifname=name)[0] for name in (NEAR, FAR)}
        Path(f"/proc/sys/net/ipv6/conf/{FAR}/disable_ipv6").write_text("1")
        for index in (*ends.values(), 1):
            netlink.link("set", index=index, state="up")
        macs = [dict(netlink.link("get", index=ends[name])[0]["attrs"])["IFLA_ADDRESS"] for name in (NEAR, FAR)]
        for version, bits in ((4, 24), (6, 64)):
            netlink.addr(
                "add", index=ends[NEAR], address=US[version], prefixlen=bits, **({"flags": 2} if version == 6 else {})
            )
            netlink.neigh(
                "add", dst=PEER[version], lladdr=macs[1], ifindex=ends[NEAR], state=0x80, family=FAMILY[version]
            )
    near, far = (bytes.fromhex(mac.replace(":", "")) for mac in macs)
    return near, far


class Responder:
    """The other end of the cable."""

    def __init__(self, near: bytes, far: bytes) -> None:
        self.macs = near + far
        self.cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.cable.bind((FAR, 3))
        self.cable.setblocking(False)

    def next(self, version: int, wanted: int, patience: float = PATIENCE) -> bytes:
        """The next packet from us whose upper protocol is `wanted`."""
        while select.select([self.cable], [], [], patience)[0]:
            frame, (_, _, direction, _, _) = self.cable.recvfrom(4096)
            packet = frame[14:]
            mine = direction != socket.PACKET_OUTGOING and frame[12:14] == struct.pack(">H", ETHERTYPE[version])
            if mine and packet[9 if version == 4 else 6] == wanted:
                return packet
        raise TimeoutError(f"no packet of protocol {wanted} in time")

    def syn(self, version: int, port: int) -> Asked:
        while True:
            packet = self.next(version, TCP)
            start = 20 if version == 4 else 40
            if packet[start + 13] == SYN and struct.unpack_from(">H", packet, start) == (port,):
                return asked(packet)

    def send(self, packet: bytes) -> None:
        self.cable.send(self.macs + struct.pack(">H", ETHERTYPE[packet[0] >> 4]) + packet)

    def settle(self) -> None:
        """Until the kernel has worked off all that was sent: it answers a ping that came after it."""
        self.ping(4)
        while self.next(4, ICMP)[20] != ECHO_REPLY[4]:
            pass

    def ping(self, version: int) -> None:
        us, peer = (socket.inet_pton(FAMILY[version], side[version]) for side in (US, PEER))
        echo = struct.pack(">BxHHH", ECHO[version], 0, 1, 1)
        pseudo = b"" if version == 4 else peer + us + struct.pack(">II", len(echo), ICMPV6)
        echo = echo[:2] + checksum(pseudo + echo) + echo[4:]
        self.send(ipv4(peer, us, ICMP, echo) if version == 4 else ipv6(peer, us, ICMPV6, echo))

    def await_ipv6(self) -> None:
        """An IPv6 address can be bound a little before its packets arrive (net/ipv6/addrconf.c, addrconf_dad_work)."""
        for _ in range(int(PATIENCE / 0.05)):
            self.ping(6)
            with contextlib.suppress(TimeoutError):
                while self.next(6, ICMPV6, 0.05)[40] != ECHO_REPLY[6]:
                    pass
                return
        raise TimeoutError("IPv6 did not come up")


def outcome(sock: socket.socket) -> str:
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        return errno.errorcode[error]
    return STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def meet(responder: Responder, case: Case, version: int, port: int) -> str:
    """What a `connect()` to `port` concludes from the answers of this case."""
    with socket.socket(FAMILY[version], socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind((US[version], 0))
        sock.connect_ex((PEER[version], port))
        syn = responder.syn(version, sock.getsockname()[1])
        for packet in case.packets(syn):
            responder.send(packet)
        responder.settle()
        told = outcome(sock)
        if told == "":
            responder.send(Answer().to(syn))
            responder.settle()
            told = "" if outcome(sock) in ("open", "") else "dead"
        return told


class Engine:
    """A scan of one port over the raw wire; made after the namespace, because numpy brings threads."""

    def __init__(self) -> None:
        from probe.net.raw import open_wire
        from probe.net.routes import ReservedPort

        self.port = ReservedPort()
        self.wire = open_wire(self.port.number)

    def meet(self, responder: Responder, case: Case, version: int, port: int) -> str:
        from probe.core.scan import Scan
        from probe.net.craft import syn_templates
        from probe.net.routes import local_side
        from tests.core.playbook import block_of
        from tests.core.words import word_of

        block = block_of((PEER[version],), (port,))
        local, _ = local_side(block, self.port.number)
        scan = Scan(block, local, syn_templates(), seed=port, attempts=1, timeout=1.0)
        ((slots, rows),) = scan.frames(scan.due(5.0, 1), 5.0)
        assert not self.wire.send(rows).failed
        scan.sent(slots, 5.0)
        syn = responder.syn(version, self.port.number)
        for packet in case.packets(syn):
            responder.send(packet)
        responder.settle()
        while (batch := self.wire.receive()) is not None:
            scan.receive(batch, 5.25)
        return word_of(scan)


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # packets of one processor stay in order
    responder = Responder(*build())
    responder.await_ipv6()
    engine = Engine()
    chosen = sys.argv[1:]
    told = {}
    for port, (case, version) in enumerate(EACH, start=1000):
        if not chosen or case.name in chosen:
            try:
                words = [ask(responder, case, version, port) for ask in (meet, engine.meet)]
            except TimeoutError as error:
                words = [f"? {error}", ""]
            told[f"{case.name}/{version}"] = words
    sys.stdout.write(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
