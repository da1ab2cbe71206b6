"""The TLS layer: certificates good, odd and hostile, and what a failed handshake still shows."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from probe.core.dialogue import TlsUp
from probe.model import Tls
from probe.services import tls

KEY = ec.generate_private_key(ec.SECP256R1())
START, END = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC), dt.datetime(2034, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def certificate(common_name: str = "web.example", names: list[x509.GeneralName] | None = None) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab CA")]))
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(START)
        .not_valid_after(END)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


GOOD = certificate(names=[x509.DNSName("web.example"), x509.IPAddress(ipaddress.ip_address("198.18.1.10"))])


def test_a_certificate_is_read_whole() -> None:
    assert tls.layer(TlsUp("TLSv1.3", "http/1.1", GOOD)) == Tls(
        version="TLSv1.3",
        alpn="http/1.1",
        subject="CN=web.example",
        issuer="O=Lab CA",
        names=("web.example", "198.18.1.10"),
        not_before="2024-01-02T03:04:05Z",
        not_after="2034-01-02T03:04:05Z",
        sha256=hashlib.sha256(GOOD).hexdigest(),
    )


def test_no_certificate() -> None:
    assert tls.layer(TlsUp("TLSv1.2")) == Tls("TLSv1.2")


def test_what_is_no_certificate_keeps_its_digest() -> None:
    assert tls.layer(TlsUp("TLSv1.2", der=b"junk")) == Tls("TLSv1.2", sha256=hashlib.sha256(b"junk").hexdigest())


def test_hostile_names_are_escaped_and_bounded() -> None:
    names: list[x509.GeneralName] = [x509.DNSName(f"{number}.example") for number in range(500)]
    layer = tls.layer(TlsUp("TLSv1.3", der=certificate("\x1b[31mred\u202e", names)))
    assert layer.subject is not None
    assert layer.subject.isprintable()
    assert "\\x1b[31mred" in layer.subject
    assert len(layer.names) == tls.MOST_NAMES


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255), st.integers(0, 3))
def test_a_damaged_certificate_never_raises(at: int, flip: int, drop: int) -> None:
    der = GOOD[:at] + bytes([GOOD[at] ^ flip]) + GOOD[at + 1 + drop :]
    layer = tls.layer(TlsUp("TLSv1.3", der=der))
    assert layer.sha256 == hashlib.sha256(der).hexdigest()
    assert all(text is None or text.isprintable() for text in (layer.subject, layer.issuer, *layer.names))


def server_hello(version: int, *extensions: tuple[int, bytes]) -> bytes:
    listed = b"".join(kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body for kind, body in extensions)
    body = (
        version.to_bytes(2, "big") + bytes(32) + b"\x04abcd" + b"\x13\x01\x00" + len(listed).to_bytes(2, "big") + listed
    )
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message


def server_flight(der: bytes, cut: int = 16384) -> bytes:
    """What a server of TLS 1.2 says in the clear before it asks for our certificate, in records of `cut` bytes."""
    chain = (len(der).to_bytes(3, "big") + der) * 2
    body = len(chain).to_bytes(3, "big") + chain
    messages = server_hello(0x0303)[5:] + b"\x0b" + len(body).to_bytes(3, "big") + body + b"\x0e\x00\x00\x00"
    parts = [messages[at : at + cut] for at in range(0, len(messages), cut)]
    return b"".join(b"\x16\x03\x03" + len(part).to_bytes(2, "big") + part for part in parts)


@pytest.mark.parametrize("cut", [16384, 1000, 70])
def test_a_failed_handshake_of_old_still_shows_the_certificate(cut: int) -> None:
    assert tls.failed(server_flight(GOOD, cut)) == tls.layer(TlsUp("TLSv1.2", der=GOOD))


@pytest.mark.parametrize("seen", [server_flight(GOOD)[:300], server_flight(b""), server_hello(0x0303) + b"\x16\x03"])
def test_a_certificate_that_is_not_there_whole_is_none(seen: bytes) -> None:
    assert tls.failed(seen) == Tls("TLSv1.2")


def test_who_knows_none_of_our_protocols_says_so() -> None:
    assert tls.refused_alpn(b"\x15\x03\x03\x00\x02\x02\x78")
    assert not tls.refused_alpn(b"\x15\x03\x03\x00\x02\x02\x28")
    assert not tls.refused_alpn(b"\x15\x02\x03\x00\x02\x02\x78")


@pytest.mark.parametrize(
    ("seen", "version"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x28", "unknown"),
        (b"\x15\x03\x03\x00\x02\x01\x00trailing", "unknown"),
        (server_hello(0x0303), "TLSv1.2"),
        (server_hello(0x0301, (0, b"")), "TLSv1"),
        (server_hello(0x0303, (51, b"key"), (43, b"\x03\x04")), "TLSv1.3"),
        (server_hello(0x0303, (43, b"\x7f\x1c")), "unknown"),
        (server_hello(0x0303)[:20], "TLSv1.2"),
    ],
)
def test_a_failed_handshake_is_tls_by_its_first_record(seen: bytes, version: str) -> None:
    assert tls.failed(seen) == Tls(version)


@pytest.mark.parametrize(
    "seen", [b"", b"\x15", b"\x15\x03\x01\x00\x02\x07\x28", b"HTTP/1.1 400", b"\x16\x03\x01\x00\x02\x02\x28"]
)
def test_what_is_no_tls(seen: bytes) -> None:
    assert tls.failed(seen) is None


@given(
    st.binary(max_size=200)
    | st.binary(max_size=120).map(lambda tail: b"\x16\x03\x03\x00\x64\x02\x00\x00\x60" + tail)
    | st.binary(max_size=90).map(lambda tail: server_flight(GOOD)[:75] + tail)
)
def test_any_first_record_never_raises(seen: bytes) -> None:
    tls.failed(seen)
