"""The table as it fills: what it says of a port, that it fits, and that its memory does not grow."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import Conversation, Handshake, PortKey, Service, Tls
from probe.report.live import KEPT, Live, in_words

HOST, NEXT, SIX = "198.18.1.10", "198.18.1.9", "fd18::10"


def key(address: str, port: int) -> PortKey:
    return PortKey(ipaddress.ip_address(address), "tcp", port)


def said(service: Service | None = None, banner: bytes = b"") -> Conversation:
    return Conversation(Handshake.ANSWERED, service, banner)


NGINX = said(Service("http", "nginx", "1.22.1", tls=Tls(version="TLSv1.3")))

conversations = st.builds(
    Conversation,
    st.sampled_from(Handshake),
    st.none() | st.builds(Service, st.none() | st.text(max_size=9), st.none() | st.text(max_size=300)),
    st.binary(max_size=200),
)
keys = st.builds(key, st.sampled_from([HOST, NEXT, SIX]), st.integers(1, 200))
events = st.lists(st.tuples(keys, st.none() | conversations), max_size=120)


def test_by_host_and_port_whatever_came_first() -> None:
    live = Live()
    for address, port in ((HOST, 443), (SIX, 22), (HOST, 80), (NEXT, 25)):
        live.opened(key(address, port), asked=True)
    live.told(key(HOST, 443), NGINX)
    assert live.lines(80, 20) == [
        NEXT,
        "     25  ...",
        HOST,
        "     80  ...",
        "    443  http nginx 1.22.1, TLSv1.3",
        SIX,
        "     22  ...",
    ]
    assert live.talking == 3


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (NGINX, "http nginx 1.22.1, TLSv1.3"),
        (said(Service("ssh")), "ssh"),
        (said(Service(tls=Tls(version="TLSv1.2"))), "TLSv1.2"),
        (said(Service("http", "Sérvice\u202e")), r"http S\xe9rvice\u202e"),
        (said(banner=b"\x1b[2J\x07hi\r\n\xe2\x80\xae"), r'"\x1b[2J\x07hi\r\n\xe2\x80\xae"'),
        (said(banner=b"login: \r\n"), '"login:"'),
        (said(banner=b"x" * 1000), '"' + "x" * 60 + '"'),
        (Conversation(Handshake.MUTE), "says nothing"),
        (Conversation(Handshake.CLOSED), "closes at once"),
        (Conversation(Handshake.RESET), "resets at once"),
        (Conversation(Handshake.FAILED), "no connection"),
        (said(), ""),
    ],
)
def test_what_answers_in_words(talk: Conversation, words: str) -> None:
    assert in_words(talk) == words


def test_the_newest_are_shown_and_the_others_counted() -> None:
    live = Live()
    for port in range(1, 1001):
        live.opened(key(HOST, port), asked=True)
    live.told(key(HOST, 7), NGINX)  # long gone from the list, and newest again
    assert live.lines(80, 6) == [
        HOST,
        "      7  http nginx 1.22.1, TLSv1.3",
        *(f"  {port:>5}  ..." for port in (998, 999, 1000)),
        "  and 996 more",
    ]
    assert live.lines(80, 2) == live.lines(80, 1) == ["1,000 open"]
    assert live.lines(80, 0) == live.lines(80, -3) == []


def test_without_handshakes_there_is_nothing_to_wait_for() -> None:
    live = Live()
    live.opened(key(HOST, 80), asked=False)
    assert live.lines(80, 5) == [HOST, "     80"]
    assert live.talking == 0


def test_nothing_found_takes_no_line() -> None:
    assert Live().lines(80, 20) == []


@given(events, st.integers(0, 90), st.integers(-2, 30))
def test_it_always_fits(events: list[tuple[PortKey, Conversation | None]], columns: int, most: int) -> None:
    live = Live()
    for place, talk in events:
        if talk is None:
            live.opened(place, asked=True)
        else:
            live.told(place, talk)
    lines = live.lines(columns, most)
    assert len(lines) <= max(most, 0)
    assert all(len(line) <= columns and line.isascii() and line.isprintable() for line in lines)


def test_thousands_of_open_ports_take_no_memory() -> None:
    live = Live()
    for port in range(1, 20_001):
        live.opened(key(HOST, port), asked=True)
        live.told(key(HOST, port), NGINX)
    assert len(live._newest) == KEPT
    assert live.lines(80, 3) == [HOST, "  20000  http nginx 1.22.1, TLSv1.3", "  and 19,999 more"]
