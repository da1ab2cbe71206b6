"""Keys and a certificate for the servers of one lab, new each time and worth nothing outside of it."""

from __future__ import annotations

import datetime as dt
import os
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_LIFE = dt.timedelta(days=90)


def write_tls(folder: Path, names: list[str], addresses: list[IPv4Address | IPv6Address]) -> dict[str, str]:
    """A self-signed certificate for the names, the first of them its subject; returns the placeholders' values."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives = [*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    return {
        "cert": _write(folder / "cert.pem", certificate.public_bytes(Encoding.PEM)),
        "key": _write(folder / "key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
    }


def write_ssh(folder: Path) -> dict[str, str]:
    """Two host keys; returns the placeholders' values."""
    return {name: _write(folder / name, _ssh_key()) for name in ("ssh_key", "other_ssh_key")}


def _ssh_key() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def _write(path: Path, data: bytes) -> str:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)
    return str(path)
