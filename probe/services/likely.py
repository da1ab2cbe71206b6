"""Which hello where? The tables behind `hints`: they order our questions and are never taken for an answer."""

from __future__ import annotations


def _ports(text: str) -> frozenset[int]:
    """Numbers and ranges: `80-82 591`."""
    numbers = set[int]()
    for part in text.split():
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


# Printers print what they are sent, whatever it is: they get no payload at all.
PRINTERS = _ports("9100-9107")
GREETERS = _ports(
    "21-26 110 119 143 179 587 873 902 2000 2222 2525 2628 2947 3306 3690 4190 4222 4505 4506 4949 5038 5900-5902 6556 "
    "6600 6667 6789 8021 8649 10011 10809 61616"
)
GREETERS_IN_TLS = _ports("465 563 990 992 993 995 6697 64738")
_TLS = _ports("443 636 853 989 2083 2087 2096 2376 3269 4443 5061 5223 5671 5986 6443 8443 8883 9443 10250") | (
    GREETERS_IN_TLS
)
_HTTP = _ports(
    "80-82 88 591 631 2375 2379 3000 3128 4646 5000 5601 5984 5985 7474 8000 8008 8080 8081 8086 8088 8123 8200 8500 "
    "8888 9090 9093 9200 9300 11434 15672"
)
# A port that stands in several rows gets all of them, in the order of the rows.
_AT_HOME: tuple[tuple[frozenset[int], tuple[str, ...]], ...] = (
    (_HTTP, ("http", "tls")),
    (_TLS, ("tls", "http")),
    (_ports("53 5353"), ("dns",)),
    (_ports("88 464 749"), ("kerberos",)),
    (_ports("102"), ("s7comm", "rdp")),
    (_ports("111 2049 20048"), ("rpc",)),
    (_ports("113"), ("ident",)),
    (_ports("135 593"), ("msrpc",)),
    (_ports("139 445"), ("smb", "smb1")),
    (_ports("389 1389 3268 10389"), ("ldap",)),
    (_ports("502"), ("modbus",)),
    (_ports("548"), ("afp",)),
    (_ports("554 8554"), ("rtsp",)),
    (_ports("783"), ("spamd",)),
    (_ports("860 3260"), ("iscsi",)),
    (_ports("1080 1081"), ("socks5", "socks5-strange", "socks4")),
    (_ports("1090 1098 1099"), ("rmi",)),
    (_ports("1194"), ("openvpn",)),
    (_ports("1433 1434 2433"), ("mssql",)),
    (_ports("1521 1522 1525 1526"), ("oracle-tns",)),
    (_ports("1723"), ("pptp",)),
    (_ports("1883"), ("mqtt", "mqtt-nameless")),
    (_ports("1935"), ("rtmp",)),
    (_ports("2181"), ("zookeeper",)),
    (_ports("2401"), ("http",)),  # a CVS server complains about anything
    (_ports("2404"), ("iec-104",)),
    (_ports("3310"), ("clamd",)),
    (_ports("3388-3390"), ("rdp",)),
    (_ports("3478"), ("stun",)),
    (_ports("3493"), ("nut",)),
    (_ports("4369"), ("epmd",)),
    (_ports("4730"), ("gearman",)),
    (_ports("4840"), ("opcua",)),
    (_ports("5005 8787 9009"), ("jdwp",)),
    (_ports("5060"), ("sip",)),
    (_ports("5222 5269"), ("xmpp",)),
    (_ports("5432 5433 6432 26257"), ("postgresql",)),
    (_ports("5552"), ("rabbitmq-stream",)),
    (_ports("5666"), ("nrpe", "tls")),
    (_ports("5672"), ("amqp",)),
    (_ports("6000-6009"), ("x11",)),
    (_ports("6379 26379"), ("redis",)),
    (_ports("6380"), ("tls", "redis")),
    (_ports("8009"), ("ajp13",)),
    (_ports("8728"), ("mikrotik-api",)),
    (_ports("9000"), ("fastcgi", "http")),
    (_ports("9042"), ("cassandra",)),
    (_ports("9050 9150"), ("socks5", "socks5-strange")),
    (_ports("9051"), ("tor-control",)),
    (_ports("9092-9094"), ("kafka",)),
    (_ports("9418"), ("git",)),
    (_ports("10050"), ("zabbix-agent",)),
    (_ports("10051"), ("zabbix-trapper",)),
    (_ports("11211"), ("memcached",)),
    (_ports("11300"), ("beanstalkd",)),
    (_ports("25565"), ("minecraft",)),
    (_ports("27017-27019"), ("mongodb",)),
    (_ports("44818"), ("ethernet-ip",)),
    (_ports("50051"), ("h2",)),
    (_ports("61613"), ("stomp",)),
)
FIRST: dict[int, tuple[str, ...]] = {}
for _row, _names in _AT_HOME:
    for _port in _row:
        FIRST[_port] = tuple(dict.fromkeys(FIRST.get(_port, ()) + _names))

# HTTP goes first: most servers answer or hang up on a line of text at once, and one that serves a connection after the
# other would wait for the rest of a ClientHello. A plain answer of a TLS server to it is held back until TLS was tried.
GENERAL = ("http", "tls", "redis", "postgresql", "memcached", "dns")
# Lines before frames, since they can share a connection; then by likelihood. Not here, and so asked at home only: the
# debugger's door (somebody may be waiting for the one visitor whom it lets in), and controllers, of which the old ones
# stumble over what they do not expect.
REST = (
    "zookeeper", "gearman", "beanstalkd", "clamd", "spamd", "nut", "tor-control", "ident", "xmpp", "sip", "rtsp",
    "mongodb", "mqtt", "amqp", "ldap", "smb", "rdp", "mssql", "oracle-tns", "h2", "socks5", "socks5-strange", "rpc",
    "cassandra", "kafka", "zabbix-agent", "zabbix-trapper", "git", "epmd", "msrpc", "stomp", "mqtt-nameless", "openvpn",
    "stun", "fastcgi", "ajp13", "rmi", "nrpe", "x11", "minecraft", "rtmp", "rabbitmq-stream", "pptp", "afp", "iscsi",
    "kerberos", "socks4", "mikrotik-api", "smb1",
)  # fmt: skip
ONLY_AT_HOME = frozenset(("jdwp", "modbus", "s7comm", "iec-104", "opcua", "ethernet-ip"))
INSIDE_TLS: dict[int, tuple[str, ...]] = {
    636: ("ldap",), 853: ("dns",), 3269: ("ldap",), 5061: ("sip",), 5223: ("xmpp",), 5666: ("nrpe",), 5671: ("amqp",),
    6379: ("redis",), 6380: ("redis",), 8883: ("mqtt", "mqtt-nameless"), 10050: ("zabbix-agent",),
    10051: ("zabbix-trapper",), 61612: ("stomp",),
}  # fmt: skip
GENERAL_INSIDE_TLS = (
    "http",
    "mqtt",
    "amqp",
    "ldap",
    "redis",
    "mongodb",
    "xmpp",
    "dns",
    "sip",
    "kafka",
    "cassandra",
    "nrpe",
)
