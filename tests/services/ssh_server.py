"""An SSH server as far as its host key, without a socket: what it answers to a client's bytes, honest or not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.services import ssh_exchange
from probe.services.ssh_wire import MSG_KEXINIT, Fields, mpint, packet, string

GREETING = b"SSH-2.0-lab_1.0 test\r\n"
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def public_blob(key: PrivateKey) -> bytes:
    """The public key as it stands on the wire, by way of the line that stands in a file."""
    import base64

    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])


def sign(key: PrivateKey, method: str, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        mark = key.sign(data)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
        mark = b"".join(map(mpint, decode_dss_signature(key.sign(data, ec.ECDSA(algorithm[key.curve.key_size])))))
    else:
        of: dict[str, hashes.HashAlgorithm] = {
            "ssh-rsa": hashes.SHA1(),
            "rsa-sha2-256": hashes.SHA256(),
            "rsa-sha2-512": hashes.SHA512(),
        }
        mark = key.sign(data, PKCS1v15(), of[method])
    return string(method.encode()) + string(mark)


@dataclass
class SshServer:
    """`spoil` changes the payload of the last reply, `before` are packets put in front of it. `heard` is what came."""

    key: PrivateKey = ED25519
    host_keys: str = "ssh-ed25519"
    method: str = "curve25519-sha256"
    greeting: bytes = GREETING
    shown: PrivateKey | None = None
    before: bytes = b""
    spoil: Callable[[bytes], bytes] = lambda payload: payload
    heard: bytes = b""
    _client: list[bytes] = field(default_factory=list)

    def __call__(self, data: bytes) -> bytes | None:
        self.heard += data
        if not self._client:
            identity, _, rest = data.partition(b"\r\n")
            self._client = [identity, _payload(rest)]
            return packet(self.kex_init())
        return self.before + packet(self.spoil(self._reply(_payload(data))))

    def kex_init(self) -> bytes:
        lists = [self.method, self.host_keys, *["aes128-ctr"] * 2, *["hmac-sha2-256"] * 2, *["none"] * 2, "", ""]
        return bytes([MSG_KEXINIT]) + bytes(16) + b"".join(string(names.encode()) for names in lists) + bytes(5)

    def _reply(self, init: bytes) -> bytes:
        assert init[0] == 30
        ours = ssh_exchange.start(self.method, b"the server's own nonce")
        theirs, secret = ours.share(Fields(init, 1))
        blob = public_blob(self.shown or self.key)
        whole = [*map(string, (self._client[0], self.greeting.split(b"\r\n")[-2], self._client[1], self.kex_init()))]
        whole += [string(blob), theirs, ours.public, mpint(secret)]
        digest = hashlib.new(ours.hash, b"".join(whole)).digest()
        return b"\x1f" + string(blob) + ours.public + string(sign(self.key, self.host_keys.split(",")[0], digest))


def _payload(packet: bytes) -> bytes:
    size = int.from_bytes(packet[:4], "big")
    assert len(packet) == size + 4
    assert len(packet) % 8 == 0
    assert packet[4] >= 4
    return packet[5 : 4 + size - packet[4]]
