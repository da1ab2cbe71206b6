"""Every answer that we know of is taken for what it is, by one matcher alone, whole or cut short; nothing raises."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import Service
from probe.services import tunnels
from probe.services.hellos import PLAIN
from probe.services.matchers import MATCHERS, match
from tests.services import fuzz_matchers
from tests.services.answers import ANSWERS, REAL
from tests.services.test_services_matchers import GREETINGS

ALL = [*ANSWERS, *GREETINGS]


def brief(value: object) -> str:
    return repr(value)[:50]


@pytest.mark.parametrize(("data", "service"), ANSWERS, ids=brief)
def test_an_answer_is_taken_for_what_it_is(data: bytes, service: Service) -> None:
    assert match(data) == service


@pytest.mark.parametrize(("data", "service"), ALL, ids=brief)
def test_one_matcher_takes_it_and_no_other(data: bytes, service: Service) -> None:
    names = {f"{matcher.__module__}.{matcher.__name__}" for matcher in MATCHERS if matcher(data)}
    assert len(names) == 1, names


@pytest.mark.parametrize(("data", "service"), ALL, ids=brief)
def test_what_is_cut_short_is_the_same_or_unknown(data: bytes, service: Service) -> None:
    for end in range(min(len(data), 600)):
        cut = match(data[:end])
        assert cut is None or cut.name in _less_than(service.name)


def _less_than(name: str | None) -> set[str | None]:
    """A complaint in HTTP is HTTP until it has come to its point; one of two RPC programs is RPC."""
    if name in ("mongodb", "clickhouse", "hadoop-ipc", "socks5", "tor-control", "ipp"):
        return {name, "http"}
    return {name, "oncrpc"} if name in ("nfs", "mountd") else {name}


@pytest.mark.parametrize(("data", "service"), ANSWERS, ids=brief)
def test_what_is_cut_short_tells_no_wrong_version(data: bytes, service: Service) -> None:
    versions = {cut.version for end in range(min(len(data), 600)) if (cut := match(data[:end]))}
    assert versions <= {None, service.version, *_shorter(service)}


def _shorter(service: Service) -> set[str]:
    """`2.4` of CUPS' header before the page says 2.4.2."""
    return {"2.4"} if service.product == "CUPS" else set()


def test_answers_are_of_many_protocols() -> None:
    assert len({service.name for _, service in REAL}) >= 40
    assert len({service.name for _, service in ALL}) >= 95


def test_hellos_that_may_share_a_connection_are_text() -> None:
    shared = [hello for hello in PLAIN.values() if hello.text]
    assert len(shared) > 10
    assert all(hello.request.isascii() and b"\0" not in hello.request and not hello.more for hello in shared)


@pytest.mark.parametrize("name", PLAIN)
def test_an_echo_of_a_hello_is_nothing(name: str) -> None:
    hello = PLAIN[name]
    assert match(hello.request) is None
    more = hello.more(hello.request) if hello.more else b""
    assert match(hello.request + more) is None


NEAR = [
    b"\x05\x00",  # two bytes that anybody may send
    b"\x05\xff\x00",
    b"OK 1.1.20\n",
    b"UNKNOWN COMMAND\n",
    b"AMQP",
    b"\x20\x02\x00\x00",  # a login that was taken: we never ask for one
    b"\x03\0\0\x0b\x06\xd0\0\0\x12\x34\0",  # an ISO transport, of whatever
    b"\0\0\0\x04\x01\0\0\0\0",  # an acknowledgement of HTTP/2 settings, before any
    b"\0\0\0\x01",
    b"NBDMAGIC",
    b"ceph v1",
    b"250-PROTOCOLINFO",
    b"RTSP/1.0 501 Not Implemented\r\nServer: a web server\r\n\r\n",
    b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>",
    b"\x03" + bytes(3072),  # RTMP repeats what it was sent
    b"ZBXD\x01" + b"\xff" * 8 + b"6.0.14",
    b"p" * 40,
]


@pytest.mark.parametrize("data", NEAR, ids=brief)
def test_nearly_is_not_enough(data: bytes) -> None:
    assert match(data) is None


def test_noise_is_nothing() -> None:
    rng = random.Random(1)
    assert [data for _ in range(4000) if match(data := rng.randbytes(rng.randint(1, 64)))] == []


@given(st.binary(max_size=300))
def test_what_to_say_next_never_raises(data: bytes) -> None:
    for hello in PLAIN.values():
        assert hello.more is None or isinstance(hello.more(data), bytes)


def test_a_second_question_only_follows_its_own_first_answer() -> None:
    assert {name for name, hello in PLAIN.items() if hello.more} == {"oracle-tns", "socks5", "jdwp", "s7comm"}
    assert not any(
        hello.more(data) for hello in PLAIN.values() if hello.more for data in (b"", b"\x05\xff", b"HTTP/1.1 200 OK")
    )
    assert tunnels.socks5_command(b"\x05\x00")[:2] == b"\x05\x7f"  # command 127: nobody has it


LENGTHS = (b"\xff", b"\xff\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x84\xff\xff\xff\xff")


@pytest.mark.parametrize(("data", "service"), ANSWERS, ids=brief)
def test_hostile_lengths_are_survived(data: bytes, service: Service) -> None:
    for at in range(min(len(data), 120)):
        for length in LENGTHS:
            match(data[:at] + length + data[at + len(length) :])


@given(st.sampled_from(ANSWERS), st.data())
def test_mangled_answers_stay_printable(answer: tuple[bytes, Service], draw: st.DataObject) -> None:
    data, _ = answer
    at = draw.draw(st.integers(0, len(data)))
    found = match(data[:at] + draw.draw(st.binary(max_size=20)) + data[at + draw.draw(st.integers(0, 8)) :])
    fields = (found.name, found.product, found.version, found.info) if found else ()
    assert all(text is None or (text.isprintable() and 0 < len(text) <= 200) for text in fields)


def test_mutants_of_all_answers_are_harmless() -> None:
    assert [data for data in fuzz_matchers.mutants(rounds=3000, seed=7) if fuzz_matchers.check(data)] == []
