"""Agents that watch: Zabbix, NRPE, Munin, Checkmk, Ganglia, NUT, gpsd; and ZooKeeper, which is asked the same way."""

from __future__ import annotations

import re
import zlib

from probe.model import Service
from probe.services.cursor import Reader, bounded
from probe.services.text import field


def _zabbix(text: bytes) -> bytes:
    return b"ZBXD\x01" + len(text).to_bytes(8, "little") + text


ZABBIX_AGENT_HELLO = _zabbix(b"agent.version")
ZABBIX_SERVER_HELLO = _zabbix(b'{"request":"status.get","type":"ping"}')


def _nrpe(text: bytes) -> bytes:
    """Version 2, a query, its CRC (with the field itself as 0), no result, 1024 bytes of text, two of padding."""
    packet = b"\0\2\0\1" + bytes(6) + text.ljust(1024, b"\0") + bytes(2)
    return packet[:4] + zlib.crc32(packet).to_bytes(4, "big") + packet[8:]


NRPE_HELLO = _nrpe(b"_NRPE_CHECK")  # answered by the daemon itself: no plug-in is run
NUT_HELLO = b"VER\n"
ZOOKEEPER_HELLO = b"srvr\n"

_NRPE = re.compile(rb"NRPE v(\d[\w.-]*)\0")
_MUNIN = re.compile(rb"# munin node at (\S+)\n(?:munins node on \S+ version: (\d[\w.]*)\s)?")
_CHECKMK = re.compile(rb"<<<check_mk>>>\r?\nVersion: (\S+)\r?\n")
_GANGLIA = re.compile(rb"<\?xml[^>]*\?>\s*<!DOCTYPE GANGLIA_XML ")
_GANGLIA_VERSION = re.compile(rb'<GANGLIA_XML VERSION="(\d[^"]*)"')
_NUT = re.compile(
    rb"Network UPS Tools upsd (\d[\w.+-]*) |(?:ERR INVALID-ARGUMENT\n)*ERR UNKNOWN-COMMAND\n(?:ERR [A-Z-]+\n)*\Z"
)
_GPSD = re.compile(rb'\{"class":"VERSION",[^\r\n]*?"release":"([^"\r\n]*)"[^\r\n]*?"proto_major":')
_ZOOKEEPER = re.compile(
    rb"Zookeeper version: (\d[\w.]*)[-,]|(?:srvr|stat|ruok) is not executed because it is not in the whitelist"
)
_VERSION = re.compile(rb"\d+\.\d+[\w.]*")


@bounded
def zabbix(reader: Reader) -> Service | None:
    """The agent says its version, or that it does not know the key; the server answers in JSON."""
    reader.expect(b"ZBXD\x01")
    text = reader.counted(8, "little")
    if _VERSION.fullmatch(text):
        return Service("zabbix-agent", "Zabbix agent", field(text))
    if text.startswith(b"ZBX_NOTSUPPORTED"):
        return Service("zabbix-agent", "Zabbix agent")
    return Service("zabbix-trapper", "Zabbix server") if re.match(rb'\{"response":"(?:failed|success)"', text) else None


@bounded
def nrpe(reader: Reader) -> Service | None:
    """A response packet whose CRC is right."""
    packet = reader.take(1036)
    reader.demand(packet[:4] == b"\0\2\0\2" and not reader.left)
    reader.demand(zlib.crc32(packet[:4] + bytes(4) + packet[8:]) == int.from_bytes(packet[4:8], "big"))
    found = _NRPE.match(packet[10:])
    return Service("nrpe", "NRPE", field(found[1])) if found else Service("nrpe")


def munin(data: bytes) -> Service | None:
    found = _MUNIN.match(data)
    return Service("munin", "Munin node", field(found[2]), field(found[1])) if found else None


def checkmk(data: bytes) -> Service | None:
    found = _CHECKMK.match(data)
    return Service("check-mk-agent", "Checkmk agent", field(found[1])) if found else None


def ganglia(data: bytes) -> Service | None:
    if not _GANGLIA.match(data):
        return None
    found = _GANGLIA_VERSION.search(data)
    return Service("ganglia", "gmond", field(found[1]) if found else None)


def nut(data: bytes) -> Service | None:
    found = _NUT.match(data)
    return Service("nut", "Network UPS Tools", field(found[1])) if found else None


def gpsd(data: bytes) -> Service | None:
    found = _GPSD.match(data)
    return Service("gpsd", "gpsd", field(found[1])) if found else None


def zookeeper(data: bytes) -> Service | None:
    """Its statistics, or the refusal of the words that its administrator did not allow."""
    found = _ZOOKEEPER.match(data)
    return Service("zookeeper", "ZooKeeper", field(found[1])) if found else None
