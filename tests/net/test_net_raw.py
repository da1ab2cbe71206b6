"""The real wire on loopback: this machine's kernel answers, and answers as the fakes say that kernels do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from probe.core.assess import Circumstances
from probe.core.columns import I64, Bytes
from probe.core.ledger import RESET_SEEN, SYN_ACK_SEEN
from probe.core.pace import Pace
from probe.core.plan import Scope
from probe.core.replies import Batch, TcpReplies, parse
from probe.core.scan import Scan
from probe.errors import WireError
from probe.model import AddressRange, Reason, State
from probe.net.craft import syn_templates
from probe.net.fast import FastWire
from probe.net.pump import pump
from probe.net.raw import RawWire
from probe.net.ring import Ring
from probe.net.routes import ReservedPort, local_side
from probe.net.wire import Scoped, Sent, Wire
from probe.net.wires import NAMES, open_wire
from tests.core.fake_packets import ACK, RST, SYN, read, tcp
from tests.core.playbook import block_of, judge
from tests.core.slow_replies import Packet, as_rows, batch_of


@dataclass
class Loopback:
    """A wire of our own, one port that listens and one that is only bound, on one loopback address."""

    host: str
    wire: Wire
    ours: int
    listening: int
    closed: int

    def scan(self, ports: list[int], attempts: int = 3) -> Scan:
        block = block_of((self.host,), ports)
        local, unroutable = local_side(block, self.ours)
        assert unroutable == {}
        return Scan(block, local, syn_templates(), 11, attempts, 1.0)


@pytest.fixture(params=[(host, wire) for host in ("127.0.0.1", "::1") for wire in NAMES], ids="-".join)
def loopback(request: pytest.FixtureRequest) -> Iterator[Loopback]:
    host, name = request.param
    with ExitStack() as stack:
        port, closed = ReservedPort(), ReservedPort()
        stack.callback(port.close)
        stack.callback(closed.close)
        try:
            wire = open_wire(name, port.number)
        except WireError as error:
            pytest.skip(str(error))
        stack.callback(wire.close)
        server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        stack.enter_context(server)
        try:
            server.bind((host, 0))
        except OSError as error:
            pytest.skip(f"this machine has no {host}: {error}")
        server.listen(64)
        yield Loopback(host, wire, port.number, server.getsockname()[1], closed.number)


class Tap:
    """Keeps what passes through a wire: the frames that were sent, the batches that came."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self.name, self.threaded = wire, wire.name, wire.threaded
        self.frames: list[Bytes] = []
        self.batches: list[Batch] = []
        self.fileno, self.drops, self.close = wire.fileno, wire.drops, wire.close

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        self.frames.append(rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize))
        return self._wire.send(rows)

    def receive(self) -> Batch | None:
        batch = self._wire.receive()
        self.batches.extend([batch] if batch else [])
        return batch


def run(scan: Scan, wire: Tap | Scoped, rate: float = 2000.0) -> list[int]:
    """Pump it on the real clock; returns the slots that became open."""
    opened: list[int] = []

    async def go() -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + 20

        def on_open(slots: I64) -> None:
            opened.extend(slots.tolist())

        await pump(
            scan,
            wire,
            Pace(rate, clock()),
            may_go_on=lambda now: now < end,
            on_open=on_open,
            on_turn=lambda _: None,
        )

    asyncio.run(go())
    return opened


def test_open_and_closed_ports_are_seen_rightly(loopback: Loopback) -> None:
    scan = loopback.scan([loopback.listening, loopback.closed])
    opened = run(scan, Tap(loopback.wire))
    verdicts = {verdict.key.port: verdict for verdict in judge(scan)}
    assert [scan.block.key(slot).port for slot in opened] == [loopback.listening]
    is_open, is_closed = verdicts[loopback.listening], verdicts[loopback.closed]
    assert (is_open.state, is_open.reason) == (State.OPEN, Reason.SYN_ACK)
    assert (is_closed.state, is_closed.reason) == (State.CLOSED, Reason.RESET)
    for verdict, flags in ((is_open, "SA"), (is_closed, "AR")):
        assert (verdict.evidence.responder, verdict.evidence.ttl, verdict.evidence.flags) == (loopback.host, 64, flags)
        assert (verdict.attempts, verdict.live) == (1, True)
        assert verdict.rtt_ms is not None
        assert 0 <= verdict.rtt_ms < 1000
    assert (scan.counters.sent, scan.counters.received, scan.counters.forged) == (2, 2, 0)
    assert loopback.wire.drops() == 0


def replies(batches: list[Batch]) -> list[tuple[int, ...]]:
    return [row for batch in batches for row in as_rows(parse(batch)).tcp]


