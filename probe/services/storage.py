"""Storage over the network: AFP, iSCSI, NBD, Ceph. NFS is in `rpc`, SMB in `smb`."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.cursor import Reader, bounded
from probe.services.text import field

_DSI_ID = b"pr"
AFP_HELLO = b"\x00\x03" + _DSI_ID + bytes(12)  # DSIGetStatus: what a client may ask before it opens a session
# RFC 7143, 11.12: a login whose least version is 255. It must be refused (status 0205) before it names anybody.
_TASK = b"prob"
ISCSI_HELLO = b"\x43\x87\xff\xff" + bytes(12) + _TASK + bytes(28)

_SERVER = re.compile(rb"([A-Za-z][A-Za-z .-]*?)[ -]?v?(\d[\w.-]*)?")
_CEPH = re.compile(rb"ceph v(?:(\d{3})|2\n)")


@bounded
def afp(reader: Reader) -> Service | None:
    """Reply to our request id, no error, and a block whose first offset leads to the machine type."""
    reader.expect(b"\x01\x03")
    reader.expect(_DSI_ID)
    reader.expect(bytes(4))
    size = reader.number(4)
    reader.take(4)
    block = Reader(reader.take(size))
    block.at = block.number(2)
    block.demand(block.at >= 10)
    found = _SERVER.fullmatch(block.counted(1))
    return Service("afp", field(found[1]), field(found[2])) if found else Service("afp")


@bounded
def iscsi(reader: Reader) -> Service | None:
    """A login response to our task, with a refusal of the initiator: status class 2."""
    reader.expect(b"\x23")
    reader.take(15)
    reader.expect(_TASK)
    reader.take(16)
    reader.expect(b"\x02")
    reader.take(11)
    return Service("iscsi")


def nbd(data: bytes) -> Service | None:
    """Fixed newstyle, or the oldstyle magic number."""
    return (
        Service("nbd") if data.startswith((b"NBDMAGICIHAVEOPT", b"NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53")) else None
    )


def ceph(data: bytes) -> Service | None:
    found = _CEPH.match(data)
    return Service("ceph", info="messenger v1" if found[1] else "messenger v2") if found else None
