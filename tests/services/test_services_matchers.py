"""Matchers against greetings as real servers send them, and against bytes as nobody should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import Service
from probe.services import ftp, queries, stores
from probe.services.matchers import MATCHERS, match

S = Service


def mysql_greeting(version: bytes) -> bytes:
    body = (
        b"\x0a" + version + b"\0" + b"\x01\0\0\0" + b"12345678" + b"\0" + b"\xff\xf7\x08\x02\0\xff\x81\x15" + bytes(10)
    )
    return len(body).to_bytes(3, "little") + b"\0" + body


def mysql_error(code: int, text: bytes) -> bytes:
    body = b"\xff" + code.to_bytes(2, "little") + text
    return len(body).to_bytes(3, "little") + b"\0" + body


def postgres_error(*fields: bytes) -> bytes:
    body = b"".join(field + b"\0" for field in fields) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


def dns_reply(text: bytes | None, code: int = 0) -> bytes:
    question = queries.DNS_HELLO[14:]
    answer = (
        b"" if text is None else b"\xc0\x0c\x00\x10\x00\x03" + bytes(4) + bytes([0, len(text) + 1, len(text)]) + text
    )
    head = b"pr" + bytes([0x84, code]) + b"\0\1" + (b"\0\1" if answer else b"\0\0") + bytes(4)
    message = head + question + answer
    return len(message).to_bytes(2, "big") + message


GREETINGS: list[tuple[bytes, Service]] = [
    # ssh
    (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", S("ssh", "OpenSSH", "9.2p1", "Debian-2+deb12u3")),
    (b"SSH-2.0-OpenSSH_for_Windows_8.1\r\n", S("ssh", "OpenSSH_for_Windows", "8.1")),
    (b"SSH-2.0-OpenSSH_9.7\n", S("ssh", "OpenSSH", "9.7")),
    (b"SSH-2.0-dropbear_2022.83\r\n\0\0\1\2", S("ssh", "dropbear", "2022.83")),
    (b"SSH-2.0-dropbear\r\n", S("ssh", "dropbear")),
    (b"SSH-2.0-libssh_0.9.6\r\n", S("ssh", "libssh", "0.9.6")),
    (b"SSH-1.99-Cisco-1.25\n", S("ssh", "Cisco SSH", "1.25")),
    (b"SSH-2.0-Go\r\n", S("ssh", "Go")),
    (b"SSH-2.0-ROSSSH\r\n", S("ssh", "MikroTik RouterOS")),
    (b"SSH-2.0-AWS_SFTP_1.1\r\n", S("ssh", "AWS_SFTP", "1.1")),
    (b"SSH-2.0-Twisted_26.10.0\r\n", S("ssh", "Twisted", "26.10.0")),
    (b"Authorised users only.\r\n\r\nSSH-2.0-OpenSSH_8.4p1\r\n", S("ssh", "OpenSSH", "8.4p1")),
    (b"Exceeded MaxStartups\r\nSSH-2.0-OpenSSH_8.4p1", S("ssh", "OpenSSH", "8.4p1")),
    # http
    (b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\r\n", S("http", "nginx", "1.22.1")),
    (
        b"HTTP/1.1 403 Forbidden\r\nDate: x\r\nserver: Apache/2.4.57 (Debian)\r\n\r\n",
        S("http", "Apache", "2.4.57", "(Debian)"),
    ),
    (b"HTTP/1.1 200 OK\nSERVER:Apache\n\n", S("http", "Apache")),
    (b"HTTP/1.1 404 Not Found\r\nServer: Microsoft-IIS/10.0\r\n\r\n", S("http", "Microsoft-IIS", "10.0")),
    (
        b"HTTP/1.0 200 OK\r\nServer: SimpleHTTP/0.6 Python/3.11.2\r\n\r\n",
        S("http", "SimpleHTTP", "0.6", "Python/3.11.2"),
    ),
    (b"HTTP/1.1 200 OK\r\nServer: TwistedWeb/26.10.0\r\n\r\n", S("http", "TwistedWeb", "26.10.0")),
    (b"HTTP/1.1 200 OK\r\nServer: cloudflare\r\n\r\n", S("http", "cloudflare")),
    (b"HTTP/1.1 200 OK\r\nServer: Jetty(9.4.43.v20210629)\r\n\r\n", S("http", "Jetty", "9.4.43.v20210629")),
    (b"HTTP/1.1 200 OK\r\nServer: My Web Server\r\n\r\n", S("http", "My Web Server")),
    (b"HTTP/1.1 200 OK\r\nServer:\r\n\r\n", S("http")),
    (b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://x/\r\n\r\n", S("http")),
    (b"HTTP/1.1 400\r\n\r\n", S("http")),
    (b"HTTP/2 200\r\n\r\n", S("http")),
    (b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nbody\r\nServer: liar/1.0\r\n", S("http")),
    (b"<!DOCTYPE HTML PUBLIC>\n<html>Bad request</html>", S("http", info="HTTP/0.9")),
    # ftp
    (b"220 (vsFTPd 3.0.3)\r\n", S("ftp", "vsftpd", "3.0.3")),
    (b"220 ProFTPD 1.3.8 Server (Debian) [::ffff:198.18.1.10]\r\n", S("ftp", "ProFTPD", "1.3.8")),
    (b"220 ProFTPD Server (Debian) [198.18.1.10]\r\n", S("ftp", "ProFTPD")),
    (b"220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220 end\r\n", S("ftp", "Pure-FTPd")),
    (b"220-FileZilla Server 1.7.0\r\n220 Please visit us\r\n", S("ftp", "FileZilla Server", "1.7.0")),
    (b"220 pyftpdlib 1.5.9 ready.\r\n", S("ftp", "pyftpdlib", "1.5.9")),
    (b"220 Twisted 26.10.0 FTP Server\r\n", S("ftp", "Twisted", "26.10.0")),
    (b"220 Microsoft FTP Service\r\n", S("ftp", "Microsoft FTP Service")),
    (b"220 files FTP server ready.\r\n", S("ftp")),
    (b"421 Too many connections to this FTP server.\r\n", S("ftp")),
    # smtp
    (b"220 mail.example.org ESMTP Postfix (Debian/GNU)\r\n", S("smtp", "Postfix")),
    (b"220 mail.example.org ESMTP Exim 4.96 Mon, 01 Jan 2024 00:00:00 +0000\r\n", S("smtp", "Exim", "4.96")),
    (b"220 m.example ESMTP Sendmail 8.17.1/8.17.1; Mon\r\n", S("smtp", "Sendmail", "8.17.1")),
    (b"220 m Python SMTP 1.4.6\r\n", S("smtp", "aiosmtpd", "1.4.6")),
    (b"220 mail NO UCE NO UBE NO RELAY PROBES ESMTP\r\n", S("smtp", "Twisted")),
    (b"220 EX01 Microsoft ESMTP MAIL Service ready at Mon\r\n", S("smtp", "Microsoft Exchange")),
    (b"220 ftp.example.org ESMTP\r\n", S("smtp")),
    (b"554 mail.example.org ESMTP not accepting connections\r\n", S("smtp")),
    (b"220-mail.example.org SMTP\r\n220 no UBE\r\n", S("smtp")),
    # pop3, imap
    (b"+OK Dovecot (Debian) ready.\r\n", S("pop3", "Dovecot")),
    (b"+OK <1896.697170952@dbc.example>\r\n", S("pop3")),
    (b"+OK Cyrus POP3 v3.6.1 server ready\r\n", S("pop3", "Cyrus", "3.6.1")),
    (b"+OK\r\n", S("pop3")),
    (b"* OK [CAPABILITY IMAP4rev1 SASL-IR] Dovecot (Debian) ready.\r\n", S("imap", "Dovecot")),
    (b"* OK [CAPABILITY IMAP4REV1 IDLE] Twisted IMAP4rev1 Ready\r\n", S("imap", "Twisted")),
    (b"* OK mail Cyrus IMAP 3.6.1-Debian server ready\r\n", S("imap", "Cyrus", "3.6.1")),
    (b"* BYE too many connections\r\n", S("imap")),
    (b"* PREAUTH welcome\r\n", S("imap")),
    # others that greet
    (mysql_greeting(b"8.0.36-0ubuntu0.22.04.1"), S("mysql", "MySQL", "8.0.36", "0ubuntu0.22.04.1")),
    (mysql_greeting(b"5.5.5-10.11.6-MariaDB-0+deb12u1"), S("mysql", "MariaDB", "10.11.6", "0+deb12u1")),
    (mysql_greeting(b"11.4.2-MariaDB"), S("mysql", "MariaDB", "11.4.2")),
    (
        mysql_error(1130, b"Host 'x' is not allowed to connect to this MariaDB server"),
        S("mysql", "MariaDB", info="connection refused by the server"),
    ),
    (b"RFB 003.008\n", S("vnc", info="RFB 3.8")),
    (b"@RSYNCD: 31.0 sha512 sha256\n", S("rsync", "rsync", info="protocol 31.0")),
    (b"@RSYNCD: 27\n", S("rsync", info="protocol 27")),
    (b"cvs [CVSNT aborted]: bad auth protocol start: GET / HTTP/1.1\r\n", S("cvs", "CVSNT")),
    (b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27", S("telnet")),
    (b"\xff\xfb\x01\xff\xfb\x03\r\nlogin: ", S("telnet")),
    (b":irc.example NOTICE * :*** Looking up your hostname...\r\n", S("irc")),
    (b"200 news.example InterNetNews NNRP server ready (posting ok)\r\n", S("nntp", "INN")),
    # answers to our hellos
    (b"+PONG\r\n$40\r\n# Server\r\nredis_version:7.0.15\r\nos:x\r\n", S("redis", "Redis", "7.0.15")),
    (b"+PONG\r\n$9\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n", S("redis", "Valkey", "8.0.1")),
    (b"-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n", S("redis")),
    (b"-DENIED Redis is running in protected mode because ...\r\n", S("redis")),
    (b"-ERR wrong number of arguments for 'get' command\r\n", S("redis")),
    (b"VERSION 1.6.18\r\n", S("memcached", "memcached", "1.6.18")),
    (postgres_error(b"SFATAL", b"VFATAL", b"C0A000", b"Munsupported frontend protocol"), S("postgresql", "PostgreSQL")),
    (postgres_error(b"SFATALE", b"C28000", b"Mkein Eintrag", b"RClientAuthentication"), S("postgresql", "PostgreSQL")),
    (b"EFATAL:  no pg_hba.conf entry for host\n\0", S("postgresql", "PostgreSQL")),
    (dns_reply(b"9.18.24-1-Debian"), S("dns", "BIND", "9.18.24", "1-Debian")),
    (dns_reply(b"dnsmasq-2.89"), S("dns", "dnsmasq", "2.89")),
    (dns_reply(b"unbound 1.17.1"), S("dns", "Unbound", "1.17.1")),
    (dns_reply(b"none of your business"), S("dns", info="none of your business")),
    (dns_reply(None, code=5), S("dns")),
    (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: GStreamer RTSP server\r\n\r\n", S("rtsp", "GStreamer RTSP server")),
    (b"SIP/2.0 400 Bad Request\r\nCSeq: 1\r\n\r\n", S("sip")),
]

STRANGERS = [
    b"",
    b"\n",
    b"S",
    b"N",
    b"\xff",
    b"\xff\xfb",
    b"220",
    b"220 ready\r\n",
    b"220 smtp.example.org ready\r\n",
    b"220 ftp.example.org ready\r\n",
    b"hello\r\n",
    b"login: ",
    b"HTTP/1.1",
    b"HTTP/1.1 2000 OK\r\n",
    b"HTTP/1.1 999 no\r\n",
    b"SSH-",
    b"SSH-3.0-x\r\n",
    b"ssh-2.0-x\r\n",
    b"my SSH-2.0-x\r\n",
    b"+PONG",
    b"+OK",
    b"+OKAY\r\n",
    b"* OKAY\r\n",
    b"-ERR\r\n",
    b"ERROR\r\n",
    b"RFB 003.008",
    b"E\0\0\0\x04",
    b"E\xff\xff\xff\xff" + b"SFATAL\0C0A000\0",
    mysql_greeting(b"no version"),
    mysql_greeting(b"8.0.36")[:9],
    dns_reply(b"x").replace(b"pr", b"qq"),
    queries.DNS_HELLO,  # an echo service is no name server
    stores.REDIS_HELLO,
    b"<htmlish>",
    b"line\n" * 20 + b"SSH-2.0-x\r\n",
]


@pytest.mark.parametrize(("data", "service"), GREETINGS, ids=lambda value: repr(value)[:50])
def test_greeting(data: bytes, service: Service) -> None:
    assert match(data) == service


@pytest.mark.parametrize("data", STRANGERS, ids=lambda value: repr(value)[:50])
def test_stranger(data: bytes) -> None:
    assert match(data) is None


@pytest.mark.parametrize("byte", range(256))
def test_one_byte_identifies_nothing(byte: int) -> None:
    assert match(bytes([byte])) is None


@given(st.binary(max_size=600))
def test_any_bytes_never_raise(data: bytes) -> None:
    for matcher in MATCHERS:
        matcher(data)


@given(st.sampled_from([data for data, _ in GREETINGS]), st.data())
def test_mangled_greetings_never_raise_and_stay_printable(greeting: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(greeting)))
    data = greeting[:at] + draw.draw(st.binary(max_size=40)) + greeting[at + draw.draw(st.integers(0, 4)) :]
    service = match(data)
    if service:
        fields = (service.name, service.product, service.version, service.info)
        assert all(text is None or (text.isprintable() and 0 < len(text) <= 200) for text in fields)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\nServer: " + b"a/" * 30_000,
        b"HTTP/1.1 200 OK\r\nServer: " + b"a-" * 30_000,
        b"SSH-2.0-" + b"A" * 60_000,
        b"\n" * 60_000,
        b"220-" + b"a." * 30_000,
        b"-ERR " + b"'" * 60_000,
        b"\xff\xfb\x01" * 20_000,
        b" " * 60_000,
    ],
    ids=lambda value: repr(value)[:30],
)
def test_floods_are_matched_in_no_time(data: bytes) -> None:
    service = match(data[:4096])
    assert service is None or service.name in {"http", "telnet", "ssh"}


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (b"250 2.0.0 Ok\r\n", "smtp"),
        (b"200 NOOP ok.\r\n", "ftp"),
        (b"530 Please login with USER and PASS.\r\n", "ftp"),
        (b"500 what?\r\n", None),
        (b"", None),
    ],
)
def test_noop_tells_ftp_from_smtp(reply: bytes, name: str | None) -> None:
    service = ftp.noop_reply(reply)
    assert (service.name if service else None) == name


def test_hostile_fields_are_escaped() -> None:
    service = match("SSH-2.0-evil_1.0 \x1b[2J\u202e\r\n".encode())
    assert service == Service("ssh", "evil", "1.0", "\\x1b[2J\\u202e")
