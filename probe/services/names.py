"""Every name that a service can identify itself by: what a profile may expect, and `probe find` look for."""

from __future__ import annotations

NAMES = frozenset((
    "afp", "ajp13", "amqp", "asterisk-ami", "beanstalkd", "bgp", "cassandra", "ceph", "check-mk-agent", "clamd",
    "clickhouse", "cvs", "dict", "dns", "elasticsearch-transport", "epmd", "ethernet-ip", "fastcgi", "freeswitch-esl",
    "ftp", "ganglia", "gearman", "git", "gpsd", "hadoop-ipc", "http", "ident", "iec-104", "imap", "ipp", "irc",
    "iscsi", "jdwp", "kafka", "kerberos", "ldap", "lmtp", "managesieve", "memcached", "mikrotik-api", "minecraft",
    "modbus", "mongodb", "mountd", "mpd", "mqtt", "msrpc", "mssql", "mumble", "munin", "mysql", "nats", "nbd",
    "netbios-ssn", "nfs", "nlockmgr", "nntp", "nrpe", "nut", "oncrpc", "opcua", "openvpn", "openvpn-management",
    "openwire", "oracle-tns", "pop3", "postgresql", "pptp", "rabbitmq-stream", "rdp", "redis", "rmi", "rpcbind",
    "rsync", "rtmp", "rtsp", "s7comm", "sip", "smb", "smtp", "socks4", "socks5", "spamd", "ssh", "status", "stomp",
    "stun", "svn", "tarantool", "teamspeak", "telnet", "tor-control", "vmware-auth", "vnc", "x11", "xmpp",
    "zabbix-agent", "zabbix-trapper", "zmtp", "zookeeper",
))  # fmt: skip
