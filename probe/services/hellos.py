"""What may be said to a server that waits to be asked. One table, from the name of a hello to its bytes.

Each is harmless by what its protocol says it means: it asks for a version, a status or a list, or it is something that
the other side must refuse before anybody is named. None logs in, writes, or opens a session that lasts. TLS, HTTP and
PostgreSQL need more than bytes; they are dialogues of their own in `identify`.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from probe.services import (
    amqp,
    brokers,
    chatter,
    databases,
    directory,
    frames,
    games,
    industry,
    java,
    media,
    monitoring,
    queries,
    queues,
    routers,
    rpc,
    scanners,
    smb,
    storage,
    stores,
    tunnels,
    versioning,
    windows,
)


class Hello(Struct, frozen=True):
    """`request` goes first. `more` gets the whole answer to it and returns what to say then, or nothing.

    All that the server said on the connection, to both, goes to the matchers in one piece. `text` marks lines that a
    server which keeps silent will have skipped: such hellos may follow each other on one connection. Binary ones want
    a fresh one, for a server that waits for the rest of what it took for a frame will never wake up.
    """

    request: bytes
    more: Callable[[bytes], bytes] | None = None
    text: bool = False


def _line(request: bytes) -> Hello:
    return Hello(request, text=True)


# What a server that has greeted is asked on the same connection, because its greeting leaves the version out.
AFTER_GREETING: dict[str, bytes] = {"munin": b"version\n", "teamspeak": b"version\n"}

PLAIN: dict[str, Hello] = {
    "redis": _line(stores.REDIS_HELLO),
    "memcached": _line(stores.MEMCACHED_HELLO),
    "rtsp": _line(queries.RTSP_HELLO),
    "sip": _line(queries.SIP_HELLO),
    "gearman": _line(queues.GEARMAN_HELLO),
    "beanstalkd": _line(queues.BEANSTALKD_HELLO),
    "zookeeper": _line(monitoring.ZOOKEEPER_HELLO),
    "clamd": _line(scanners.CLAMD_HELLO),
    "spamd": _line(scanners.SPAMD_HELLO),
    "nut": _line(monitoring.NUT_HELLO),
    "ident": _line(chatter.IDENT_HELLO),
    "tor-control": _line(tunnels.TOR_CONTROL_HELLO),
    "xmpp": _line(chatter.XMPP_HELLO),
    "stomp": Hello(brokers.STOMP_HELLO),
    "dns": Hello(queries.DNS_HELLO),
    "h2": Hello(frames.H2_HELLO),
    "mongodb": Hello(databases.MONGODB_HELLO),
    "smb": Hello(smb.SMB_HELLO),
    "smb1": Hello(smb.SMB1_HELLO),
    "rdp": Hello(windows.RDP_HELLO),
    "msrpc": Hello(windows.MSRPC_HELLO),
    "mssql": Hello(windows.MSSQL_HELLO),
    "oracle-tns": Hello(databases.ORACLE_HELLO, databases.oracle_again),
    "ldap": Hello(directory.LDAP_HELLO),
    "kerberos": Hello(directory.KERBEROS_HELLO),
    "amqp": Hello(amqp.AMQP_HELLO),
    "rabbitmq-stream": Hello(amqp.STREAM_HELLO),
    "mqtt": Hello(brokers.MQTT_HELLO),
    "mqtt-nameless": Hello(brokers.MQTT_NAMELESS_HELLO),
    "kafka": Hello(brokers.KAFKA_HELLO),
    "cassandra": Hello(databases.CASSANDRA_HELLO),
    "socks5": Hello(tunnels.SOCKS5_HELLO, tunnels.socks5_command),
    "socks5-strange": Hello(tunnels.SOCKS5_STRANGE_HELLO),
    "socks4": Hello(tunnels.SOCKS4_HELLO),
    "rpc": Hello(rpc.RPC_HELLO),
    "git": Hello(versioning.GIT_HELLO),
    "zabbix-agent": Hello(monitoring.ZABBIX_AGENT_HELLO),
    "zabbix-trapper": Hello(monitoring.ZABBIX_SERVER_HELLO),
    "nrpe": Hello(monitoring.NRPE_HELLO),
    "epmd": Hello(chatter.EPMD_HELLO),
    "rmi": Hello(java.RMI_HELLO),
    "ajp13": Hello(java.AJP_HELLO),
    "jdwp": Hello(java.JDWP_HELLO, java.jdwp_version),
    "fastcgi": Hello(frames.FASTCGI_HELLO),
    "x11": Hello(frames.X11_HELLO),
    "afp": Hello(storage.AFP_HELLO),
    "iscsi": Hello(storage.ISCSI_HELLO),
    "openvpn": Hello(tunnels.OPENVPN_HELLO),
    "stun": Hello(tunnels.STUN_HELLO),
    "pptp": Hello(tunnels.PPTP_HELLO),
    "rtmp": Hello(media.RTMP_HELLO),
    "minecraft": Hello(games.MINECRAFT_HELLO),
    "mikrotik-api": Hello(routers.MIKROTIK_HELLO),
    "modbus": Hello(industry.MODBUS_HELLO),
    "opcua": Hello(industry.OPCUA_HELLO),
    "ethernet-ip": Hello(industry.ETHERNET_IP_HELLO),
    "iec-104": Hello(industry.IEC104_HELLO),
    "s7comm": Hello(industry.S7_HELLO, industry.s7_setup),
}
