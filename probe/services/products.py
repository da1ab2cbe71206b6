"""What speaks HTTP, by the answer to `GET /` alone: an API that says its name, a header that only one product sends.

The name stays `http`; printing over it (`ipp`) is a protocol of its own. And some servers that speak no HTTP at all
answer a web request in HTTP, to say so: those are named for what they are.
"""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

Signs = tuple[tuple[str, tuple[bytes, ...], "re.Pattern[bytes] | None"], ...]


def _signs(*rows: tuple[str, tuple[bytes, ...], bytes | None]) -> Signs:
    """(product, what must all be there, pattern whose group is the version)."""
    return tuple((product, there, re.compile(version) if version else None) for product, there, version in rows)


_NUMBER = rb'"number"\s*:\s*"([^"]*)"'
_API = _signs(
    ("OpenSearch", (b'"cluster_name"', b'"distribution"', b'"opensearch"'), _NUMBER),
    ("Elasticsearch", (b'"cluster_name"', b'"You Know, for Search"'), _NUMBER),
    ("CouchDB", (b'{"couchdb":"Welcome"',), rb'"version":"([^"]*)"'),
    ("Neo4j", (b'"neo4j_version"', b'"bolt_'), rb'"neo4j_version"\s*:\s*"([^"]*)"'),
    ("Kubernetes API", (b'"kind"', b'"Status"', b'"apiVersion"', b'"v1"', b'"metadata"'), None),
    ("Kubernetes API", (b'"gitVersion"', b'"gitCommit"', b'"compiler"'), rb'"gitVersion"\s*:\s*"v?([^"]*)"'),
    ("Prometheus", (b'"success"', b'"goVersion"', b'"buildUser"', b'"version":"2.'), rb'"version":"([^"]*)"'),
    ("Prometheus", (b'"success"', b'"goVersion"', b'"buildUser"', b'"version":"3.'), rb'"version":"([^"]*)"'),
    ("etcd", (b'"etcdserver"', b'"etcdcluster"'), rb'"etcdserver":"([^"]*)"'),
    ("Grafana", (b'"commit"', b'"database"', b'"version"'), rb'"version"\s*:\s*"([^"]*)"'),
    ("Vault", (b'"initialized"', b'"sealed"', b'"version"'), rb'"version"\s*:\s*"([^"]*)"'),
    ("Consul", (b"Consul Agent: UI disabled",), None),
    ("Ollama", (b"Ollama is running",), None),
)
_HEADERS = _signs(
    ("Podman", (b"\nserver: Libpod/",), rb"\nserver: Libpod/(\d[\w.+-]*)"),
    ("Jenkins", (b"\nx-jenkins: ",), rb"\nx-jenkins: (\d[\w.-]*)"),
    ("InfluxDB", (b"\nx-influxdb-version: ",), rb"\nx-influxdb-version: v?(\d[\w.-]*)"),
    ("Kibana", (b"\nkbn-name: ",), rb"\nkbn-version: (\d[\w.-]*)"),
    ("Elasticsearch", (b"\nx-elastic-product: Elasticsearch",), None),
    ("Kubernetes API", (b"\nx-kubernetes-pf-flowschema-uid: ",), None),
    ("ClickHouse", (b"\nx-clickhouse-",), None),
    ("GitLab", (b"\nx-gitlab-meta: ",), None),
    ("Gitea", (b"\nset-cookie: i_like_gitea=",), None),
    ("Forgejo", (b"\nset-cookie: i_like_forgejo=",), None),
    ("Plex Media Server", (b"\nx-plex-protocol: ",), None),
    ("Consul", (b"\nx-consul-",), None),
    ("Privoxy", (b" 400 Invalid header received from client",), None),
)
_PAGES = _signs(
    ("Apache Tomcat", (b"3>Apache Tomcat/",), rb">Apache Tomcat/(\d[\w.]*)[^\w.]"),
    ("Apache Tomcat", (b"<title>Apache Tomcat/",), rb">Apache Tomcat/(\d[\w.]*)[^\w.]"),
    ("Node Exporter", (b"<title>Node Exporter</title>",), rb"version=(\d[\w.]*)[^\w.]"),
    ("Prometheus", (b"<title>Prometheus Time Series Collection",), None),
    ("HAProxy", (b"<title>Statistics Report for HAProxy",), rb"HAProxy version (\d[\w.]*)[^\w.]"),
    ("Grafana", (b"<title>Grafana</title>",), None),
    ("RabbitMQ Management", (b"<title>RabbitMQ Management</title>",), None),
)
# Who says nothing of itself at `/`, and where it does: a page of its version that is there for everybody to read.
_FURTHER = (
    (b"302", rb"location: /(?:classic/)?(?:graph|query)\r?\n", "/api/v1/status/buildinfo"),  # Prometheus
    (b"302", rb"location: /login\r?\n", "/api/health"),  # Grafana
    (b"307", rb"location: /ui/\r?\n", "/v1/sys/health"),  # Vault
    (b"404", rb"access-control-allow-methods: POST, GET, OPTIONS, PUT, DELETE\r?\n", "/version"),  # etcd
    (b"401", rb"audit-id: ", "/version"),  # Kubernetes
    (b"403", rb"audit-id: ", "/version"),
)
# Each at the very beginning, of the status line or of the body: a page that quotes it is a page.
_NO_WEB = (
    (Service("mongodb", "MongoDB"), b"It looks like you are trying to access MongoDB over HTTP"),
    (Service("clickhouse", "ClickHouse"), b"Port 9000 is for clickhouse-client program"),
    (Service("hadoop-ipc", "Hadoop"), b"It looks like you are making an HTTP request to a Hadoop IPC port"),
    (Service("socks5", "Tor"), b"HTTP/1.0 501 Tor is not an HTTP Proxy\r\n"),
    (Service("tor-control", "Tor"), b"HTTP/1.0 501 Tor ControlPort is not an HTTP proxy\r\n"),
)
_PRINTER = re.compile(rb"\nserver: ([\w-]+)/(\d[\w.]*) (?:\([^\r\n)]*\) )?IPP/(\d\.\d)")
_NAME = re.compile(rb"\n([!-9;-~]+)[ \t]*:[ \t]*")
_ELASTIC_TRANSPORT = re.compile(rb"This is not an? HTTP port\Z")


