"""SSH host keys: proven by signature for every method and type, and never taken from whoever only shows them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from probe.core.dialogue import Closed, Data, Read, Sent, rehearse
from probe.model import HostKey, Service
from probe.services import ssh_exchange, ssh_key
from probe.services.identify import identify
from probe.services.ssh_wire import Fields, MalformedError, mpint, packet, string
from tests.services.fake_server import FakeServer
from tests.services.ssh_server import ED25519, GREETING, PrivateKey, SshServer, public_blob

NONCE = bytes(range(32))
RSA = rsa.generate_private_key(65537, 2048)
KEYS: list[tuple[str, PrivateKey, str]] = [
    ("ssh-ed25519", ED25519, "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", ec.derive_private_key(7, ec.SECP256R1()), "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", ec.derive_private_key(7, ec.SECP384R1()), "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", ec.derive_private_key(7, ec.SECP521R1()), "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", RSA, "ssh-rsa"),
    ("rsa-sha2-256", RSA, "ssh-rsa"),
    ("ssh-rsa", RSA, "ssh-rsa"),
]


def print_of(key: PrivateKey) -> str:
    digest = base64.b64encode(hashlib.sha256(public_blob(key)).digest()).decode()
    return f"SHA256:{digest}".rstrip("=")


def whole(data: bytes) -> list[bytes]:
    return [data]


def look(server: SshServer, cut: Callable[[bytes], Iterable[bytes]] = whole) -> HostKey | None:
    fake = FakeServer(replies=server, cut=cut)
    return rehearse(ssh_key.host_key(server.greeting, NONCE), fake.answer)


@pytest.mark.parametrize("method", ssh_exchange.METHODS)
def test_every_method_proves_the_key(method: str) -> None:
    assert look(SshServer(method=method)) == HostKey("ssh-ed25519", print_of(ED25519))


@pytest.mark.parametrize(("algorithm", "key", "kind"), KEYS, ids=[name for name, _, _ in KEYS])
def test_every_type_of_key(algorithm: str, key: PrivateKey, kind: str) -> None:
    assert look(SshServer(key, algorithm)) == HostKey(kind, print_of(key))


def test_the_identification_names_the_key() -> None:
    fake = FakeServer(greeting=GREETING, replies=SshServer())
    service = fake.talk(identify(8821)).service
    assert service == Service("ssh", "lab", "1.0", "test", key=HostKey("ssh-ed25519", print_of(ED25519)))
    assert fake.connects == 1


def test_a_late_greeting_is_looked_at_on_a_connection_of_its_own() -> None:
    """It came after our first hello, which is no way to begin with SSH; the next connection is greeted in time."""
    fake, ssh = FakeServer(), SshServer()

    def first_late(request: bytes) -> bytes:
        fake.greeting, fake.replies = GREETING, ssh
        return GREETING

    fake.replies = first_late
    service = fake.talk(identify(80)).service
    assert service is not None
    assert service.key == HostKey("ssh-ed25519", print_of(ED25519))
    assert fake.connects == 2


def test_nothing_is_said_but_the_exchange() -> None:
    server = SshServer()
    look(server)
    identity, _, rest = server.heard.partition(b"\r\n")
    assert identity == ssh_key._IDENTITY
    first = int.from_bytes(rest[:4], "big") + 4
    assert [rest[5], rest[first + 5]] == [20, 30]
    assert len(rest) == first + int.from_bytes(rest[first : first + 4], "big") + 4


def test_lines_before_the_identification_and_packets_with_it() -> None:
    server = SshServer(greeting=b"Welcome\r\nto the lab\r\nSSH-2.0-lab\r\n")
    server.before = packet(b"\x02ignore me") + packet(b"\x04\x00debug")
    assert look(server) == HostKey("ssh-ed25519", print_of(ED25519))


def test_who_shows_the_key_of_another_has_proven_nothing() -> None:
    thief = ed25519.Ed25519PrivateKey.from_private_bytes(b"thief" + bytes(27))
    assert look(SshServer(thief, shown=ED25519)) is None


def test_a_recorded_answer_proves_nothing_to_another_nonce() -> None:
    server, record = SshServer(), list[bytes]()

    def recording(request: bytes) -> bytes | None:
        reply = server(request)
        record.append(reply or b"")
        return reply

    assert rehearse(ssh_key.host_key(GREETING, NONCE), FakeServer(replies=recording).answer) is not None
    for nonce, proven in ((NONCE, True), (b"another nonce", False)):
        answers = iter(record)
        fake = FakeServer(replies=lambda _, answers=answers: next(answers, None))  # type: ignore[misc]
        assert (rehearse(ssh_key.host_key(GREETING, nonce), fake.answer) is not None) is proven


@given(st.integers(0, 500), st.integers(1, 255))
def test_one_wrong_byte_is_enough(at: int, flip: int) -> None:
    def spoil(payload: bytes) -> bytes:
        place = at % len(payload)
        return payload[:place] + bytes([payload[place] ^ flip]) + payload[place + 1 :]

    assert look(SshServer(spoil=spoil)) is None


@given(st.lists(st.integers(0, 400), max_size=8))
def test_how_tcp_cuts_the_bytes_does_not_matter(cuts: list[int]) -> None:
    def cut(data: bytes) -> Iterable[bytes]:
        edges = sorted({0, len(data), *(each for each in cuts if each < len(data))})
        return [data[start:end] for start, end in pairwise(edges)]

    assert look(SshServer(), cut) is not None


@pytest.mark.parametrize(
    "server",
    [
        SshServer(method="diffie-hellman-group18-sha512"),
        SshServer(host_keys="ssh-dss"),
        SshServer(greeting=b"SSH-1.5-old\r\n"),
        SshServer(greeting=b"SSH-2.0-no end of line"),
        SshServer(before=packet(b"\x02") * 20),
        SshServer(before=(1 << 31).to_bytes(4, "big")),
        SshServer(before=bytes(4)),
        SshServer(before=packet(b"\x01\x00\x00\x00\x02") + bytes(4)),
        SshServer(spoil=lambda payload: b""),
        SshServer(spoil=lambda payload: payload[:40]),
        SshServer(spoil=lambda payload: b"\x1f\xff\xff\xff\xff"),
    ],
)
def test_what_cannot_be_proven_is_not_told(server: SshServer) -> None:
    assert look(server) is None


@pytest.mark.parametrize("number", [0, 1, ssh_exchange.modp_prime(2048, 124476) - 1, -1, 1 << 3000])
def test_a_value_outside_of_the_group_is_refused(number: int) -> None:
    value = mpint(number) if number >= 0 else string(b"\xff")
    with pytest.raises(MalformedError):
        ssh_exchange.start("diffie-hellman-group14-sha256", NONCE).share(Fields(value))


@given(st.lists(st.binary(max_size=60) | st.just(b"SSH-2.0-x\r\n"), max_size=6), st.binary(max_size=80))
def test_any_bytes_end_without_a_key(answers: list[bytes], greeting: bytes) -> None:
    events = iter([Data(answer) for answer in answers if answer])

    def answer(command: object) -> Data | Sent | Closed:
        return next(events, Closed()) if isinstance(command, Read) else Sent()

    assert rehearse(ssh_key.host_key(b"SSH-2.0-x\r\n" + greeting, NONCE), answer) is None


@pytest.mark.parametrize(("bits", "offset"), [(1024, 129093), (2048, 124476), (4096, 240904)])
def test_the_groups_are_those_of_the_rfcs(bits: int, offset: int) -> None:
    """Safe primes with 64 ones at either end, in which 2 generates the squares (RFC 2412, appendix E)."""
    prime = ssh_exchange.modp_prime(bits, offset)
    half = (prime - 1) // 2
    assert prime.bit_length() == bits
    assert prime >> (bits - 64) == prime & (1 << 64) - 1 == (1 << 64) - 1
    assert pow(2, half, prime) == 1
    assert pow(3, half - 1, half) == 1


def test_numbers_as_rfc_4251_shows_them() -> None:
    assert mpint(0) == bytes(4)
    assert mpint(0x9A378F9B2E332A7) == b"\x00\x00\x00\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7"
    assert mpint(0x80) == b"\x00\x00\x00\x02\x00\x80"
