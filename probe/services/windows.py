"""Windows on the network beside SMB: remote desktop, the RPC endpoint mapper, SQL Server. Negotiations, no logins."""

from __future__ import annotations

from probe.model import Service
from probe.services.cursor import Reader, bounded

# X.224 connection request in an RFC 1006 frame, with MS-RDPBCGR's negotiation request: TLS or CredSSP, please
RDP_HELLO = b"\x03\0\0\x13" + b"\x0e\xe0\0\0\0\0\0" + b"\x01\0\x08\0" + (0x0B).to_bytes(4, "little")
_ULTIMATUM = b"\x03\0\0\x09\x02\xf0\x80\x21\x80"
_RDP = {0: "RDP security", 1: "TLS", 2: "CredSSP", 8: "CredSSP"}

# C706, 12.6.4.3: bind to the endpoint mapper's interface with NDR as transfer syntax; no credentials are part of it.
_CALL = b"prob"
_MAPPER = bytes.fromhex("0883afe11f5dc91191a408002b14a0fa") + b"\x03\0\0\0"
_NDR = bytes.fromhex("045d888aeb1cc9119fe808002b104860") + b"\x02\0\0\0"
_CONTEXT = b"\0\0\1\0" + _MAPPER + _NDR
_BIND = b"\xd0\x16\xd0\x16" + bytes(4) + b"\x01\0\0\0" + _CONTEXT
MSRPC_HELLO = b"\x05\0\x0b\x03\x10\0\0\0" + (len(_BIND) + 16).to_bytes(2, "little") + b"\0\0" + _CALL + _BIND

# MS-TDS, 2.2.6.5 PRELOGIN: version, encryption, instance, thread, MARS; each a type, offset and length.
_OPTIONS = b"\0\0\x1a\0\x06" + b"\1\0\x20\0\1" + b"\2\0\x21\0\1" + b"\3\0\x22\0\4" + b"\4\0\x26\0\1" + b"\xff"
_PRELOGIN = _OPTIONS + bytes(6) + b"\x02" + b"\0" + bytes(4) + b"\0"  # encryption 2: we have none
MSSQL_HELLO = b"\x12\x01" + (len(_PRELOGIN) + 8).to_bytes(2, "big") + b"\0\0\1\0" + _PRELOGIN
_YEARS = {
    (8, 0): "2000", (9, 0): "2005", (10, 0): "2008", (10, 50): "2008 R2", (11, 0): "2012", (12, 0): "2014",
    (13, 0): "2016", (14, 0): "2017", (15, 0): "2019", (16, 0): "2022", (17, 0): "2025",
}  # fmt: skip


@bounded
def rdp(reader: Reader) -> Service | None:
    """A connection confirm that takes up the negotiation. One without it is any ISO transport's, and says nothing.

    To other things xrdp answers with T.125's DisconnectProviderUltimatum, inside a data unit.
    """
    if reader.data == _ULTIMATUM:
        return Service("rdp", "xrdp")
    reader.expect(b"\x03\0\0\x13\x0e\xd0")
    reader.take(5)
    kind = reader.expect(b"\x02", b"\x03")
    reader.take(1)
    reader.expect(b"\x08\0")
    code = reader.little(4)
    if kind == b"\x03":
        return Service("rdp") if 1 <= code <= 6 else None
    return Service("rdp", info=_RDP[code]) if code in _RDP else None


@bounded
def msrpc(reader: Reader) -> Service | None:
    """bind_ack or bind_nak to our call, in our byte order, in a fragment as long as it says."""
    reader.expect(b"\x05\0\x0c", b"\x05\0\x0d")
    reader.take(1)
    reader.expect(b"\x10\0\0\0")
    size = reader.little(2)
    reader.take(2)
    reader.expect(_CALL)
    reader.take(size - 16)
    return Service("msrpc")


@bounded
def mssql(reader: Reader) -> Service | None:
    """A reply packet with options; the one of type 0 is the version."""
    reader.expect(b"\x04\x01")
    body = Reader(reader.take(reader.number(2) - 4)[4:])
    offset, size = _option(body)
    body.demand(size == 6 and offset <= len(body.data) - 6)
    major, minor, build = body.data[offset], body.data[offset + 1], body.data[offset + 2 : offset + 4]
    year = _YEARS.get((major, minor))
    product = f"Microsoft SQL Server {year}" if year else None
    return Service("mssql", product, f"{major}.{minor}.{int.from_bytes(build, 'big')}")


def _option(body: Reader) -> tuple[int, int]:
    """(offset, length) of the version, which comes first; the list must end as it should."""
    body.expect(b"\0")
    found = body.number(2), body.number(2)
    for _ in range(16):
        if body.number(1) == 0xFF:
            return found
        body.take(4)
    body.demand(False)
    return found