def recognised(head: bytes, body: bytes) -> Service | None:
    """By the head (status line and headers) and the body; None where at most the Server header can tell."""
    for service, words in _NO_WEB:
        if head.startswith(words) or body.startswith(words):
            return service
    headers = _headers(head)
    printer = _PRINTER.search(headers)
    if printer:
        exact = re.search(rb"<TITLE>[^<]* v(" + re.escape(printer[2]) + rb"\.[\w.]+)</", body)
        version = exact[1] if exact else printer[2]
        return Service("ipp", field(printer[1]), field(version), field(b"IPP " + printer[3]))
    told = b"" if body.lstrip().startswith(b"<") else body
    return _by(_API, told) or _by(_HEADERS, headers) or _by(_PAGES, body)


def further(head: bytes) -> str | None:
    """The path that tells more than `/` did, where the head of that answer looks like somebody's who has one."""
    headers = _headers(head + b"\r\n")
    for status, header, path in _FURTHER:
        if headers[9:12] == status and re.search(rb"\n" + header, headers):
            return path
    return None


def _headers(head: bytes) -> bytes:
    """Names in lower case, one blank after the colon."""
    return _NAME.sub(lambda name: b"\n" + name[1].lower() + b": ", head)


def _by(signs: Signs, text: bytes) -> Service | None:
    for product, there, version in signs:
        if all(words in text for words in there):
            found = version.search(text) if version else None
            return Service("http", product, field(found[1]) if found else None)
    return None


def elastic_transport(data: bytes) -> Service | None:
    """The port on which Elasticsearch's nodes talk: it complains about a web request, without a status line."""
    return Service("elasticsearch-transport", "Elasticsearch") if _ELASTIC_TRANSPORT.match(data) else None
