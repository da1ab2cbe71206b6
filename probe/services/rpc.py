"""ONC RPC (RFC 5531): which of the well-known programs live here? Each is called for its version, and does nothing.

Procedure 0 does nothing by definition, and version 104316 is one that no program has: the reply names those it has.
All calls go out together; a server answers those that it does not know with "program unavailable".
"""

from __future__ import annotations

from probe.model import Service
from probe.services.cursor import Reader, Short

_PROGRAMS = {100000: "rpcbind", 100003: "nfs", 100005: "mountd", 100021: "nlockmgr", 100024: "status"}
_NO_SUCH_VERSION = 104316
_LAST = 1 << 31  # record marking, RFC 5531, 11: the last fragment of a record
_SUCCESS, _UNAVAILABLE, _MISMATCH = 0, 1, 2


def _xid(program: int) -> bytes:
    return b"p" + program.to_bytes(3, "big")


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def _call(program: int) -> bytes:
    """Call, RPC version 2, program, version, procedure 0, no credentials, no verifier."""
    body = _xid(program) + _words(0, 2, program, _NO_SUCH_VERSION, 0, 0, 0, 0, 0)
    return _words(_LAST | len(body)) + body


RPC_HELLO = b"".join(map(_call, _PROGRAMS))


def rpc(data: bytes) -> Service | None:
    """The first program that is there; `oncrpc` where all of them are answered for and none is."""
    reader, spoken = Reader(data), False
    try:
        while reader.left:
            mark = reader.number(4)
            reader.demand(mark & _LAST)
            service = _reply(Reader(reader.take(mark ^ _LAST)))
            if service:
                return service
            spoken = True
    except Short:
        pass
    return Service("oncrpc") if spoken else None


def _reply(reader: Reader) -> Service | None:
    """An accepted reply to one of our calls. A denied one (bad credentials) speaks RPC, but does not say what."""
    xid = reader.expect(*map(_xid, _PROGRAMS))
    name = _PROGRAMS[int.from_bytes(xid[1:], "big")]
    reader.expect(_words(1))
    if reader.number(4):
        return None
    reader.take(4)
    reader.counted(4)
    state = reader.number(4)
    if state == _MISMATCH:
        low, high = reader.number(4), reader.number(4)
        return Service(name, info=f"version {low}" if low == high else f"versions {low}-{high}")
    reader.demand(state in (_SUCCESS, _UNAVAILABLE))
    return Service(name) if state == _SUCCESS else None
