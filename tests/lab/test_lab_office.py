"""The office: every server answers on its own host, and the edge does what its rule file says."""

from __future__ import annotations

import json
import sys

import pytest

from probe.lab import Lab
from tests.lab.lab_world import PATIENCE, REPOSITORY, greeting

pytestmark = pytest.mark.lab

HTTP = b"GET / HTTP/1.0\r\nHost: office.test\r\n\r\n"
DNS = bytes.fromhex("0021 0001 0000 0001 0000 0000 0000 03777777 066f6666696365 0474657374 00 0001 0001")

# (host, port, what to say first, what the answer begins with)
SERVERS = [
    ("web", 80, HTTP, "HTTP/1.1 301"),
    ("mail", 25, b"", "220 "),
    ("mail", 110, b"", "+OK"),
    ("mail", 143, b"", "* OK"),
    ("db", 6379, b"PING\r\n", "+PONG"),
    ("files", 4982, b"", "220 "),
    ("admin", 8821, b"", "SSH-2.0-OpenSSH"),
]


@pytest.mark.parametrize("host, port, ask, answer", SERVERS, ids=[f"{host}-{port}" for host, port, _, _ in SERVERS])
def test_servers_answer_in_both_families(office: Lab, host: str, port: int, ask: bytes, answer: str) -> None:
    for address in office.names[host]:
        assert greeting(office, host, str(address), port, ask).startswith(answer)


def python(office: Lab, host: str, script: str) -> str:
    done = office.run(host, [sys.executable, "-c", script], timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_dns_answers_over_tcp(office: Lab) -> None:
    script = (
        "import socket\n"
        f"peer = socket.create_connection(('198.18.1.25', 53), 3); peer.sendall(bytes.fromhex({DNS.hex()!r}))\n"
        "print(peer.recv(500).hex())\n"
    )
    assert bytes((198, 18, 1, 10)).hex() in python(office, "internet", script)


def test_https_shows_the_labs_own_certificate(office: Lab) -> None:
    script = (
        "import socket, ssl\n"
        "context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE\n"
        "with context.wrap_socket(socket.create_connection(('fd18:1::10', 443), 3)) as peer:\n"
        "    print(peer.version(), b'office.test' in peer.getpeercert(True))\n"
    )
    assert python(office, "internet", script) == "TLSv1.3 True"


def test_the_printer_accepts_and_says_nothing(office: Lab) -> None:
    script = (
        "import socket\n"
        "peer = socket.create_connection(('198.18.2.40', 9100), 3); peer.sendall(b'hello'); peer.settimeout(0.2)\n"
        "try: print(peer.recv(9))\n"
        "except TimeoutError: print('silence')\n"
    )
    assert python(office, "files", script) == "silence"


# What the vantage gets, as errno or "open": ECONNREFUSED is a reset, EACCES and EHOSTUNREACH an ICMP error.
PROMISES = [
    ("198.18.1.10", 443, "open"),
    ("fd18:1::10", 80, "open"),
    ("198.18.1.10", 8080, "ECONNREFUSED"),
    ("fd18:1::10", 8080, "ECONNREFUSED"),
    ("198.18.1.10", 22, "ECONNREFUSED"),
    ("fd18:1::10", 22, "ECONNREFUSED"),
    ("198.18.1.10", 21, "timeout"),
    ("198.18.1.25", 113, "ECONNREFUSED"),
    ("fd18:1::25", 113, "ECONNREFUSED"),
    ("198.18.2.20", 6379, "timeout"),
    ("fd18:2::20", 6379, "timeout"),
    ("fd18:2::30", 4982, "open"),
    ("198.18.2.40", 9100, "EHOSTUNREACH"),
    ("fd18:2::40", 9100, "EACCES"),
    ("198.18.0.1", 2222, "open"),
    ("fd18::1", 2222, "timeout"),
    ("198.18.0.1", 22, "timeout"),
    ("fd18:3::10", 8821, "open"),
]


def test_the_edge_keeps_its_promises(office: Lab) -> None:
    """All at once. An ICMP error that comes while connect() runs counts only when the SYN is repeated, after 1 s."""
    script = (
        "import errno, select, socket\n"
        f"doors = {[(address, port) for address, port, _ in PROMISES]!r}\n"
        "tries = []\n"
        "for address, port in doors:\n"
        "    door = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)\n"
        "    door.setblocking(False); door.connect_ex((address, port)); tries.append(door)\n"
        "waiting = set(tries)\n"
        "while waiting and (ready := select.select([], list(waiting), [], 1.5)[1]): waiting -= set(ready)\n"
        "for door in tries:\n"
        "    code = door.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)\n"
        "    print('timeout' if door in waiting else errno.errorcode[code] if code else 'open')\n"
    )
    seen = python(office, "internet", script).splitlines()
    assert [(address, port, said) for (address, port, _), said in zip(PROMISES, seen, strict=True)] == PROMISES


def test_the_tally_counts_syns_by_source_port(office: Lab) -> None:
    loaded = office.run("edge", ["nft", "-f", str(REPOSITORY / "lab/tally.nft")])
    assert loaded.returncode == 0, loaded.stderr
    script = (
        "import socket\n"
        "for address in ('198.18.1.10', 'fd18:1::10') * 2:\n"
        "    door = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)\n"
        "    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "    door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\\1\\0\\0\\0\\0\\0\\0\\0')\n"
        "    door.bind(('', 45678)); door.connect((address, 80)); door.close()\n"
    )
    python(office, "internet", script)
    listed = json.loads(office.run("edge", ["nft", "-j", "list", "set", "inet", "tally", "syns"]).stdout)
    elements = next(entry["set"]["elem"] for entry in listed["nftables"] if "set" in entry)
    assert {entry["elem"]["val"]: entry["elem"]["counter"]["packets"] for entry in elements}[45678] == 4
    office.run("edge", ["nft", "delete", "table", "inet", "tally"])
