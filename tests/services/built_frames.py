"""Answers in binary, built from the specifications, of servers that Debian does not have or that need hardware."""

from __future__ import annotations

import struct
import zlib

from probe.model import Service
from probe.services import media

S = Service


def ber(tag: int, *parts: bytes) -> bytes:
    """X.690, with a length of one byte or, from 128 on, of two more."""
    body = b"".join(parts)
    size = bytes((len(body),)) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes((tag,)) + size + body


def ldap_entry(**attributes: list[bytes]) -> bytes:
    """SearchResultEntry and SearchResultDone, to message 7."""
    told = (
        ber(0x30, ber(0x04, name.encode()), ber(0x31, *(ber(0x04, value) for value in values)))
        for name, values in attributes.items()
    )
    done = ber(0x30, b"\x02\x01\x07", ber(0x65, b"\x0a\x01\x00\x04\x00\x04\x00"))
    return ber(0x30, b"\x02\x01\x07", ber(0x64, ber(0x04), ber(0x30, *told))) + done


def lengthy(size: int, body: bytes) -> bytes:
    return len(body).to_bytes(size, "big") + body


def tns(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHBBH", len(body) + 8, 0, kind, 0, 0) + body


def refused(number: int) -> bytes:
    text = b"(DESCRIPTION=(TMP=)(VSNNUM=%d)(ERR=0)(ALIAS=LISTENER))" % number
    return tns(4, b"\x22\0" + lengthy(2, text))


def bson(*elements: bytes) -> bytes:
    body = b"".join(elements) + b"\0"
    return struct.pack("<i", len(body) + 4) + body


def text(name: bytes, value: bytes) -> bytes:
    return b"\x02" + name + b"\0" + struct.pack("<i", len(value) + 1) + value + b"\0"


def mongo(question: int, document: bytes, old: bool) -> bytes:
    body = (bytes(16) + struct.pack("<i", 1) if old else bytes(5)) + document
    return struct.pack("<iiii", len(body) + 16, 9, question, 1 if old else 2013) + body


IS_MASTER = bson(
    b"\x08ismaster\0\x01", b"\x10maxBsonObjectSize\0" + struct.pack("<i", 1 << 24), b"\x09localTime\0" + bytes(8),
    b"\x03topologyVersion\0" + bson(b"\x07processId\0" + bytes(12)), b"\x01ok\0" + struct.pack("<d", 1.0),
)  # fmt: skip


def build_info(*more: bytes) -> bytes:
    return bson(
        text(b"version", b"6.0.1"), text(b"gitVersion", b"32f0f9c8"), *more, b"\x01ok\0" + struct.pack("<d", 1.0)
    )


MONGODB = mongo(0x70726F62, IS_MASTER, old=True) + mongo(0x70726F63, build_info(), old=False)
FERRETDB = mongo(0x70726F63, build_info(text(b"ferretdbVersion", b"v1.0.0")), old=False)


def cql(opcode: int, body: bytes) -> bytes:
    return b"\x84\0\0\0" + bytes((opcode,)) + lengthy(4, body)


def strings(*values: bytes) -> bytes:
    return struct.pack(">H", len(values)) + b"".join(lengthy(2, value) for value in values)


def cassandra(*more: bytes) -> bytes:
    options = [
        lengthy(2, b"COMPRESSION") + strings(b"snappy", b"lz4"),
        lengthy(2, b"CQL_VERSION") + strings(b"3.4.5"),
        *more,
    ]
    return cql(6, struct.pack(">H", len(options)) + b"".join(options))


def mssql(version: bytes) -> bytes:
    options = b"\0\0\x1a\0\x06" + b"\1\0\x20\0\1" + b"\2\0\x21\0\1" + b"\3\0\x22\0\0" + b"\4\0\x22\0\1" + b"\xff"
    body = options + version + b"\x02" + b"\0" + b"\0"
    return b"\x04\x01" + struct.pack(">HHBB", len(body) + 8, 0, 1, 0) + body


def nrpe(words: bytes) -> bytes:
    packet = struct.pack(">HHIH", 2, 2, 0, 0) + words.ljust(1026, b"\0")
    return packet[:4] + struct.pack(">I", zlib.crc32(packet)) + packet[8:]


def rpc(program: int, *state: int, denied: bool = False) -> bytes:
    words = (0, 0, 0, *state) if not denied else (1, 1, 1)
    body = b"p" + program.to_bytes(3, "big") + struct.pack(f">{len(words) + 1}I", 1, *words)
    return struct.pack(">I", 1 << 31 | len(body)) + body


def bgp(kind: int, body: bytes) -> bytes:
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body


def minecraft(status: bytes) -> bytes:
    def varint(number: int) -> bytes:
        return bytes((number & 0x7F | 0x80, number >> 7))

    body = b"\0" + varint(len(status)) + status
    return varint(len(body)) + body


def pptp(vendor: bytes) -> bytes:
    return struct.pack(">HHIHHHBBIIHH64s64s", 156, 1, 0x1A2B3C4D, 2, 0, 256, 1, 0, 0, 0, 0, 1, b"gate", vendor)


def afp(machine: bytes) -> bytes:
    block = (
        struct.pack(">HHHHH", 16, 16 + 1 + len(machine), 0, 0, 0) + b"\4name\0" + lengthy(1, machine) + b"\1\6AFP3.4"
    )
    return b"\x01\x03pr" + bytes(4) + struct.pack(">II", len(block), 0) + block


def enip() -> bytes:
    item = (
        struct.pack("<H", 1)
        + bytes(16)
        + struct.pack("<HHHBBHI", 1, 14, 55, 20, 11, 0x60, 1)
        + b"\x0b1756-EN2T/B\xff"[:12]
        + b"\x03"
    )
    body = struct.pack("<HHH", 1, 12, len(item)) + item
    return struct.pack("<HHII", 0x63, len(body), 0, 0) + b"probe\0\0\0" + bytes(4) + body


FRAMES: list[tuple[bytes, Service]] = [
    (
        ldap_entry(vendorName=[b"389 Project"], vendorVersion=[b"389-Directory/2.3.1 B2022.333.0000"]),
        S("ldap", "389 Directory Server", "2.3.1"),
    ),
    (
        ldap_entry(vendorName=[b"Samba Team (https://www.samba.org)"], dnsHostName=[b"dc.example.org"]),
        S("ldap", "Samba", None, "dc.example.org"),
    ),
    (
        ldap_entry(
            supportedCapabilities=[b"1.2.840.113556.1.4.800", b"1.2.840.113556.1.4.1670"],
            dnsHostName=[b"dc1.example.org"],
        ),
        S("ldap", "Microsoft Active Directory", None, "dc1.example.org"),
    ),
    (
        ldap_entry(vendorName=[b"Oracle Corporation"], vendorVersion=[b"Oracle-Directory-Server-EE/11.1.1.7.0"]),
        S("ldap", "Oracle Corporation", "11.1.1.7.0"),
    ),
    (ber(0x30, b"\x02\x01\x07", ber(0x65, b"\x0a\x01\x35", ber(4), ber(4, b"no anonymous access"))), S("ldap")),
    (
        ber(0x30, b"\x02\x01\x00", ber(0x78, b"\x0a\x01\x02", ber(4), ber(4), ber(0x8A, b"1.3.6.1.4.1.1466.20036"))),
        S("ldap"),
    ),
    # Windows
    (b"\x83\0\0\x01\x82", S("netbios-ssn")),
    (b"\x03\0\0\x13\x0e\xd0\0\0\x124\0\x02\x1f\x08\0\x02\0\0\0", S("rdp", info="CredSSP")),
    (b"\x03\0\0\x13\x0e\xd0\0\0\x124\0\x03\0\x08\0\x02\0\0\0", S("rdp")),
    (b"\x05\0\x0c\x03\x10\0\0\0\x3c\0\0\0prob" + bytes(0x3C - 16), S("msrpc")),
    (b"\x05\0\x0d\x03\x10\0\0\0\x18\0\0\0prob" + bytes(8), S("msrpc")),
    (mssql(b"\x0f\0\x10\x1b\0\0"), S("mssql", "Microsoft SQL Server 2019", "15.0.4123")),
    (mssql(b"\x0a\x32\x17\x70\0\0"), S("mssql", "Microsoft SQL Server 2008 R2", "10.50.6000")),
    (mssql(b"\x20\0\0\x01\0\0"), S("mssql", None, "32.0.1")),
    # databases
    (refused(318767104), S("oracle-tns", "Oracle TNS listener", "19.0.0.0.0")),
    (b"\0\x08\0\0\x0b\0\0\0" + refused(186647552), S("oracle-tns", "Oracle TNS listener", "11.2.0.4.0")),
    (MONGODB, S("mongodb", "MongoDB", "6.0.1")),
    (FERRETDB, S("mongodb", "FerretDB", "6.0.1")),
    (mongo(0x70726F62, IS_MASTER, old=True), S("mongodb")),
    (cassandra(), S("cassandra", info="CQL 3.4.5")),
    (cassandra(lengthy(2, b"SCYLLA_NR_SHARDS") + strings(b"2")), S("cassandra", "ScyllaDB", info="CQL 3.4.5")),
    (cql(0, b"\0\0\0\x0a" + lengthy(2, b"Invalid or unsupported protocol version (71)")), S("cassandra")),
    # brokers
    (lengthy(4, b"prob\0\0" + struct.pack(">I", 2) + struct.pack(">6H", 0, 0, 9, 18, 0, 3)), S("kafka")),
    (lengthy(4, b"prob\0\x23" + struct.pack(">I", 1) + struct.pack(">3H", 18, 0, 4)), S("kafka")),
    (b"AMQP\x03\x01\0\0", S("amqp", info="AMQP 1.0")),
    (b"AMQP\0\x01\0\0", S("amqp", info="AMQP 1.0")),
    (b"AMQP\0\0\x08\0", S("amqp", info="AMQP 0-8-0")),
    (b"\xff" + bytes(7) + b"\x01\x7f", S("zmtp", info="ZeroMQ")),
    (b"\xff" + bytes(7) + b"\x01\x7f\x03\x01NULL" + bytes(48), S("zmtp", info="ZeroMQ")),
    (b"\x20\x03\0\x84\0", S("mqtt", info="MQTT 5")),
    (
        lengthy(
            4,
            b"\x01ActiveMQ\0\0\0\x0c\x01\0\0\x01\x52\0\0\0\x0c"
            + b"\0\x0cProviderName\x09"
            + lengthy(2, b"ActiveMQ")
            + b"\0\x0fProviderVersion\x09"
            + lengthy(2, b"5.17.2"),
        ),
        S("openwire", "ActiveMQ", "5.17.2"),
    ),
    # tunnels and routers
    (b"\x05\0\x05\x07\0\x04" + bytes(18), S("socks5", info="no authentication")),
    (b"\0\x5b\0\0\0\0\0\0", S("socks4")),
    (pptp(b"Linux"), S("pptp", "Linux", info="firmware 1")),
    (b"\x01\x11\0\x04\x21\x12\xa4\x42probe-bindin\x80\x22\0\0", S("stun")),
    (
        bgp(1, b"\x04\xfd\xe8\0\xb4\xc6\x12\0\x01" + lengthy(1, b"\x02\x06\x01\x04\0\x01\0\x01")),
        S("bgp", info="router 198.18.0.1, AS 65000"),
    ),
    (bgp(3, b"\x06\x05"), S("bgp")),
    (b"\x06!fatal\x1dsession terminated on request\0", S("mikrotik-api", "MikroTik RouterOS")),
    # ONC RPC
    (rpc(100000, 2, 2, 4) + rpc(100003, 1), S("rpcbind", info="versions 2-4")),
    (rpc(100000, 1) + rpc(100003, 2, 3, 4) + rpc(100005, 1), S("nfs", info="versions 3-4")),
    (rpc(100000, 1) + rpc(100003, 1) + rpc(100005, 2, 1, 3), S("mountd", info="versions 1-3")),
    (rpc(100000, 1) + rpc(100003, 1), S("oncrpc")),
    (rpc(100000, denied=True), S("oncrpc")),
    # storage, media, games
    (afp(b"Netatalk3.1.15"), S("afp", "Netatalk", "3.1.15")),
    (afp(b"TimeCapsule8,119"), S("afp")),
    (b"NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53" + bytes(136), S("nbd")),
    (b"\x23\0\0\0" + bytes(12) + b"prob" + bytes(16) + b"\x02\x05" + bytes(10), S("iscsi")),
    (b"\x03" + bytes(8) + bytes(1528) + bytes(8) + media.RTMP_HELLO[9:], S("rtmp")),
    (
        minecraft(
            b'{"version":{"name":"1.20.1","protocol":763},"players":{"max":20,"online":0},"description":"A server"}'
            + b" " * 60
        ),
        S("minecraft", "Minecraft", "1.20.1", "1.20.1"),
    ),
    (
        minecraft(
            b'{"description":"x","players":{"max":20,"online":0},"version":{"protocol":763,"name":"Paper 1.20.1"}}'
            + b" " * 60
        ),
        S("minecraft", "Minecraft", "1.20.1", "Paper 1.20.1"),
    ),
    # watching
    (nrpe(b"NRPE v4.1.0"), S("nrpe", "NRPE", "4.1.0")),
    (nrpe(b"CHECK_NRPE: Received 0 bytes"), S("nrpe")),
    (
        b"ZBXD\x01" + struct.pack("<Q", 51) + b'{"response":"failed","info":"Permission denied..."}',
        S("zabbix-trapper", "Zabbix server"),
    ),
    (b"\0\0\x11\x11", S("epmd")),
    # industry
    (
        b"pr\0\0" + lengthy(2, b"\xff\x2b\x0e\x01\x01\0\0\x03\x00\x04ACME\x01\x06PLC-42\x02\x05V1.10"),
        S("modbus", "ACME PLC-42", "V1.10"),
    ),
    (b"pr\0\0\0\x03\xff\xab\x01", S("modbus")),
    (
        b"\x03\0\0\x16\x11\xd0\0\x01\0\x02\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02"
        + b"\x03\0\0\x1b\x02\xf0\x80\x32\x03\0\0pr\0\x08\0\0\0\0\xf0\0\0\x01\0\x01\0\xf0",
        S("s7comm"),
    ),
    (b"ACKF" + struct.pack("<6I", 28, 0, 65535, 65535, 0, 0), S("opcua")),
    (b"ERRF" + struct.pack("<3I", 21, 0x80830000, 5) + b"wrong", S("opcua")),
    (enip(), S("ethernet-ip", "1756-EN2T/B", "20.11")),
    (b"\x68\x04\x83\0\0\0", S("iec-104")),
]
