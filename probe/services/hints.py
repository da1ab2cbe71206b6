"""What the number of a port is good for: the order of our questions and how long to wait, never the answer."""

from __future__ import annotations

GREETING = 0.4  # seconds for a server that speaks first
SLOW_GREETING = 1.5  # where such a server usually sits: many look our name up before they greet
ANSWER = 1.0  # seconds for the answer to a hello
QUIET = 0.15  # seconds of silence after which an answer is taken as complete
TLS = 2.0  # seconds for a TLS handshake

# Printers print what they are sent, whatever it is: they get no payload at all.
PRINTERS = frozenset(range(9100, 9108))

_GREETERS = frozenset((21, 22, 23, 25, 26, 110, 119, 143, 587, 873, 2222, 2525, 3306, 5900, 5901, 5902, 6667))
_GREETERS_IN_TLS = frozenset((465, 563, 990, 992, 993, 995, 6697))
_TLS = frozenset((443, 636, 853, 989, 2083, 2087, 2096, 2376, 4443, 5061, 5986, 6443, 8443, 8883, 9443, 10250))
_HTTP = frozenset(
    (80, 81, 82, 88, 591, 3000, 3128, 5000, 5601, 5984, 5985, 8000, 8008, 8080, 8081, 8086, 8088, 8888, 9200)
)
_FIRST = {
    **dict.fromkeys(_TLS | _GREETERS_IN_TLS, ("tls", "http")),
    **dict.fromkeys(_HTTP, ("http", "tls")),
    53: ("dns",),
    554: ("rtsp",),
    5432: ("postgresql",),
    5433: ("postgresql",),
    6379: ("redis",),
    6380: ("tls", "redis"),
    6432: ("postgresql",),
    8554: ("rtsp",),
    11211: ("memcached",),
    26379: ("redis",),
}
# TLS goes before HTTP: an HTTP server answers a ClientHello with an error, but a TLS server may answer plain HTTP too.
_ALWAYS = ("tls", "http", "redis", "postgresql", "memcached", "dns")
_INSIDE = {853: ("dns",), 6379: ("redis",), 6380: ("redis",)}


def greeting_patience(port: int, secure: bool = False) -> float:
    """Seconds to wait for a server that speaks first, before or (`secure`) inside TLS."""
    return SLOW_GREETING if port in (_GREETERS_IN_TLS if secure else _GREETERS) else GREETING


def hellos(port: int) -> tuple[str, ...]:
    """Names of the hellos to try, most likely first."""
    return tuple(dict.fromkeys((*_FIRST.get(port, ()), *_ALWAYS)))


def hellos_inside_tls(port: int) -> tuple[str, ...]:
    return (*_INSIDE.get(port, ()), "http")


def alpn(port: int) -> tuple[str, ...]:
    """HTTP/1.1 is offered where web servers may sit; mail servers and the like have no name for what they speak."""
    return () if port in _GREETERS_IN_TLS or port in _INSIDE else ("http/1.1",)
