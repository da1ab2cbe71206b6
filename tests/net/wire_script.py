"""Run on a lab host: sends SYNs by each wire and prints what became of each. `python -m tests.net.wire_script WIRE…`

Prints {wire: {"TARGET PORT": answer}}, where an answer is the TCP flags, an ICMP type and code, an errno, or silence.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import select
import sys
import time

import numpy as np
import numpy.typing as npt

from probe.core import frames as f
from probe.core.block import join, split
from probe.core.replies import parse
from probe.net.craft import syn_templates
from probe.net.netlink import route_to
from probe.net.routes import ReservedPort
from probe.net.wire import Wire
from probe.net.wires import open_wire

HOSTS = ("198.18.0.1", "198.18.1.10", "198.18.0.10", "198.18.0.77", "198.19.0.1", "127.0.0.1",
         "fd18::1", "fd18:1::10", "fd18::10", "fd18::77", "fd18:9::1", "::1")  # fmt: skip
PORTS = (80, 81, 82)
PATIENCE = 0.4  # seconds without an answer
LONGEST = 5.0

Rows = npt.NDArray[np.void]


def syns(host: str, port: int) -> Rows:
    """One to each of PORTS; the sequence number is the destination port."""
    to = ipaddress.ip_address(host)
    try:
        own = route_to(to).source
    except OSError:
        own = ipaddress.ip_address("198.18.0.10" if to.version == 4 else "fd18::10")
    many = [(np.full(len(PORTS), half, np.uint64) for half in split(each)) for each in (own, to)]
    source, destination = (tuple(halves) for halves in many)
    stamp = f.Stamp(source, destination, port, np.array(PORTS, np.uint16), np.array(PORTS, np.uint32), 1)  # type: ignore[arg-type]
    return f.syn4(syn_templates().ipv4, stamp) if to.version == 4 else f.syn6(syn_templates().ipv6, stamp)


def send(wire: Wire, rows: Rows, names: list[str], answers: dict[str, str]) -> None:
    """Send all, those that were refused for the moment again."""
    left, end = np.arange(len(rows)), time.monotonic() + LONGEST
    while left.size and time.monotonic() < end:
        answers.update(dict.fromkeys([names[row] for row in left], "silence"))
        failed = wire.send(rows[left]).failed
        answers.update({names[left[row]]: errno.errorcode[code] for code, some in failed.items() for row in some})
        left = left[failed.get(errno.EAGAIN, np.zeros(0, np.int64))]
        time.sleep(0.01)


def listen(wire: Wire, own: int, answers: dict[str, str]) -> None:
    end = time.monotonic() + LONGEST
    while select.select([wire.fileno()], [], [], PATIENCE)[0] and time.monotonic() < end:
        while (batch := wire.receive()) is not None:
            parsed = parse(batch)
            assert parsed.malformed == 0
            t, i = parsed.tcp, parsed.icmp
            for high, low, sport, flags in zip(*t.source, t.sport, t.flags, strict=True):
                answers[f"{join(int(high), int(low))} {sport}"] = f"flags {flags:#x}"
            errors = zip(*i.destination, i.sport, i.dport, i.type, i.code, strict=True)
            for high, low, sport, dport, kind, code in errors:
                if sport == own:  # our own kernel gives up on a neighbour after seconds, and says so to the next wire
                    answers[f"{join(int(high), int(low))} {dport}"] = f"icmp {kind} {code}"


def tell(name: str) -> dict[str, str]:
    own = ReservedPort()
    wire = open_wire(name, own.number)
    answers = {f"{host} {port}": "silence" for host in HOSTS for port in PORTS}
    try:
        for version in (4, 6):
            hosts = [host for host in HOSTS if ipaddress.ip_address(host).version == version]
            parts = [syns(host, own.number) for host in hosts]
            rows = np.frombuffer(b"".join(part.tobytes() for part in parts), parts[0].dtype)
            send(wire, rows, [f"{host} {port}" for host in hosts for port in PORTS], answers)
        listen(wire, own.number, answers)
        assert wire.drops() == 0
    finally:
        wire.close()
        own.close()
    return answers


if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: tell(name) for name in sys.argv[1:]}))
