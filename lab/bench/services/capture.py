"""What each daemon really answers, written down for whoever writes a matcher: its greeting, and an answer per hello.

One file per daemon; a line says what was sent, then come the bytes that were received, escaped and in hex.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.bench.services.stage import ADDRESS, Actor

PATIENCE = 1.5  # seconds
MOST = 8192  # bytes
HELLOS: dict[str, bytes] = {
    "greeting": b"",
    "line feeds": b"\r\n\r\n",
    "HELP": b"HELP\r\n",
    "http": b"GET / HTTP/1.1\r\nHost: bench.lab\r\nUser-Agent: probe\r\nAccept: */*\r\nConnection: close\r\n\r\n",
    "http options": b"OPTIONS / HTTP/1.0\r\n\r\n",
    "rtsp options": b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    "redis info": b"INFO server\r\n",
    "memcached version": b"version\r\n",
    "postgresql ssl": bytes.fromhex("0000000804d2162f"),
    "postgresql start": bytes.fromhex("0000001d00030000") + b"user\0probe\0database\0probe\0\0",
    "dns version.bind": bytes.fromhex("001e000001000001000000000000") + b"\x07version\x04bind\0\0\x10\0\x03",
    "mqtt connect": bytes.fromhex("101100044d5154540402003c000570726f6265"),
    "ldap root dse": bytes.fromhex("302502010163200400")
    + bytes.fromhex("0a01000a0100020100020100010100870b6f626a656374436c6173733000"),
    "socks5": bytes.fromhex("050100"),
    "rdp": bytes.fromhex("030000130ee000000000000100080003000000"),
    "smb2 negotiate": b"\x00\x00\x00\x66\xfeSMB"
    + bytes.fromhex("40000100000000000000010000000000")
    + bytes(40)
    + bytes.fromhex("24000100010000000000000000112233445566778899aabbccddeeff")
    + bytes(8)
    + bytes.fromhex("1002"),
    "sip options": b"OPTIONS sip:bench.lab SIP/2.0\r\nVia: SIP/2.0/TCP probe;branch=z9hG4bK1;rport\r\n"
    b"From: <sip:p@bench.lab>;tag=1\r\nTo: <sip:p@bench.lab>\r\n"
    b"Call-ID: 1@probe\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    "xmpp stream": b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>",
    "git request": b"0024git-upload-pack /probe\0host=probe\0",
    "beanstalk stats": b"stats\r\n",
    "gearman version": b"version\n",
    "zookeeper srvr": b"srvr\n",
    "nut version": b"VER\n",
    "munin version": b"version\n",
    "gpsd version": b"?VERSION;\n",
    "zabbix version": b"ZBXD\x01\x0d\0\0\0\0\0\0\0agent.version",
    "zabbix ping": b"agent.version\n",
    "cvs": b"BEGIN AUTH REQUEST\n/probe\nprobe\nA\nEND AUTH REQUEST\n",
    "irc": b"VERSION\r\nPING probe\r\n",
    "bgp open": b"\xff" * 16 + bytes.fromhex("001d0104fc01005ac612000100"),
    "pptp start": bytes.fromhex("009c00011a2b3c4d000100000100000000000001000000010000") + bytes(2 + 64 + 64),
    "distcc": b"DIST00000003ARGC00000001ARGV00000002-vDOTI00000000",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5),
}


def write(actors: Iterable[Actor], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    def record(actor: Actor) -> None:
        answers = dict(_answers(actor.port))
        text = "".join(_told(name, data, answers["greeting"]) for name, data in answers.items())
        (folder / f"{actor.entry.key}.txt").write_text(text)

    with ThreadPoolExecutor(len(HELLOS)) as pool:  # one connection at a time to each daemon
        list(pool.map(record, actors))


def _answers(port: int) -> Iterable[tuple[str, bytes]]:
    secure = _wrapped(_connection(port)) is not None
    for name, hello in HELLOS.items():
        yield name, _exchange(_connection(port), hello)
        if secure and name in ("greeting", "http", "redis info"):
            yield f"{name}, inside TLS", _exchange(_wrapped(_connection(port)), hello)


def _connection(port: int) -> socket.socket | None:
    try:
        return socket.create_connection((ADDRESS, port), PATIENCE)
    except OSError:
        return None


def _wrapped(connection: socket.socket | None) -> socket.socket | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return connection and context.wrap_socket(connection)
    except OSError:
        return None


def _exchange(connection: socket.socket | None, hello: bytes) -> bytes:
    heard = b""
    if connection is None:
        return heard
    with connection:
        try:
            connection.sendall(hello)
            while len(heard) < MOST and (more := connection.recv(MOST)):
                heard += more
                connection.settimeout(0.3)
        except OSError:  # silence, or the end of it
            pass
    return heard


def _told(name: str, data: bytes, greeting: bytes) -> str:
    if name != "greeting" and data == greeting != b"":
        return f"== {name}\n(the greeting, no more)\n"
    return f"== {name}\n{data!r}\n{data.hex()}\n" if data else f"== {name}\n(nothing)\n"
