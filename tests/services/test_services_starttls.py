"""STARTTLS: how each protocol is asked, what counts as agreement, and what nobody who answers can make of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.dialogue import Closed, Connect, Data, Read, Send, Sent, StartTLS, TlsFailed, TlsUp, rehearse
from probe.model import Service, Tls
from probe.services import closer, starttls
from probe.services.identify import identify
from tests.services.fake_server import FakeServer
from tests.services.test_services_tls import GOOD, server_flight

UP = TlsUp("TLSv1.3", der=GOOD)
LDAP_YES = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
MYSQL = b"\x30\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\xff\xff\xff\x02\x00\xff\xc1\x15" + bytes(10)
XMPP_FEATURES = (
    b"<?xml version='1.0'?><stream:stream id='1' xmlns='jabber:client' version='1.0'><stream:features>"
    b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
)
XMPP_ASKED = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
EHLO = b"250-lab\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n"

# greeting, what is asked and answered in this order
TALKS: dict[str, tuple[bytes, list[tuple[bytes, bytes]]]] = {
    "smtp": (b"220 lab ESMTP\r\n", [(b"EHLO probe.invalid\r\n", EHLO), (b"STARTTLS\r\n", b"220 2.0.0 Ready\r\n")]),
    "lmtp": (b"220 lab LMTP\r\n", [(b"LHLO probe.invalid\r\n", EHLO), (b"STARTTLS\r\n", b"220 2.0.0 Ready\r\n")]),
    "managesieve": (b'"STARTTLS"\r\nOK "lab"\r\n', [(b"STARTTLS\r\n", b'OK "Begin TLS negotiation now."\r\n')]),
    "imap": (b"* OK IMAP4rev1 ready\r\n", [(b"a STARTTLS\r\n", b"a OK Begin TLS\r\n")]),
    "pop3": (b"+OK ready\r\n", [(b"STLS\r\n", b"+OK Begin TLS\r\n")]),
    "ftp": (b"220 (vsFTPd 3.0.3)\r\n", [(b"AUTH TLS\r\n", b"234 Proceed\r\n")]),
    "nntp": (b"200 lab InterNetNews\r\n", [(b"STARTTLS\r\n", b"382 Continue\r\n")]),
    "mysql": (MYSQL, [(starttls._MYSQL_REQUEST, b"")]),
    "ldap": (b"", [(starttls._LDAP, LDAP_YES)]),
    "xmpp": (b"", [(starttls._XMPP, XMPP_FEATURES), (XMPP_ASKED, b"<proceed xmlns='x'/>")]),
    "rdp": (b"", [(starttls._RDP, b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00")]),
}  # fmt: skip
NO: dict[str, list[bytes]] = {
    "smtp": [b"250 lab\r\n", b"500 what?\r\n", b"250-STARTTLSX\r\n250 HELP\r\n"],
    "lmtp": [b"250 lab\r\n"],
    "managesieve": [b'NO "TLS"\r\n', b"OKAY\r\n"],
    "imap": [b"a BAD unknown command\r\n", b"a OKAY\r\n", b"* OK a OK\r\n"],
    "pop3": [b"-ERR\r\n"],
    "ftp": [b"530 log in first\r\n", b"504 no\r\n"],
    "nntp": [b"502 no\r\n"],
    "mysql": [],
    "ldap": [LDAP_YES.replace(b"\x0a\x01\x00", b"\x0a\x01\x02"), LDAP_YES[:6], b"\x30\x00"],
    "xmpp": [XMPP_FEATURES.replace(b"xmpp-tls", b"xmpp-sasl"), b"<stream:error/>"],
    "rdp": [b"\x03\x00\x00\x0b\x06\xd0\x00\x00\x12\x34\x00", b"\x03\x00\x00\x13\x0e\xd0" + bytes(13)],
}


def answers(*pairs: tuple[bytes, bytes]) -> Callable[[bytes], bytes | None]:
    known = dict(pairs)
    return lambda request: known.get(request)


def test_every_upgrade_has_a_test() -> None:
    assert set(TALKS) == set(NO) == set(starttls.UPGRADES)


@pytest.mark.parametrize("name", TALKS)
def test_the_certificate_behind_starttls_stands_beside_the_service(name: str) -> None:
    greeting, asked = TALKS[name]
    server = FakeServer(greeting, answers(*asked), tls=UP, tls_after=asked[-1][0])
    found = rehearse(closer.look(Service(name), greeting, b"", "lab.example", secure=False), server.answer)
    assert found.tls is not None
    assert (found.name, found.tls.starttls, found.tls.subject) == (name, True, "CN=web.example")
    assert server.sent == [request for request, _ in asked]
    assert [each.server_name for each in server.commands if isinstance(each, StartTLS)] == ["lab.example"]


@pytest.mark.parametrize(("name", "no"), [(name, no) for name, noes in NO.items() for no in noes])
def test_a_refusal_is_left_at_that(name: str, no: bytes) -> None:
    server = FakeServer(replies=lambda _: no, tls=UP)
    found = rehearse(closer.look(Service(name), TALKS[name][0], b"", None, secure=False), server.answer)
    assert found == Service(name)
    assert not any(isinstance(command, StartTLS) for command in server.commands)


@pytest.mark.parametrize(
    "greeting",
    [MYSQL.replace(b"\xff\xff\xff\x02", b"\xff\xf7\xff\x02"), b"\x10\x00\x00\x00\xff\x6a\x04Host is blocked", b""],
)
def test_a_mysql_server_without_tls_is_not_asked(greeting: bytes) -> None:
    server = FakeServer(tls=UP)
    assert rehearse(closer.look(Service("mysql"), greeting, b"", None, secure=False), server.answer).tls is None
    assert server.commands == []


def test_inside_tls_nobody_is_asked_for_more_of_it() -> None:
    server = FakeServer(replies=answers(*TALKS["imap"][1]), tls=UP)
    service = rehearse(closer.look(Service("imap"), b"* OK\r\n", b"", None, secure=True), server.answer)
    assert service == Service("imap")
    assert server.commands == []


def test_from_greeting_to_certificate() -> None:
    greeting, asked = TALKS["imap"]
    server = FakeServer(greeting, answers(*asked), tls=UP, tls_after=asked[-1][0])
    talk = server.talk(identify(143))
    assert talk.service is not None
    assert talk.service.tls is not None
    assert talk.service.tls.sha256
    assert talk.banner == greeting
    assert server.connects == 1


def test_tls_that_does_not_come_up_still_shows_its_certificate() -> None:
    server = FakeServer(b"+OK\r\n", lambda _: b"+OK\r\n", tls=TlsFailed("handshake failure", server_flight(GOOD)))
    found = rehearse(closer.look(Service("pop3"), b"+OK\r\n", b"", None, secure=False), server.answer)
    assert found.tls is not None
    assert (found.tls.version, found.tls.subject, found.tls.starttls) == ("TLSv1.2", "CN=web.example", True)


def test_agreement_and_then_no_tls_is_no_tls() -> None:
    server = FakeServer(b"+OK\r\n", lambda _: b"+OK\r\n", tls=TlsFailed("no answer in time"))
    found = rehearse(closer.look(Service("pop3"), b"+OK\r\n", b"", None, secure=False), server.answer)
    assert found == Service("pop3")


@pytest.mark.parametrize("name", ["smtp", "ldap"])
def test_who_was_recognised_by_an_answer_is_looked_at_on_a_new_connection(name: str) -> None:
    greeting, asked = TALKS[name]
    server = FakeServer(greeting or None, answers(*asked), tls=UP)
    found = rehearse(closer.look_again(Service(name), None), server.answer)
    assert found.tls is not None
    assert server.commands[0] == Connect()


@pytest.mark.parametrize("greeting", [None, Closed(), b"* OK something else now\r\n"])
def test_who_greets_otherwise_the_second_time_is_left_alone(greeting: bytes | Closed | None) -> None:
    server = FakeServer(greeting, tls=UP)
    assert rehearse(closer.look_again(Service("smtp", "Postfix"), None), server.answer) == Service("smtp", "Postfix")
    assert server.sent == []


@pytest.mark.parametrize("service", [Service("http"), Service("imap", tls=Tls("TLSv1.3")), Service(tls=Tls("unknown"))])
def test_others_are_not_connected_to_again(service: Service) -> None:
    server = FakeServer()
    assert rehearse(closer.look_again(service, None), server.answer) == service
    assert server.commands == []


@given(st.sampled_from(sorted(TALKS)), st.binary(max_size=40), st.lists(st.binary(min_size=1, max_size=60), max_size=8))
def test_any_answers_end_in_the_same_service(name: str, greeting: bytes, said: list[bytes]) -> None:
    events = iter(map(Data, said))

    def answer(command: object) -> object:
        if isinstance(command, Read):
            return next(events, Closed())
        return Sent() if isinstance(command, Send) else TlsFailed("no", b"")

    found = rehearse(closer.look(Service(name), greeting, b"", None, secure=False), answer)  # type: ignore[arg-type]
    assert found == Service(name)
