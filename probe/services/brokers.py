"""Message brokers: MQTT, STOMP, NATS, OpenWire, Kafka, ZeroMQ. AMQP and RabbitMQ's stream protocol are in `amqp`.

None of them is logged in to. MQTT and STOMP have nothing but a login to begin with, so they are asked what they have to
refuse: a protocol level that nobody has, a session without a name, a command that does not exist.
"""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.cursor import Reader, bounded
from probe.services.text import field


def _mqtt_connect(level: int, flags: int) -> bytes:
    body = b"\x00\x04MQTT" + bytes((level, flags)) + b"\x00\x0f" + b"\x00\x00"  # keep-alive; an empty client id
    return b"\x10" + bytes((len(body),)) + body


MQTT_HELLO = _mqtt_connect(level=63, flags=0x02)  # MQTT 3.1.1, 3.1.2.2: must be answered with return code 1
MQTT_NAMELESS_HELLO = _mqtt_connect(level=4, flags=0)  # 3.1.3.1: no clean session and no id: return code 2
STOMP_HELLO = b"PROBE\n\n\0"
_KAFKA_ID = b"prob"
_KAFKA_REQUEST = b"\x00\x12\x00\x00" + _KAFKA_ID + b"\xff\xff"  # ApiVersions, version 0, no client id
KAFKA_HELLO = len(_KAFKA_REQUEST).to_bytes(4, "big") + _KAFKA_REQUEST

_STOMP = re.compile(rb"ERROR\r?\n((?:[\w-]+:[^\r\n\0]*\r?\n)+)\r?\n[^\0]*\0")
_NATS = re.compile(rb'INFO \{[^\r\n]*"server_id" ?:[^\r\n]*\} ?\r\n')
_NATS_VERSION = re.compile(rb'"version" ?: ?"(\d[^"\r\n]*)"')
_OPENWIRE = re.compile(rb"[\0-\xff]{4}\x01ActiveMQ\0[\0-\xff]{3}", re.DOTALL)
_ZMTP = re.compile(rb"\xff\x00{7}[\x00\x01]\x7f")


@bounded
def mqtt(reader: Reader) -> Service | None:
    """CONNACK and nothing else: a refusal of 3.1.1 (four bytes), or one of MQTT 5, with properties."""
    reader.expect(b"\x20")
    body = Reader(reader.counted(1))
    body.expect(b"\x00")  # no session
    code = body.number(1)
    reader.demand(not reader.left)
    if not body.left:
        return Service("mqtt") if 1 <= code <= 5 else None
    body.counted(1)
    return Service("mqtt", info="MQTT 5") if code >= 0x80 and not body.left else None


def stomp(data: bytes) -> Service | None:
    """An ERROR frame; the bare word is what memcached says too."""
    found = _STOMP.match(data)
    if not found or b"message:" not in found[1]:
        return None
    return Service("stomp", "ActiveMQ" if b"org.apache.activemq." in data else None)


def nats(data: bytes) -> Service | None:
    found = _NATS.match(data)
    if not found:
        return None
    version = _NATS_VERSION.search(found[0])
    return Service("nats", "NATS", field(version[1]) if version else None)


def openwire(data: bytes) -> Service | None:
    """WireFormatInfo. Its properties are a map with typed values: 9 is a string of 16-bit length."""
    if not _OPENWIRE.match(data):
        return None
    return Service("openwire", _property(data, b"ProviderName"), _property(data, b"ProviderVersion"))


def _property(data: bytes, name: bytes) -> str | None:
    found = re.search(re.escape(name) + rb"\x09([\0-\xff]{2})", data, re.DOTALL)
    if not found:
        return None
    end = found.end() + int.from_bytes(found[1], "big")
    return field(data[found.end() : end]) if end <= len(data) else None


@bounded
def kafka(reader: Reader) -> Service | None:
    """ApiVersions: our correlation id, an error code (0, or 35 for a version it lacks), then (key, least, most)."""
    body = Reader(reader.counted(4))
    body.expect(_KAFKA_ID)
    error = body.number(2)
    body.demand(error in (0, 35) and body.number(4) * 6 == body.left)
    return Service("kafka")


def zmtp(data: bytes) -> Service | None:
    """ZeroMQ's signature, ten bytes, sent before anything is heard."""
    return Service("zmtp", info="ZeroMQ") if _ZMTP.match(data) else None
