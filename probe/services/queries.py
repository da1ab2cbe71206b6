"""Protocols with one small question of their own: DNS over TCP, RTSP, SIP."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.lines import software
from probe.services.text import field

_QUERY_ID = b"pr"
# A query for TXT version.bind in class CHAOS: what name servers answer about themselves, or refuse.
_QUESTION = b"\x07version\x04bind\x00" + b"\x00\x10" + b"\x00\x03"
_QUERY = _QUERY_ID + b"\x00\x00" + b"\x00\x01" + bytes(6) + _QUESTION
DNS_HELLO = len(_QUERY).to_bytes(2, "big") + _QUERY  # RFC 1035, 4.2.2: the length goes before the message
RTSP_HELLO = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
# RFC 3261, 11: OPTIONS asks what the other side can do; `invalid` names nobody (RFC 2606).
SIP_HELLO = (
    b"OPTIONS sip:probe@probe.invalid SIP/2.0\r\nVia: SIP/2.0/TCP probe.invalid;branch=z9hG4bKprobe;rport\r\n"
    b"Max-Forwards: 0\r\nFrom: <sip:probe@probe.invalid>;tag=probe\r\nTo: <sip:probe@probe.invalid>\r\n"
    b"Call-ID: probe@probe.invalid\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)

_DNS_PRODUCTS = {
    b"dnsmasq": "dnsmasq",
    b"unbound": "Unbound",
    b"PowerDNS": "PowerDNS",
    b"NSD": "NSD",
    b"Knot": "Knot DNS",
}
_TEXT_REPLY = re.compile(rb"(RTSP/1\.0|RTSP/2\.0|SIP/2\.0) [1-6]\d\d")
_REPEATED = re.compile(rb"\n(?:cseq|via|v)[ \t]*:", re.IGNORECASE)
_SERVER = re.compile(rb"\n(?:server|user-agent)[ \t]*:[ \t]*([^\r\n]*)\r?\n", re.IGNORECASE)


def dns(data: bytes) -> Service | None:
    """A reply to our query: same id, QR set, opcode 0, as long as it says it is."""
    length = int.from_bytes(data[:2], "big")
    if length < 12 or len(data) < length + 2 or data[2:4] != _QUERY_ID or data[4] & 0xF8 != 0x80:
        return None
    return _dns_version(_txt(data[2 : length + 2]))


def _txt(message: bytes) -> bytes:
    """The first string of the first answer, where the reply repeats our question and the answer points at its name."""
    answer = message[12 + len(_QUESTION) :]
    start = 2 if answer[:1] >= b"\xc0" else len(_QUESTION) - 4  # a pointer, or the name written out
    if message[6:8] == b"\0\0" or answer[start : start + 2] != b"\x00\x10":
        return b""
    text = answer[start + 10 :]
    return text[1 : 1 + text[0]] if text else b""


def _dns_version(text: bytes) -> Service:
    for word, product in _DNS_PRODUCTS.items():
        found = re.match(word + rb"[ -](?:\w+ )*?v?(\d[\w.-]*)", text, re.IGNORECASE)
        if found:
            return Service("dns", product, field(found[1]))
    found = re.fullmatch(rb"(9\.\d+\.\d+)(?:-(\S*))?.*", text, re.DOTALL)
    return Service("dns", "BIND", field(found[1]), field(found[2])) if found else Service("dns", info=field(text))


def rtsp_or_sip(data: bytes) -> Service | None:
    """A response that repeats a header of our request, as both must do.

    Some web servers repeat the name and version of whatever protocol they are asked in, and nothing else.
    """
    found = _TEXT_REPLY.match(data)
    if not found or not _REPEATED.search(data):
        return None
    name, server = "sip" if found[1].startswith(b"SIP") else "rtsp", _SERVER.search(data[:4096])
    return software(name, server[1].strip()) if server else Service(name)
