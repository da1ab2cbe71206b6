"""The scripted host's packets, held against scapy and against what they shall be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, IPerror, TCPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment

from tests.cases.packets import read_syn
from tests.cases.responder import ROUTER, Responder
from tests.cases.script import CaseError, read_host, read_steps

US, HOST = {4: "198.18.0.10", 6: "fd18::10"}, {4: "198.19.0.10", 6: "fd18:9::10"}
OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (99, 0)), ("NOP", None), ("WScale", 7)]
both = pytest.mark.parametrize("version", [4, 6])


def syn(version: int, *, seq: int = 1000, tos: int = 0, sport: int = 40000, options: list[Any] = OPTIONS) -> bytes:
    """A SYN to port 80 as scapy makes it."""
    tcp = TCP(sport=sport, dport=80, seq=seq, flags="S", options=options)
    if version == 4:
        return bytes(IP(src=US[4], dst=HOST[4], tos=tos) / tcp)
    return bytes(IPv6(src=US[6], dst=HOST[6], tc=tos) / tcp)


def heard(version: int, steps: object, packet: bytes | None = None) -> list[Any]:
    """The answers to one SYN, dissected; every checksum that scapy would have written otherwise is an error."""
    answers = Responder(read_host({80: steps})).hear(packet or syn(version), 0.0)
    return [(IP if version == 4 else IPv6)(data) for _, data in answers]


def rebuilt(packet: Any) -> bytes:
    """The packet with its checksums made anew."""
    again = packet.copy()
    layer = again
    while layer:
        for name in ("chksum", "cksum"):
            if name in layer.fields:
                layer.delfieldval(name)  # a mere `del` would leave the bytes cached
        layer = layer.payload
    return bytes(again)


@both
def test_an_open_port_answers_as_a_kernel_does(version: int) -> None:
    (answer,) = heard(version, "open", syn(version, seq=0xFFFFFFFF, tos=0x20))
    assert bytes(answer) == rebuilt(answer)
    assert (answer.src, answer.dst) == (HOST[version], US[version])
    tcp = answer[TCP]
    assert (tcp.sport, tcp.dport, tcp.ack, str(tcp.flags)) == (80, 40000, 0, "SA")
    assert dict(tcp.options)["Timestamp"][1] == 99
    assert (answer.tos if version == 4 else answer.tc) == 0


@both
def test_a_closed_port_echoes_the_tos(version: int) -> None:
    (answer,) = heard(version, "closed", syn(version, tos=0xB8))
    assert bytes(answer) == rebuilt(answer)
    assert (answer[TCP].ack, answer[TCP].seq, answer[TCP].window, str(answer[TCP].flags)) == (1001, 0, 0, "RA")
    assert (answer.tos if version == 4 else answer.tc) == 0xB8


def test_only_the_asked_for_is_bent() -> None:
    (answer,) = heard(4, [{"tcp": "SA", "bad_checksum": True}])
    assert bytes(answer) != rebuilt(answer)
    assert IP(rebuilt(answer))[IP].chksum == answer.chksum
    (answer,) = heard(4, [{"tcp": "RA", "ack": -1}])
    assert (bytes(answer), answer[TCP].ack) == (rebuilt(answer), 1000)


@both
def test_an_error_quotes_our_packet(version: int) -> None:
    ours = syn(version)
    (answer,) = heard(version, [{"icmp": "admin-prohibited"}], ours)
    assert bytes(answer) == rebuilt(answer)
    assert bytes(answer).endswith(ours)
    assert (IP if version == 4 else IPv6)(bytes(answer)).src not in (HOST[version], US[version])
    if version == 4:
        assert (answer[ICMP].type, answer[ICMP].code, answer[TCPerror].seq) == (3, 13, 1000)
        assert answer[IPerror].dst == HOST[4]
    else:
        assert (answer[ICMPv6DestUnreach].code, answer[TCPerror].seq) == (1, 1000)


def test_a_quote_can_lie_and_be_short() -> None:
    (answer,) = heard(4, [{"icmp": "port-unreach", "source": "host", "quote": {"seq": 5, "dport": 2, "bytes": 28}}])
    assert (answer.src, answer[TCPerror].seq, answer[TCPerror].dport) == (HOST[4], 1005, 82)
    assert answer.len == 20 + 8 + 28


def test_fragments_join_to_the_whole() -> None:
    whole = bytes(heard(4, "open")[0])[20:]
    parts = heard(4, [{"tcp": "SA", "cuts": [[0, 24], [24, 40]]}])
    assert [(part.frag, "MF" in part.flags) for part in parts] == [(0, True), (3, False)]
    assert b"".join(bytes(part)[20:] for part in parts) == whole
    parts = heard(6, [{"tcp": "SA", "cuts": [[24, 40], [0, 24]]}])
    assert [(p[IPv6ExtHdrFragment].offset, p[IPv6ExtHdrFragment].m) for p in parts] == [(3, 0), (0, 1)]


def test_headers_between() -> None:
    (answer,) = heard(6, [{"tcp": "SA", "extension": "00 01 04 00 00 00 00"}])
    assert answer[IPv6ExtHdrDestOpt].nh == 6
    assert bytes(answer) == rebuilt(answer)
    (answer,) = heard(4, [{"tcp": "RA", "ip_options": "01010100"}])
    assert (answer.ihl, answer[TCP].ack) == (6, 1001)


def test_each_tuple_has_its_own_tries() -> None:
    host = Responder(read_host({80: [{"tcp": "SA", "tries": [2]}]}))
    assert [len(host.hear(syn(4, sport=port), 0.0)) for port in (1, 1, 2, 1, 2)] == [0, 1, 0, 0, 1]


def test_a_queue_makes_answers_late() -> None:
    host = Responder(read_host({"answers_per_second": 10, 80: "open"}))
    delays = [host.hear(syn(4), now)[0][0] for now in (5.0, 5.0, 5.05, 9.0)]
    assert delays == pytest.approx([0.1, 0.2, 0.25, 0.1])


def test_other_packets_get_no_answer() -> None:
    host = Responder(read_host({80: "open"}))
    for flags in ("A", "SA", "R", "FA"):
        assert host.hear(bytes(IP(src=US[4], dst=HOST[4]) / TCP(dport=80, flags=flags)), 0.0) == []


@given(st.binary(max_size=120), st.sampled_from([b"", syn(4)[:1], syn(6)[:1]]))
def test_noise_is_no_syn_or_a_whole_one(noise: bytes, start: bytes) -> None:
    packet = start + noise
    found = read_syn(packet)
    assert found is None or found.packet == packet


@given(st.lists(st.sampled_from(["MSS", "SAckOK", "NOP", "Timestamp"]), max_size=6), st.integers(0, 2**32 - 1))
def test_the_timestamp_is_found_among_the_options(kinds: list[str], value: int) -> None:
    values: dict[str, Any] = {"MSS": 1460, "SAckOK": b"", "NOP": None, "Timestamp": (value, 0)}
    options = [(kind, values[kind]) for kind in dict.fromkeys(kinds)]
    found = read_syn(syn(4, options=options))
    assert found is not None
    assert found.timestamp == (value if "Timestamp" in kinds else None)


@pytest.mark.parametrize(
    "steps",
    [
        "opened",
        [{"tcp": "SX"}],
        [{"tcp": "S", "icmp": "net-unreach"}],
        [{}],
        [{"icmp": "nope"}],
        [{"tcp": "S", "x": 1}],
    ],
)
def test_what_cannot_be_meant_is_an_error(steps: object) -> None:
    with pytest.raises(CaseError):
        read_steps(steps)


def test_errors_come_from_a_router_beyond() -> None:
    assert heard(4, [{"icmp": "net-unreach"}])[0].src == ".".join(map(str, ROUTER[4]))
