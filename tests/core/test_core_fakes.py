"""The fakes are held against scapy: a fake that lies in a way no network does would prove nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.packet import Raw

from probe.core.columns import Bytes
from probe.net.wire import Wire
from tests.core.fake_packets import ACK, RST, SYN, icmp, tcp
from tests.core.fake_wire import FORGERIES, FakeWire, Weather, bad_checksum, scattered_truth
from tests.core.playbook import HOST4, HOST6, Clock, Play


def syns(host: str, ports: list[int]) -> Bytes:
    return Play(host, ports=ports).send(0.0)


hosts = st.sampled_from([HOST4, HOST6])
some_ports = st.lists(st.integers(0, 65535), min_size=1, max_size=5, unique=True)


def rebuilt(data: bytes) -> bytes:
    """The packet with lengths and checksums worked out by scapy."""
    ip = IP(data) if data[0] >> 4 == 4 else IPv6(data)
    for name in ("len", "chksum", "plen"):
        if name in ip.fields:
            delattr(ip, name)
    body = TCP(bytes(ip.payload)) if TCP in ip and ip.payload.name == "TCP" else ip.payload
    for name in ("chksum", "cksum"):
        if name in body.fields:
            delattr(body, name)
    ip.remove_payload()
    rest = bytes(body.payload)
    body.remove_payload()
    return bytes(ip / body / Raw(rest))


@settings(max_examples=40)
@given(hosts, some_ports, st.sampled_from([SYN | ACK, RST | ACK]), st.integers(1, 255))
def test_tcp_answers_are_scapys(host: str, ports: list[int], flags: int, ttl: int) -> None:
    frames = syns(host, ports)
    for frame, row in zip(frames, tcp(frames, flags, ttl=ttl), strict=True):
        data, four = row.tobytes(), host == HOST4
        ours = IP(frame.tobytes()) if four else IPv6(frame.tobytes())
        answer = IP(data) if four else IPv6(data)
        assert (answer.src, answer.dst) == (ours.dst, ours.src)
        assert (answer[TCP].sport, answer[TCP].dport) == (ours[TCP].dport, ours[TCP].sport)
        assert (answer[TCP].ack, int(answer[TCP].flags)) == ((ours[TCP].seq + 1) % 2**32, flags)
        assert (answer.ttl if four else answer.hlim) == ttl
        assert rebuilt(data) == data


@settings(max_examples=20)
@given(hosts, some_ports, st.integers(0, 15))
def test_icmp_errors_are_scapys(host: str, ports: list[int], code: int) -> None:
    frames = syns(host, ports)
    for frame, row in zip(frames, icmp(frames, 3 if host == HOST4 else 1, code), strict=True):
        quoted = Raw(frame.tobytes())
        if host == HOST4:
            around = IP(src="198.18.255.1", dst="198.18.9.9", ttl=62, id=0, flags="DF")
            assert row.tobytes() == bytes(around / ICMP(type=3, code=code) / quoted)
        else:
            around = IPv6(src="fd18:ffff::1", dst="fd18::9:9", hlim=62)
            assert row.tobytes() == bytes(around / ICMPv6DestUnreach(code=code) / quoted)


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: str(forge.__name__))
@pytest.mark.parametrize("host", [HOST4, HOST6])
@pytest.mark.parametrize("flags", [SYN | ACK, RST | ACK])
def test_only_the_bad_checksum_is_bad(forge: object, host: str, flags: int) -> None:
    """A forgery that fails for a second reason would not test the first."""
    assert callable(forge)
    data = forge(syns(host, [80]), flags)[0].tobytes()
    assert (rebuilt(data) == data) is (forge is not bad_checksum)


def test_the_fake_is_a_wire() -> None:
    wire: Wire = FakeWire(scattered_truth, Clock())
    assert wire.receive() is None
    wire.close()


def test_the_weather_is_as_told() -> None:
    """A hundred thousand probes of open ports: what is lost, doubled and late comes out in the promised shares."""
    clock = Clock()
    weather = Weather(syn_loss=0.1, reply_loss=0.2, duplicates=0.25, late=0.1)
    wire = FakeWire(lambda high, low, port: np.zeros(len(port), np.uint8), clock, weather, seed=1)
    play = Play(*(f"198.18.0.{n}" for n in range(1, 3)), ports=range(1, 50001))
    for _, rows in play.scan.frames(play.scan.due(0.0, 100_000), 0.0):
        wire.send(rows)
    clock.now += weather.delay[1]
    prompt = wire.receive()
    clock.now += weather.late_delay
    late = wire.receive()
    assert prompt is not None
    assert late is not None
    assert (len(prompt) + len(late)) / 100_000 == pytest.approx(0.9 * 0.8 * 1.25, abs=0.01)
    assert len(late) / (len(prompt) + len(late)) == pytest.approx(0.1, abs=0.01)


def test_the_truth_is_a_mixture() -> None:
    ports = np.arange(65536, dtype=np.uint64)
    kinds = scattered_truth(np.zeros_like(ports), np.full_like(ports, 0xFFFFC6120001), ports)
    assert (np.bincount(kinds, minlength=4) / 65536).tolist() == pytest.approx([0.2, 0.5, 0.25, 0.05], abs=0.01)
