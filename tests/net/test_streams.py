"""Dialogues over real sockets, all on the loopback: servers that answer, stall, flood, reset and break TLS."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probe.core.dialogue import (
    Close,
    Closed,
    Command,
    Connect,
    Connected,
    Data,
    Event,
    Failed,
    Limits,
    Read,
    Send,
    Sent,
    Spent,
    StartTLS,
    Timeout,
    TlsFailed,
    TlsUp,
)
from probe.model import Conversation, Handshake
from probe.net.streams import converse
from probe.net.tls import SEEN
from probe.services.identify import identify

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HERE = "127.0.0.1"
SOON = 0.05  # seconds that a test waits for what does not come


class Recorder:
    """A dialogue of fixed commands that keeps the events."""

    def __init__(self, *commands: Command) -> None:
        self._commands = commands
        self.events: list[Event] = []

    def dialogue(self) -> Generator[Command, Event, Conversation]:
        for command in self._commands:
            self.events.append((yield command))
        return Conversation(Handshake.MUTE)


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> Any:
    """A server on a free port of the loopback; its port."""

    async def careful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # the client left, which is its right
        finally:
            writer.close()

    server = await asyncio.start_server(careful, HERE, 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def record(handler: Handler, *commands: Command, limits: Limits | None = None, **options: Any) -> list[Event]:
    recorder = Recorder(*commands)
    async with serving(handler, **options) as port:
        await converse(HERE, port, recorder.dialogue(), limits=limits)
    return recorder.events


async def stand(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing until the client leaves."""
    await reader.read()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: SO_LINGER with no time to linger."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, bytes]:
    """A server's context with a self-signed, expired certificate, and the DER of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "expired.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2001, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2002, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HERE))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem: Path = tmp_path_factory.mktemp("tls") / "pair.pem"
    plain = serialization.NoEncryption()
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["http/1.1"])
    return context, certificate.public_bytes(serialization.Encoding.DER)


def test_talk() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5)).upper())

    events = asyncio.run(record(echo, Connect(), Send(b"hello"), Read(5, 100), Read(5, 100), Close()))
    assert events == [Connected(HERE), Sent(), Data(b"HELLO"), Closed(), Closed()]


def test_read_has_a_limit_and_loses_nothing() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"abcdef")

    events = asyncio.run(record(talk, Connect(), Read(5, 2), Read(5, 3), Read(5, 9), Read(5, 9)))
    assert events[1:] == [Data(b"ab"), Data(b"cde"), Data(b"f"), Closed()]


def test_silence() -> None:
    assert asyncio.run(record(stand, Connect(), Read(SOON, 9))) == [Connected(HERE), Timeout()]


def test_a_reset_is_no_close() -> None:
    async def kick(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reset(writer)

    assert asyncio.run(record(kick, Connect(), Read(5, 9))) == [Connected(HERE), Closed(reset=True)]


def test_what_was_said_before_a_reset_is_heard() -> None:
    async def kick(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"go away")
        await writer.drain()
        await reader.readexactly(1)
        await reset(writer)

    events = asyncio.run(record(kick, Connect(), Send(b"x"), Read(5, 99), Read(5, 99)))
    assert events == [Connected(HERE), Sent(), Data(b"go away"), Closed(reset=True)]


def free_port() -> int:
    with socket.create_server((HERE, 0)) as door:
        port: int = door.getsockname()[1]
        return port


@pytest.mark.parametrize("address", [HERE, "::ffff:127.0.0.1"])
def test_no_connection_is_a_value(address: str) -> None:
    recorder = Recorder(Connect(), Send(b"x"), Read(5, 9), StartTLS())
    asyncio.run(converse(address, free_port(), recorder.dialogue()))
    assert recorder.events == [Failed("ECONNREFUSED"), Closed(), Closed(), TlsFailed("not connected")]


def test_a_local_failure_is_a_value_too() -> None:
    recorder = Recorder(Connect())
    asyncio.run(converse(HERE, free_port(), recorder.dialogue(), source="198.18.255.254"))  # not an address of ours
    assert recorder.events == [Failed("EADDRNOTAVAIL")]


def test_connecting_has_a_time_limit() -> None:
    """A full backlog on the loopback: the kernel drops our SYN, as a filter would."""
    with socket.socket() as door:
        door.bind((HERE, 0))
        door.listen(0)
        address: tuple[str, int] = door.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)
            recorder = Recorder(Connect())
            asyncio.run(converse(address[0], address[1], recorder.dialogue(), timeout=SOON))
    assert recorder.events == [Failed("ETIMEDOUT")]


def test_the_source_address_is_ours_to_choose() -> None:
    async def who(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())

    async def main() -> list[Event]:
        recorder = Recorder(Connect(), Read(5, 99))
        async with serving(who) as port:
            await converse(HERE, port, recorder.dialogue(), source="127.0.0.2")
        return recorder.events

    assert asyncio.run(main()) == [Connected(HERE), Data(b"127.0.0.2")]


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"A" * 65536)
        await writer.drain()


def test_a_flood_is_cut_at_the_byte_limit_of_each_connection() -> None:
    reads = [Read(5, 1_000_000)] * 10
    events = asyncio.run(record(flood, Connect(), *reads, Connect(), *reads, limits=Limits(received=20_000)))
    first, second = events[1:11], events[12:]
    for part in (first, second):
        assert sum(len(event.data) for event in part if isinstance(event, Data)) == 20_000
        assert part[-1] == Spent()


def test_an_endless_trickle_is_cut_by_the_clock() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b".")
            await asyncio.sleep(0.01)

    async def main() -> tuple[Conversation, float]:
        loop = asyncio.get_running_loop()
        async with serving(trickle) as port:
            started = loop.time()
            return await converse(HERE, port, identify(port), limits=Limits(seconds=0.2)), loop.time() - started

    talk, elapsed = asyncio.run(main())
    assert talk.handshake is Handshake.ANSWERED
    assert talk.service is None
    assert set(talk.banner) == {ord(".")}
    assert elapsed < 2


def test_a_spent_clock_connects_no_more() -> None:
    events = asyncio.run(
        record(stand, Connect(), Read(9, 9), Read(9, 9), Send(b"x"), Connect(), limits=Limits(seconds=SOON))
    )
    assert events == [Connected(HERE), Spent(), Spent(), Spent(), Failed("ETIMEDOUT")]


class SlowGate:
    """Lets everyone wait, and counts."""

    def __init__(self) -> None:
        self.entered = self.left = 0
        self.packets: list[int] = []

    async def enter(self) -> None:
        self.entered += 1
        await asyncio.sleep(2 * SOON)

    def leave(self, packets: int) -> None:
        self.left += 1
        self.packets.append(packets)


def test_every_connection_passes_the_gate_and_waiting_there_does_not_cost_time() -> None:
    gate = SlowGate()

    async def main() -> list[Event]:
        recorder = Recorder(Connect(), Connect())
        async with serving(stand) as port:
            await converse(HERE, port, recorder.dialogue(), limits=Limits(seconds=SOON), gate=gate)
        return recorder.events

    assert asyncio.run(main()) == [Connected(HERE)] * 2
    assert (gate.entered, gate.left) == (2, 2)


def test_the_gate_is_told_how_many_packets_were_sent() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))
        await reader.read()

    gate = SlowGate()

    async def main() -> None:
        recorder = Recorder(Connect(), Send(b"x"), Read(5, 1), Close(), Connect(), Send(b"y" * 200_000))
        async with serving(echo) as port:
            await converse(HERE, port, recorder.dialogue(), gate=gate)
        await converse(HERE, free_port(), Recorder(Connect()).dialogue(), gate=gate)

    asyncio.run(main())
    small, large, none = gate.packets
    assert 5 <= small <= 7  # SYN, ACK, x, mostly an ACK, FIN, ACK
    assert large > small
    assert none == 0


def test_sockets_are_closed_when_it_is_cancelled() -> None:
    gone = asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    async def main() -> None:
        async with serving(watch) as port:
            task = asyncio.create_task(converse(HERE, port, Recorder(Connect(), Read(60, 9)).dialogue()))
            await asyncio.sleep(SOON)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(gone.wait(), 5)

    asyncio.run(main())


def test_tls(secure: tuple[ssl.SSLContext, bytes]) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5)).upper())

    context, der = secure
    commands = (
        Connect(),
        StartTLS("expired.example", ("http/1.1",), 5),
        Send(b"hello"),
        Read(5, 3),
        Read(5, 9),
        Read(5, 9),
    )
    events = asyncio.run(record(echo, *commands, StartTLS(), ssl=context))
    assert events[1] == TlsUp("TLSv1.3", "http/1.1", der)
    assert events[2:] == [Sent(), Data(b"HEL"), Data(b"LO"), Closed(), TlsFailed("already inside TLS")]


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64, "127.0.0.1", "na me", "\0", "ünïcode.example", "a" * 400])
def test_any_server_name_is_survived(secure: tuple[ssl.SSLContext, bytes], name: str) -> None:
    events = asyncio.run(record(stand, Connect(), StartTLS(name, (), 5), ssl=secure[0]))
    assert isinstance(events[1], TlsUp)


def test_tls_against_silence() -> None:
    events = asyncio.run(record(stand, Connect(), StartTLS(None, (), SOON)))
    assert events[1] == TlsFailed("no answer in time")


def test_tls_against_a_web_server_keeps_its_words() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    events = asyncio.run(record(refuse, Connect(), StartTLS(None, (), 5)))
    assert isinstance(events[1], TlsFailed)
    assert events[1].seen == b"HTTP/1.1 400 Bad Request\r\n\r\n"
    assert events[1].detail


def test_a_reset_in_the_middle_of_tls() -> None:
    async def kick(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(600)
        writer.write(b"\x16\x03\x03\x40\x00\x02")
        await writer.drain()
        await reset(writer)

    events = asyncio.run(record(kick, Connect(), StartTLS(None, (), 5)))
    assert events[1] == TlsFailed("the peer ended it", b"\x16\x03\x03\x40\x00\x02", Closed(reset=True))


def test_a_flood_instead_of_tls_ends() -> None:
    async def records(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\x16\x03\x03\x40\x00\x0b\x00\xff\xff" + bytes(16381))
            await writer.drain()

    events = asyncio.run(record(records, Connect(), StartTLS(None, (), 5)))
    assert isinstance(events[1], TlsFailed)
    assert len(events[1].seen) <= SEEN


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_our_certificate_is_tls(
    secure: tuple[ssl.SSLContext, bytes], version: ssl.TLSVersion
) -> None:
    context, der = secure
    try:
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = version

        async def main() -> Conversation:
            async with serving(stand, ssl=context) as port:
                return await converse(HERE, port, identify(port))

        talk = asyncio.run(main())
    finally:
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert talk.handshake is Handshake.ANSWERED
    assert talk.service is not None
    assert talk.service.name is None
    assert talk.service.tls is not None
    assert talk.service.tls.version in {"TLSv1.2", "TLSv1.3"}
    assert talk.service.tls.sha256 == hashlib.sha256(der).hexdigest()


def test_https_from_end_to_end(secure: tuple[ssl.SSLContext, bytes]) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(b"GET / HTTP/1.1\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nServer: lab/1.0\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08" + bytes(100))

    async def main() -> Conversation:
        async with serving(web, ssl=secure[0]) as port:
            return await converse(HERE, port, identify(port))

    talk = asyncio.run(main())
    assert talk.handshake is Handshake.ANSWERED
    assert talk.service is not None
    assert (talk.service.name, talk.service.product, talk.service.version) == ("http", "lab", "1.0")
    assert talk.service.tls is not None
    assert talk.service.tls.subject == "CN=expired.example"
    assert talk.service.tls.names == (HERE,)
    assert talk.service.tls.sha256 == hashlib.sha256(secure[1]).hexdigest()


def test_a_moved_ssh_server_from_end_to_end() -> None:
    async def ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
        await reader.read(1)

    async def main() -> Conversation:
        async with serving(ssh) as port:
            return await converse(HERE, port, identify(port))

    talk = asyncio.run(main())
    assert talk.service is not None
    assert (talk.service.name, talk.service.version) == ("ssh", "9.2p1")


@pytest.mark.parametrize(("kick", "handshake"), [(False, Handshake.CLOSED), (True, Handshake.RESET)])
def test_access_control_from_end_to_end(kick: bool, handshake: Handshake) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if kick:
            await reset(writer)

    async def main() -> Conversation:
        async with serving(refuse) as port:
            return await converse(HERE, port, identify(port))

    assert asyncio.run(main()) == Conversation(handshake)


def test_starttls_from_end_to_end(secure: tuple[ssl.SSLContext, bytes]) -> None:
    context, der = secure

    async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 lab ESMTP Postfix\r\n")
        assert (await reader.readline()).startswith(b"EHLO ")
        writer.write(b"250-lab\r\n250-STARTTLS\r\n250 HELP\r\n")
        assert await reader.readline() == b"STARTTLS\r\n"
        writer.write(b"220 Go ahead\r\n")
        await writer.start_tls(context)
        await reader.read()

    async def main() -> Conversation:
        async with serving(mail) as port:
            return await converse(HERE, port, identify(port))

    service = asyncio.run(main()).service
    assert service is not None
    assert (service.name, service.product) == ("smtp", "Postfix")
    assert service.tls is not None
    assert (service.tls.starttls, service.tls.sha256) == (True, hashlib.sha256(der).hexdigest())


def test_hellos_race_over_real_connections() -> None:
    """A server that takes one request per connection and answers nothing but its own, after a while."""
    seen: list[bytes] = []

    async def memcached(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(200)
        seen.append(request)
        if request == b"version\r\n":
            await asyncio.sleep(SOON)
            writer.write(b"VERSION 1.6.18\r\n")
        await reader.read()

    async def main() -> Conversation:
        async with serving(memcached) as port:
            return await converse(HERE, port, identify(port))

    talk = asyncio.run(main())
    assert talk.service is not None
    assert (talk.service.name, talk.service.version) == ("memcached", "1.6.18")
    assert len(seen) < 20
