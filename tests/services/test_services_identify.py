"""The dialogue that names a service: which questions go to whom, in what order, and what the answers come to."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.dialogue import Closed, Connect, Failed, Read, Send, StartTLS, TlsFailed, TlsUp, rehearse
from probe.model import Conversation, Handshake, Service, Tls
from probe.services import hints, likely, stores
from probe.services.hellos import PLAIN
from probe.services.identify import HELLOS, identify
from probe.services.queries import DNS_HELLO
from probe.services.talk import BANNER
from tests.services.fake_server import FakeServer
from tests.services.test_services_matchers import GREETINGS, dns_reply, postgres_error

UP = TlsUp("TLSv1.3")
WEB = TlsUp("TLSv1.3", "http/1.1")
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
RESET, CLOSED = Closed(reset=True), Closed()
S = Service
PAGE = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n\r\nThe plain HTTP request was sent to HTTPS port"
NGINX = Service("http", "nginx", "1.22.1")


def web(request: bytes) -> bytes | None:
    return PAGE if request.startswith(b"GET / HTTP/1.1\r\n") else None


def test_a_greeting_without_a_version_may_be_asked_for_it() -> None:
    greeting, version = b"# munin node at db\n", b"munins node on db version: 2.0.73\n"
    server = FakeServer(greeting=greeting, replies=lambda request: version if request == b"version\n" else None)
    talk = server.talk(identify(7777))
    assert talk == Conversation(Handshake.ANSWERED, Service("munin", "Munin node", "2.0.73", "db"), greeting)
    assert (server.sent, server.connects) == ([b"version\n"], 1)


def bare_name(talk: Conversation) -> str | None:
    return talk.service.name if talk.service else None


@pytest.mark.parametrize("port", [22, 8821, 80, 443, 6379, 9100])
def test_who_greets_is_named_whatever_the_port_and_asked_nothing(port: int) -> None:
    server = FakeServer(greeting=b"RFB 003.008\n")
    assert server.talk(identify(port)) == Conversation(
        Handshake.ANSWERED, Service("vnc", info="RFB 3.8"), b"RFB 003.008\n"
    )
    assert server.sent == []
    assert server.connects == 1


@pytest.mark.parametrize(("noop", "name"), [(b"250 Ok\r\n", "smtp"), (b"200 Ok\r\n", "ftp"), (b"500 ?\r\n", None)])
def test_a_bare_220_is_asked_noop(noop: bytes, name: str | None) -> None:
    server = FakeServer(greeting=b"220 ready\r\n", replies=lambda request: noop)
    talk = server.talk(identify(4982))
    assert (bare_name(talk), talk.handshake, talk.banner) == (name, Handshake.ANSWERED, b"220 ready\r\n")
    assert server.sent[:1] == [b"NOOP\r\n"]


@pytest.mark.parametrize("greeting", [b"login: ", b"\x00\x01\x02", b"x"])
def test_an_unknown_greeting_is_kept_and_not_talked_to(greeting: bytes) -> None:
    server = FakeServer(greeting=greeting)
    assert server.talk(identify(80)) == Conversation(Handshake.ANSWERED, None, greeting)
    assert server.sent == []


def test_http_is_asked_once_with_our_name() -> None:
    server = FakeServer(replies=web)
    assert server.talk(identify(80, "web.example")) == Conversation(Handshake.ANSWERED, NGINX, PAGE)
    (request,) = server.sent
    assert b"\r\nHost: web.example\r\n" in request
    assert b"\r\nUser-Agent: probe/" in request
    assert server.connects == 1


def test_without_a_name_the_host_is_the_address() -> None:
    server = FakeServer(replies=web)
    server.talk(identify(8080))
    assert b"\r\nHost: 198.18.1.10:8080\r\n" in server.sent[0]


def test_a_redirect_is_not_followed() -> None:
    moved = b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\n\r\n"
    server = FakeServer(replies=lambda request: moved)
    assert bare_name(server.talk(identify(80))) == "http"
    assert len(server.sent) == 1


def test_http_is_found_after_tls_failed_on_a_fresh_connection() -> None:
    server = FakeServer(replies=web, tls=TlsFailed("wrong version number", seen=BAD))
    assert server.talk(identify(8443)).service == NGINX
    assert server.connects == 2


def test_http_is_what_an_odd_port_is_asked_first() -> None:
    server = FakeServer(replies=web)
    assert server.talk(identify(7777)).service == NGINX
    assert server.connects == 1


def test_an_answer_to_the_client_hello_is_enough_where_a_request_gets_none() -> None:
    server = FakeServer(tls=TlsFailed("wrong version number", seen=BAD))
    talk = server.talk(identify(7777))
    assert talk == Conversation(Handshake.ANSWERED, NGINX, BAD)


def test_a_greeting_that_comes_late_counts() -> None:
    late = b"220 mail.example.org ESMTP Postfix\r\n"
    server = FakeServer(tls=TlsFailed("wrong version number", seen=late))
    assert server.talk(identify(7777)) == Conversation(Handshake.ANSWERED, Service("smtp", "Postfix"), late)


def test_https_is_http_with_a_layer() -> None:
    server = FakeServer(tls=WEB, inside=FakeServer(replies=web))
    talk = server.talk(identify(8443, "web.example"))
    assert talk == Conversation(
        Handshake.ANSWERED, Service("http", "nginx", "1.22.1", tls=Tls("TLSv1.3", "http/1.1")), PAGE
    )
    assert StartTLS("web.example", ("http/1.1",), hints.TLS) in server.commands


def test_plain_http_refused_by_a_tls_server_is_not_http_without_tls() -> None:
    server = FakeServer(replies=lambda request: BAD, tls=UP, inside=FakeServer(replies=web))
    talk = server.talk(identify(80))
    assert talk.service == Service("http", "nginx", "1.22.1", tls=Tls("TLSv1.3"))


def test_a_400_without_tls_behind_it_is_http() -> None:
    server = FakeServer(replies=lambda request: BAD)
    assert server.talk(identify(80)).service == NGINX


def test_inside_tls_a_greeting_is_waited_for() -> None:
    greeting = b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n"
    server = FakeServer(tls=UP, inside=FakeServer(greeting=greeting))
    talk = server.talk(identify(993))
    assert talk == Conversation(Handshake.ANSWERED, Service("imap", "Dovecot", tls=Tls("TLSv1.3")), greeting)
    assert server.sent == []


@pytest.mark.parametrize("inside", [None, FakeServer(greeting=CLOSED), FakeServer(greeting=RESET)])
def test_tls_alone(inside: FakeServer | None) -> None:
    talk = FakeServer(tls=UP, inside=inside).talk(identify(8883))
    assert talk == Conversation(Handshake.ANSWERED, Service(tls=Tls("TLSv1.3")), b"")


def test_tls_that_wants_something_of_us_is_tls() -> None:
    server = FakeServer(tls=TlsFailed("handshake failure", seen=ALERT, closed=CLOSED))
    talk = server.talk(identify(443))
    assert talk == Conversation(Handshake.ANSWERED, Service(tls=Tls("unknown")), b"")
    assert [command.alpn for command in server.commands if isinstance(command, StartTLS)] == [("http/1.1",), ()]


def test_a_server_of_http_2_alone_is_http() -> None:
    """It refuses HTTP/1.1 by an alert of its own, and takes h2."""
    server = FakeServer(tls=TlsFailed("no application protocol", seen=b"\x15\x03\x03\x00\x02\x02\x78", closed=CLOSED))

    def answer(command: object) -> object:
        if isinstance(command, StartTLS) and command.alpn == ("h2",):
            return TlsUp("TLSv1.3", "h2")
        return server.answer(command)  # type: ignore[arg-type]

    talk = rehearse(identify(443), answer)  # type: ignore[arg-type]
    assert talk.service == Service("http", info="HTTP/2", tls=Tls("TLSv1.3", "h2"))


def test_dns_inside_tls() -> None:
    server = FakeServer(tls=UP, inside=FakeServer(replies=lambda request: dns_reply(b"unbound 1.17.1")))
    assert server.talk(identify(853)).service == Service("dns", "Unbound", "1.17.1", tls=Tls("TLSv1.3"))


@pytest.mark.parametrize("port", [6379, 7777])
def test_redis(port: int) -> None:
    reply = b"+PONG\r\n$40\r\n# Server\r\nredis_version:7.0.15\r\n"
    server = FakeServer(replies=lambda request: reply if request == stores.REDIS_HELLO else RESET)
    assert server.talk(identify(port)) == Conversation(Handshake.ANSWERED, Service("redis", "Redis", "7.0.15"), reply)


COMPLAINTS = {
    stores.REDIS_HELLO: (
        b"-ERR wrong number of arguments for 'get' command\r\n",
        b"+PONG\r\n$9\r\n# Server\r\nredis_version:7.0.15\r\n",
    ),
    PLAIN["beanstalkd"].request: (
        b"UNKNOWN_COMMAND\r\n",
        b'OK 49\r\n---\ncurrent-jobs-urgent: 0\nversion: "1.12"\n\r\n',
    ),
    PLAIN["nut"].request: (b"ERR INVALID-ARGUMENT\nERR UNKNOWN-COMMAND\n", b"Network UPS Tools upsd 2.8.0 - https\n"),
}


@pytest.mark.parametrize("hello", COMPLAINTS)
@pytest.mark.parametrize("secure", [False, True])
def test_who_complains_about_a_web_request_is_asked_in_its_own_words(hello: bytes, secure: bool) -> None:
    complaint, answer = COMPLAINTS[hello]
    server = FakeServer(
        replies=lambda request: answer if request == hello else complaint if request[:3] == b"GET" else None
    )
    talk = (FakeServer(tls=UP, inside=server) if secure else server).talk(identify(7777))
    assert talk.service
    assert talk.service.version in {"7.0.15", "1.12", "2.8.0"}
    assert talk.service.tls == (Tls("TLSv1.3") if secure else None)
    assert talk.banner == answer


@pytest.mark.parametrize(
    ("lhlo", "service"), [(b"250-a\r\n250 8BITMIME\r\n", S("lmtp", "Dovecot")), (b"500 What?\r\n", S("smtp"))]
)
def test_who_refuses_ehlo_and_takes_lhlo_is_lmtp(lhlo: bytes, service: Service) -> None:
    answers = {b"NOOP": b"250 2.0.0 OK\r\n", b"EHLO": b"500 5.5.1 Unknown command\r\n", b"LHLO": lhlo}
    server = FakeServer(greeting=b"220 a.example Dovecot (Debian) ready.\r\n", replies=lambda it: answers.get(it[:4]))
    assert server.talk(identify(7777)).service == service


PAGES = {
    b"/api/v1/status/buildinfo": (
        b'HTTP/1.1 302 Found\r\nLocation: /graph\r\n\r\n<a href="/graph">Found</a>.\n\n',
        b'{"status":"success","data":{"version":"2.42.0","buildUser":"x","goVersion":"go1.19.8"}}',
        S("http", "Prometheus", "2.42.0"),
    ),
    b"/version": (
        b"HTTP/1.1 404 Not Found\r\nAccess-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n\r\n404\n",
        b'{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}',
        S("http", "etcd", "3.4.23"),
    ),
    b"/api/health": (
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n",
        b'{\n  "commit": "1234",\n  "database": "ok",\n  "version": "9.3.2"\n}',
        S("http", "Grafana", "9.3.2"),
    ),
    b"/nothing": (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", b"", S("http")),
}


@pytest.mark.parametrize("path", PAGES)
def test_a_web_server_that_says_little_is_asked_for_the_page_of_its_version(path: bytes) -> None:
    root, page, service = PAGES[path]
    pages = {b"/": root, path: b"HTTP/1.1 200 OK\r\n\r\n" + page}
    missing = b"HTTP/1.1 404 Not Found\r\n\r\n"
    server = FakeServer(
        replies=lambda request: pages.get(request.split()[1], missing) if request[:3] == b"GET" else None
    )
    assert server.talk(identify(7777)).service == service
    assert {request.split()[0] for request in server.sent} == {b"GET"}


@pytest.mark.parametrize("port", [5432, 7777])
@pytest.mark.parametrize("ssl", [b"N", b"S"])
def test_postgresql(port: int, ssl: bytes) -> None:
    error = postgres_error(b"SFATAL", b"VFATAL", b"C0A000", b"Munsupported frontend protocol 65535.0")
    answers = {stores.POSTGRES_SSL: ssl, stores.POSTGRES_HELLO: error}
    server = FakeServer(replies=lambda request: answers.get(request, CLOSED), tls=UP, tls_after=stores.POSTGRES_SSL)
    talk = server.talk(identify(port))
    assert talk.service == Service(
        "postgresql", "PostgreSQL", tls=Tls("TLSv1.3", starttls=True) if ssl == b"S" else None
    )
    assert talk.banner == error


@pytest.mark.parametrize("byte", [b"N", b"S", b"E"])
def test_one_byte_to_an_ssl_request_is_no_postgresql(byte: bytes) -> None:
    server = FakeServer(replies=lambda request: byte if request == stores.POSTGRES_SSL else None)
    talk = server.talk(identify(5432))
    assert (talk.handshake, talk.service, talk.banner) == (Handshake.ANSWERED, None, byte)


def test_an_echo_service_is_nothing_that_we_know() -> None:
    talk = FakeServer(replies=lambda request: request).talk(identify(7))
    assert (talk.handshake, talk.service) == (Handshake.ANSWERED, None)


@pytest.mark.parametrize("port", sorted(hints.PRINTERS))
def test_printers_get_no_payload_at_all(port: int) -> None:
    server = FakeServer()
    assert server.talk(identify(port)) == Conversation(Handshake.MUTE)
    assert server.commands == [Connect(), Read(hints.GREETING, BANNER)]


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2p1\r\n", b"220 ready\r\n", b"220 lab ESMTP Postfix\r\n"])
def test_printers_get_no_payload_even_if_they_speak(greeting: bytes) -> None:
    server = FakeServer(greeting=greeting)
    assert server.talk(identify(9100)).handshake is Handshake.ANSWERED
    assert server.sent == []


def test_mute() -> None:
    server = FakeServer()
    assert server.talk(identify(7777)) == Conversation(Handshake.MUTE)
    assert server.connects == len(HELLOS) - len(likely.ONLY_AT_HOME)


@pytest.mark.parametrize(("end", "handshake"), [(CLOSED, Handshake.CLOSED), (RESET, Handshake.RESET)])
def test_ended_before_any_byte(end: Closed, handshake: Handshake) -> None:
    server = FakeServer(greeting=end)
    assert server.talk(identify(80)) == Conversation(handshake)
    assert server.connects == 1


@pytest.mark.parametrize(("end", "handshake"), [(CLOSED, Handshake.CLOSED), (RESET, Handshake.RESET)])
def test_ended_at_every_hello(end: Closed, handshake: Handshake) -> None:
    server = FakeServer(replies=lambda request: end, tls=TlsFailed("ended", closed=end))
    assert server.talk(identify(80)) == Conversation(handshake)


def test_ended_at_some_hellos_but_stood_at_another_is_mute() -> None:
    server = FakeServer(replies=lambda request: None if request == DNS_HELLO else CLOSED)
    assert server.talk(identify(7777)) == Conversation(Handshake.MUTE)


def test_no_connection_at_all() -> None:
    assert FakeServer(connections=0).talk(identify(80)) == Conversation(Handshake.FAILED, errno="ECONNREFUSED")


def test_a_server_of_one_connection_is_asked_no_more() -> None:
    server = FakeServer(connections=1)
    assert server.talk(identify(7777)) == Conversation(Handshake.MUTE)
    assert server.connects == 2


def test_banner_is_capped() -> None:
    talk = FakeServer(greeting=b"220 " + b"a" * 100_000, cut=lambda data: [data[:3000], data[3000:]]).talk(identify(1))
    assert len(talk.banner) == BANNER


@given(st.sampled_from([each for each in GREETINGS if len(each[0]) > 1]), st.lists(st.integers(1, 99), max_size=6))
def test_any_split_gives_the_same_service(greeting: tuple[bytes, Service], cuts: list[int]) -> None:
    data, service = greeting
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[start:end] for start, end in pairwise(edges)]
    talk = FakeServer(greeting=data, cut=lambda _: parts).talk(identify(7777))
    assert (talk.service, talk.banner) == (service, data)


EVENTS = st.sampled_from(
    [
        Closed(), Closed(reset=True), Failed("EIO"), UP, WEB, TlsUp("TLSv1.2", der=b"no certificate"),
        TlsFailed("x"), TlsFailed("x", ALERT), TlsFailed("x", PAGE, CLOSED),
    ]
)  # fmt: skip


@given(st.integers(1, 65535) | st.sampled_from([22, 80, 443, 853, 5432, 6379]), st.data())
def test_any_events_in_any_order_end_in_a_conversation(port: int, draw: st.DataObject) -> None:
    """A driver never sends such events; a dialogue must not depend on that to end."""
    server, first = FakeServer(replies=lambda request: draw.draw(st.binary(max_size=20)) or None), True

    def answer(command: object) -> object:
        nonlocal first
        usual = server.answer(command)  # type: ignore[arg-type]
        if first or draw.draw(st.booleans()):
            first = False
            return usual
        return draw.draw(EVENTS)

    assert isinstance(rehearse(identify(port), answer), Conversation)  # type: ignore[arg-type]


def test_every_hello_that_a_hint_names_exists() -> None:
    assert set(likely.GENERAL + likely.REST) | likely.ONLY_AT_HOME == set(HELLOS)
    for port in {7777, *likely.FIRST, *likely.INSIDE_TLS}:
        assert set(hints.hellos(port)) | set(hints.hellos_inside_tls(port)) <= set(HELLOS)


@pytest.mark.parametrize("port", [7777, *likely.FIRST])
def test_tiers_name_each_hello_once_and_leave_none_out(port: int) -> None:
    first, general, rest = hints.tiers(port)
    assert len({*first, *general, *rest}) == len(first + general + rest)
    assert {*first, *general, *rest} | likely.ONLY_AT_HOME == set(HELLOS)
    assert not set(general + rest) & likely.ONLY_AT_HOME


def test_no_hello_logs_in_or_writes() -> None:
    server = FakeServer()
    server.talk(identify(7777))
    sent = {command.data for command in server.commands if isinstance(command, Send)}
    at_home = {PLAIN[name].request for name in likely.ONLY_AT_HOME}
    plain = {hello.request for hello in PLAIN.values()} - at_home
    assert plain <= sent
    assert all(each == stores.POSTGRES_SSL or each.startswith(b"GET / HTTP/1.1\r\n") for each in sent - plain)