def test_the_fakes_answer_as_the_kernel_does(loopback: Loopback) -> None:
    """Column by column, but for the size of the window that a listener offers, and what the fakes leave out."""
    tap = Tap(loopback.wire)
    run(loopback.scan([loopback.listening, loopback.closed]), tap)
    frames = np.concatenate(tap.frames)
    listening = read(frames, 22 if frames.shape[1] == 60 else 42, 2) == loopback.listening
    real = replies(tap.batches)
    (window,) = (row[TCP_WINDOW] for row in real if row[TCP_FLAGS] == SYN | ACK)
    assert window > 0
    fakes = [
        tcp(frames[listening], SYN | ACK, ttl=64, window=window),
        tcp(frames[~listening], RST | ACK, ttl=64),
    ]
    fake = as_rows(parse(batch_of([Packet(row.tobytes()) for rows in fakes for row in rows])))
    assert fake.malformed == 0
    assert sorted({known(row) for row in real}) == sorted(map(known, fake.tcp))


COLUMNS = list(TcpReplies.__struct_fields__)
TCP_FLAGS, TCP_WINDOW = COLUMNS.index("flags"), COLUMNS.index("window")


def known(row: tuple[int, ...]) -> tuple[int, ...]:
    """What a fake can know of an answer: not the sequence number that the host chose, and it sends no timestamps."""
    return tuple(
        value for name, value in zip(COLUMNS, row, strict=True) if name not in ("seq", "tsecr", "has_timestamp")
    )


def test_a_syn_is_taken_for_a_clients(loopback: Loopback) -> None:
    """The kernel's SYN-ACK answers every option of ours: MSS, SACK, timestamps (ours echoed) and window scaling."""
    tap = Tap(loopback.wire)
    run(loopback.scan([loopback.listening]), tap)
    packet = tap.batches[0].rows[0].tobytes()
    start = 20 if loopback.host == "127.0.0.1" else 40
    options = packet[start + 20 : start + (packet[start + 12] >> 4) * 4]
    assert (options[0], options[4], options[6], options[17]) == (2, 4, 8, 3)
    assert options[12:16] == tap.frames[0][0, start + 28 : start + 32].tobytes()


def test_nothing_but_answers_comes_through(loopback: Loopback) -> None:
    """Foreign connections, and our own probes on their way out, are none."""
    family = socket.AF_INET6 if ":" in loopback.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.connect((loopback.host, loopback.listening))
        client.send(b"hello")
    assert loopback.wire.receive() is None
    tap = Tap(loopback.wire)
    run(loopback.scan([loopback.listening, loopback.closed]), tap)
    assert {row[COLUMNS.index("dport")] for row in replies(tap.batches)} == {loopback.ours}
    assert {row[COLUMNS.index("sport")] for row in replies(tap.batches)} == {loopback.listening, loopback.closed}


def test_scope_holds_on_the_real_wire(loopback: Loopback) -> None:
    tap = Tap(loopback.wire)
    with pytest.raises(WireError, match="out of scope"):
        run(loopback.scan([loopback.listening]), Scoped(tap, Scope([AddressRange(4, 1, 2), AddressRange(6, 2, 9)])))
    assert tap.frames == []


def test_a_thousand_ports_at_once(loopback: Loopback) -> None:
    """More than one batch, with every port answered: those of ours by their truth, all others by what they are."""
    near = range(max(1, loopback.closed - 700), min(65535, loopback.closed + 700))
    ports = sorted({*near, loopback.listening, loopback.closed} - {loopback.ours})
    scan = loopback.scan(ports)
    run(scan, Tap(loopback.wire), rate=50_000)
    assert set(scan.seen.tolist()) <= {SYN_ACK_SEEN, RESET_SEEN}
    seen = dict(zip(ports, scan.seen.tolist(), strict=True))
    assert (seen[loopback.listening], seen[loopback.closed]) == (SYN_ACK_SEEN, RESET_SEEN)
    assert scan.counters.forged == 0


def test_what_our_kernel_drops_is_noticed(loopback: Loopback) -> None:
    """A receive buffer too small for the answers: silence is no verdict any more."""
    wire = loopback.wire
    if isinstance(wire, FastWire):
        for source in wire._sources:
            source.close()
        wire._sources = [Ring(loopback.ours, frames=128)]
    else:
        assert isinstance(wire, RawWire)
        wire._packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    ports = [port for port in range(20000, 20300) if port != loopback.ours]
    scan = loopback.scan(ports, attempts=1)
    slots = scan.due(0.0, 1000)
    for part, rows in scan.frames(slots, 0.0):
        assert loopback.wire.send(rows).failed == {}
        scan.sent(part, 0.0)
    while (batch := loopback.wire.receive()) is not None:
        scan.receive(batch, 0.1)
    scan.lost(0.1)  # what the pump says when the counter below has risen
    scan.on_time(2.0)
    drops = loopback.wire.drops()
    silent = int((scan.seen == 0).sum())
    assert silent > 0
    assert drops >= silent
    found = {verdict.state for verdict in judge(scan, Circumstances(kernel_drops=drops))}
    assert State.FILTERED not in found
    assert State.UNKNOWN in found
