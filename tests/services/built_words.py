"""Answers in text of servers that Debian does not have, as their documentation and sources have them."""

from __future__ import annotations

from probe.model import Service

S = Service
_ETHERX = b"xmlns:stream='http://etherx.jabber.org/streams'"

WORDS: list[tuple[bytes, Service]] = [
    # Pigeonhole and Cyrus: RFC 5804, 1.7
    (
        b'"IMPLEMENTATION" "Dovecot Pigeonhole"\r\n"SIEVE" "fileinto reject envelope"\r\n"SASL" ""\r\n"STARTTLS"\r\n'
        b'"VERSION" "1.0"\r\nOK "Dovecot ready."\r\n',
        S("managesieve", "Dovecot Pigeonhole"),
    ),
    (
        b'"IMPLEMENTATION" "Cyrus timsieved v3.6.1-Debian-3.6.1-4"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto"\r\nOK\r\n',
        S("managesieve", "Cyrus timsieved", "3.6.1-Debian-3.6.1-4"),
    ),
    # RFC 2033
    (b"220 mail.example.org LMTP Cyrus v3.6.1 server ready\r\n", S("lmtp", "Cyrus", "3.6.1")),
    (b"220 mail.example.org LMTP\r\n", S("lmtp")),
    (b"SPAMD/1.5 0 PONG\r\n", S("spamd", info="protocol 1.5")),
    (b"SPAMD/1.0 76 Bad header line: GET / HTTP/1.1\r\n", S("spamd", "SpamAssassin", info="protocol 1.0")),
    (b"220 dict.example.org <auth.mime> <12.34.56@dict.example.org>\r\n", S("dict")),
    (
        b"220 VMware Authentication Daemon Version 1.10: SSL Required, ServerDaemonProtocol:SOAP, "
        b"MKSDisplayProtocol:VNC , , NFCSSL supported/t\r\n",
        S("vmware-auth", "VMware Authentication Daemon", "1.10"),
    ),
    # RFC 6120, 4.9.3.10
    (
        b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' " + _ETHERX + b" id='8f2a' version='1.0'>",
        S("xmpp", info="server to server"),
    ),
    (b"0, 0 : ERROR : INVALID-PORT\r\n", S("ident")),
    (
        b'TS3\n\rWelcome to the TeamSpeak 3 ServerQuery interface, type "help" for a list of commands\n\r',
        S("teamspeak", "TeamSpeak 3", info="ServerQuery"),
    ),
    (
        b'TS3\n\rWelcome to the TeamSpeak 3 ServerQuery interface, type "help"\n\r'
        b"version=3.13.7 build=1655727713 platform=Linux\n\rerror id=0 msg=ok\n\r",
        S("teamspeak", "TeamSpeak 3", "3.13.7", "ServerQuery"),
    ),
    (b"Asterisk Call Manager/5.0.1\r\n", S("asterisk-ami", "Asterisk", info="manager interface 5.0.1")),
    (b"Content-Type: auth/request\n\n", S("freeswitch-esl", "FreeSWITCH")),
    (
        b"<<<check_mk>>>\nVersion: 2.1.0p20\nAgentOS: linux\nHostname: db\n",
        S("check-mk-agent", "Checkmk agent", "2.1.0p20"),
    ),
    (b"srvr is not executed because it is not in the whitelist.\n", S("zookeeper", "ZooKeeper")),
    (
        b"Zookeeper version: 3.4.13-5--1, built on 06/07/2019 17:34 GMT\nLatency min/avg/max: 0/0/0\n",
        S("zookeeper", "ZooKeeper", "3.4.13"),
    ),
    # git, upload-pack of a repository at the root: the version stands in `agent`
    (
        b"006e" + b"1" * 40 + b" HEAD\0multi_ack side-band-64k object-format=sha1 agent=git/2.39.2\n" + b"0000",
        S("git", "git", "2.39.2"),
    ),
    (b"cvs [server aborted]: bad auth protocol start: GET / HTTP/1.1\n", S("cvs", "CVS")),
    (
        b"Tarantool 2.10.4 (Binary) 9e1b3a1c-0000-4000-8000-000000000000\n" + b"c2FsdA==".ljust(63) + b"\n",
        S("tarantool", "Tarantool", "2.10.4"),
    ),
    (b"ceph v027" + bytes(17), S("ceph", info="messenger v1")),
    (b"ceph v2\n\x10\0" + b"\x03" + bytes(7) + bytes(8), S("ceph", info="messenger v2")),
    # ActiveMQ on a frame that it does not know
    (
        b"ERROR\ncontent-type:text/plain\nmessage:Unknown STOMP action: PROBE\n\n"
        b"org.apache.activemq.transport.stomp.ProtocolException: Unknown STOMP action: PROBE\n\0\n",
        S("stomp", "ActiveMQ"),
    ),
    (
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP probe.invalid\r\nServer: Asterisk PBX 18.10.0\r\n\r\n",
        S("sip", "Asterisk PBX", "18.10.0"),
    ),
    (
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP probe.invalid\r\nUser-Agent: FreeSWITCH-mod_sofia/1.10.9\r\n\r\n",
        S("sip", "FreeSWITCH-mod_sofia", "1.10.9"),
    ),
]
