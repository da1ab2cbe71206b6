"""Answers to web requests: APIs that introduce themselves, headers of one product, complaints of who speaks no HTTP."""

from __future__ import annotations

from probe.model import Service

S = Service


def page(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *headers)) + b"\r\n\r\n" + body


_JSON = b"Content-Type: application/json"
_ELASTIC = (
    b'{\n  "name" : "n1",\n  "cluster_name" : "docker-cluster",\n  "version" : {\n    "number" : "7.17.9",\n'
    b'    "build_flavor" : "default",\n    "lucene_version" : "8.11.1"\n  },\n  "tagline" : "You Know, for Search"\n}\n'
)
_OPENSEARCH = (
    b'{\n  "name" : "n1",\n  "cluster_name" : "opensearch-cluster",\n  "version" : {\n'
    b'    "distribution" : "opensearch",\n    "number" : "2.5.0"\n  },\n  "tagline" : "The OpenSearch Project: https://opensearch.org/"\n}\n'
)
_FORBIDDEN = (
    b'{\n  "kind": "Status",\n  "apiVersion": "v1",\n  "metadata": {},\n  "status": "Failure",\n'
    b'  "message": "forbidden: User \\"system:anonymous\\" cannot get path \\"/\\"",\n  "code": 403\n}\n'
)

WEB: list[tuple[bytes, Service]] = [
    (page(_ELASTIC, b"X-elastic-product: Elasticsearch", _JSON), S("http", "Elasticsearch", "7.17.9")),
    (page(b"21c\r\n" + _ELASTIC, _JSON, b"transfer-encoding: chunked"), S("http", "Elasticsearch", "7.17.9")),
    (page(b"{}", b"X-elastic-product: Elasticsearch", status=b"401 Unauthorized"), S("http", "Elasticsearch")),
    (page(_OPENSEARCH, _JSON), S("http", "OpenSearch", "2.5.0")),
    (
        page(
            b'{"couchdb":"Welcome","version":"3.3.1","vendor":{"name":"x"}}\n', b"Server: CouchDB/3.3.1 (Erlang OTP/25)"
        ),
        S("http", "CouchDB", "3.3.1", "CouchDB/3.3.1 (Erlang OTP/25)"),
    ),
    (
        page(b'{"bolt_routing":"neo4j://x","neo4j_version":"4.4.8","neo4j_edition":"community"}', _JSON),
        S("http", "Neo4j", "4.4.8"),
    ),
    (page(_FORBIDDEN, b"Audit-Id: 1", _JSON, status=b"403 Forbidden"), S("http", "Kubernetes API")),
    (
        page(b'{\n  "major": "1",\n  "gitVersion": "v1.26.1",\n  "gitCommit": "8f94",\n  "compiler": "gc"\n}', _JSON),
        S("http", "Kubernetes API", "1.26.1"),
    ),
    (
        page(b'{"message":"page not found"}\n', b"Api-Version: 1.41", b"Server: Docker/20.10.24 (linux)"),
        S("http", "Docker", "20.10.24", "(linux)"),
    ),
    (
        page(b"", b"Libpod-Api-Version: 4.3.1", b"Server: Libpod/4.3.1 (linux)"),
        S("http", "Podman", "4.3.1", "Libpod/4.3.1 (linux)"),
    ),
    (
        page(b"", b"X-Jenkins: 2.387.1", b"Server: Jetty(10.0.13)", status=b"403 Forbidden"),
        S("http", "Jenkins", "2.387.1", "Jetty(10.0.13)"),
    ),
    (page(b"", b"kbn-name: kibana", b"kbn-version: 7.6.2", status=b"302 Found"), S("http", "Kibana", "7.6.2")),
    (page(b'{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}', _JSON), S("http", "etcd", "3.4.23")),
    (page(b'{"initialized":true,"sealed":false,"version":"1.12.2"}', _JSON), S("http", "Vault", "1.12.2")),
    (page(b"Consul Agent: UI disabled. To enable, set ui_config.enabled=true"), S("http", "Consul")),
    (page(b"Ollama is running", b"Content-Type: text/plain"), S("http", "Ollama")),
    (page(b"Ok.\n", b"X-ClickHouse-Summary: {}"), S("http", "ClickHouse")),
    (page(b"", b"X-Powered-By: Express"), S("http", "Express")),
    (page(b"", b"X-Powered-By: PHP/8.2.7"), S("http", "PHP", "8.2.7")),
    (page(b"<html><title>Node Exporter</title> (version=1.5.0, branch=x)"), S("http", "Node Exporter", "1.5.0")),
    # who speaks no HTTP
    (
        b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 85\r\n\r\n"
        b"It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n",
        S("mongodb", "MongoDB"),
    ),
    (
        b"HTTP/1.0 400 Bad Request\r\n\r\nPort 9000 is for clickhouse-client program\r\nYou must use port 8123.\r\n",
        S("clickhouse", "ClickHouse"),
    ),
    (
        page(
            b"It looks like you are making an HTTP request to a Hadoop IPC port. This is not the correct port for the "
            b"web interface on this daemon.\r\n",
            status=b"404 Not Found",
        ),
        S("hadoop-ipc", "Hadoop"),
    ),
    (b"This is not an HTTP port", S("elasticsearch-transport", "Elasticsearch")),
    # pages that only talk about them
    (page(b"<html><p>It looks like you are trying to access MongoDB over HTTP"), S("http")),
    (page(b'<html>{"couchdb":"Welcome","version":"3.3.1"}'), S("http")),
    (page(b"", b"X-Note: Server: Docker/1.0"), S("http")),
]
