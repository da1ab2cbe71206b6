"""The key exchange of SSH, our half: methods, the secret that both sides share, and the server's signature over it all.

The signature is what makes a host key an identity: anybody can send the key of somebody else. It covers both sides'
fresh values, so it cannot be recorded and played again. Nothing is encrypted with the secret, and nobody logs in.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from probe.services.ssh_wire import Fields, MalformedError, mpint, string

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

# In the order of preference: a server with several host keys shows the first of these types that it has.
HOST_KEYS = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa",
)  # fmt: skip


class Exchange(Struct, frozen=True):
    """One method under way: what we send, how it and the answer are written into the hash, and what they make."""

    hash: str
    public: bytes
    """Our public value, as it stands in the message and in the hash."""
    share: Callable[[Fields], tuple[bytes, int]]
    """Reads the server's public value: as it stands in the hash, and the shared secret."""


def start(method: str, nonce: bytes) -> Exchange:
    """Our half of a method of METHODS. `nonce` is what is random in it."""
    return METHODS[method](nonce)


def _curve25519(nonce: bytes) -> Exchange:
    """RFC 8731."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    private = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"x25519" + nonce).digest())

    def share(fields: Fields) -> tuple[bytes, int]:
        theirs = fields.string()
        secret = private.exchange(X25519PublicKey.from_public_bytes(theirs))
        return string(theirs), int.from_bytes(secret, "big")

    return Exchange("sha256", string(private.public_key().public_bytes_raw()), share)


def _nist(bits: int, hash_name: str) -> Callable[[bytes], Exchange]:
    """RFC 5656, section 4."""

    def begin(nonce: bytes) -> Exchange:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        curves: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
        curve = curves[bits]
        number = int.from_bytes(hashlib.sha256(b"nist" + nonce).digest(), "big")
        private = ec.derive_private_key(number >> 1 or 1, curve)  # 255 bits: below the order of every curve
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

        def share(fields: Fields) -> tuple[bytes, int]:
            theirs = fields.string()
            secret = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, theirs))
            return string(theirs), int.from_bytes(secret, "big")

        return Exchange(hash_name, string(point), share)

    return begin


def _modp(bits: int, offset: int, hash_name: str) -> Callable[[bytes], Exchange]:
    """RFC 4253, section 8, over the groups of RFC 2409 and RFC 3526; the generator is 2."""

    def begin(nonce: bytes) -> Exchange:
        prime, secret = modp_prime(bits, offset), int.from_bytes(hashlib.sha512(b"modp" + nonce).digest(), "big")

        def share(fields: Fields) -> tuple[bytes, int]:
            theirs = fields.mpint()
            if not 1 < theirs < prime - 1:
                raise MalformedError
            return mpint(theirs), pow(theirs, secret, prime)

        return Exchange(hash_name, mpint(pow(2, secret, prime)), share)

    return begin


@cache
def modp_prime(bits: int, offset: int) -> int:
    """RFC 3526: 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + offset)."""
    spare = 64  # bits below the ones that are wanted, for the errors of the series
    one = 1 << (bits - 130 + spare)
    pi = 4 * (4 * _arc_cotangent(5, one) - _arc_cotangent(239, one)) >> spare  # Machin
    return (1 << bits) - (1 << (bits - 64)) - 1 + ((pi + offset) << 64)


def _arc_cotangent(number: int, one: int) -> int:
    total, power, divisor = 0, one // number, 1
    while power:
        total += power // divisor if divisor % 4 == 1 else -(power // divisor)
        power //= number * number
        divisor += 2
    return total


METHODS: dict[str, Callable[[bytes], Exchange]] = {
    "curve25519-sha256": _curve25519,
    "curve25519-sha256@libssh.org": _curve25519,
    "ecdh-sha2-nistp256": _nist(256, "sha256"),
    "ecdh-sha2-nistp384": _nist(384, "sha384"),
    "ecdh-sha2-nistp521": _nist(521, "sha512"),
    "diffie-hellman-group14-sha256": _modp(2048, 124476, "sha256"),
    "diffie-hellman-group16-sha512": _modp(4096, 240904, "sha512"),
    "diffie-hellman-group14-sha1": _modp(2048, 124476, "sha1"),
    "diffie-hellman-group1-sha1": _modp(1024, 129093, "sha1"),
}


def verified(host_key: bytes, signature: bytes, signed: bytes) -> str:
    """The type of the key, if it has signed these bytes. Raises one of the many errors of the parsers if it has not."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    kind = Fields(host_key).string()
    key = load_ssh_public_key(kind + b" " + b64encode(host_key))
    fields = Fields(signature)
    method, mark = fields.string(), fields.string()
    if isinstance(key, rsa.RSAPublicKey):
        _verify_rsa(key, method, mark, signed)
    elif isinstance(key, ed25519.Ed25519PublicKey) and method == kind:
        key.verify(mark, signed)
    elif isinstance(key, ec.EllipticCurvePublicKey) and method == kind:
        _verify_ecdsa(key, mark, signed)
    else:
        raise MalformedError
    return kind.decode("ascii")


def _verify_ecdsa(key: ec.EllipticCurvePublicKey, mark: bytes, signed: bytes) -> None:
    """RFC 5656, 3.1.2: the hash goes with the curve."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    numbers = Fields(mark)
    hash_of: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    key.verify(encode_dss_signature(numbers.mpint(), numbers.mpint()), signed, ec.ECDSA(hash_of[key.key_size]))


def _verify_rsa(key: rsa.RSAPublicKey, method: bytes, mark: bytes, signed: bytes) -> None:
    """RFC 8332; `ssh-rsa` alone is the old method with SHA-1."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    hash_of: dict[bytes, hashes.HashAlgorithm] = {
        b"rsa-sha2-512": hashes.SHA512(),
        b"rsa-sha2-256": hashes.SHA256(),
        b"ssh-rsa": hashes.SHA1(),  # noqa: S303 - what an old server signs with is all that there is
    }
    key.verify(mark, signed, PKCS1v15(), hash_of[method])
