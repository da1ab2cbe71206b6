"""XML in the form of nmap's `-oX`, for the many tools that read it. It says less than the other formats.

nmap's form has no cause, no finding and no evidence beyond reason and TTL; what answered goes where nmap puts its own
detections. Like nmap, more than `_FOLDED` ports of one state and one reason become one `extraports` element.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.sax.saxutils import quoteattr

from probe.judge.wording import printable
from probe.model import Address, RunInfo, Service, State, Summary, Verdict
from probe.profile.ports import format_ports
from probe.report import Out, PortByPort
from probe.services.ports import name_of
from probe.services.text import escape

_FOLDED = 25
_FORM = "1.05"  # version of nmap's own form that this keeps to


@dataclass(slots=True)
class _Host:
    """What is told of one address: its open ports, and the numbers of the others by state and reason."""

    alive: Verdict | None = None
    shown: list[Verdict] = field(default_factory=list)
    alike: dict[tuple[str, str], list[Verdict]] = field(default_factory=dict)
    folded: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def add(self, verdict: Verdict) -> None:
        if verdict.live and verdict.evidence.responder == str(verdict.key.address):
            self.alive = self.alive or verdict
        if verdict.state is State.OPEN:
            self.shown.append(verdict)
            return
        kind = (str(verdict.state), str(verdict.reason))
        self.folded.setdefault(kind, []).append(verdict.key.port)
        if len(kept := self.alike.setdefault(kind, [])) < _FOLDED:
            kept.append(verdict)

    def ports(self) -> list[Verdict]:
        """Those that have an element of their own, by number."""
        few = [one for kind, kept in self.alike.items() if len(self.folded[kind]) <= _FOLDED for one in kept]
        return sorted(self.shown + few, key=lambda verdict: (verdict.key.transport, verdict.key.port))

    def extra(self) -> Iterator[tuple[str, str, list[int]]]:
        for (state, reason), ports in self.folded.items():
            if len(ports) > _FOLDED:
                yield state, reason, ports


class NmapXmlSink(PortByPort):
    def __init__(self, out: Out) -> None:
        self._out = out
        self._hosts: dict[Address, _Host] = {}
        self._scanned: set[int] = set()

    def start(self, run: RunInfo) -> None:
        self._run = run

    def port(self, verdict: Verdict) -> None:
        self._hosts.setdefault(verdict.key.address, _Host()).add(verdict)
        self._scanned.add(verdict.key.port)

    def finding(self, finding: object) -> None:
        """nmap expects nothing."""

    def finish(self, summary: Summary) -> None:
        began = _moment(self._run.started)
        for line in self._document(began, summary):
            self._out.write(line + "\n")
        self._out.commit()

    def _document(self, began: datetime, summary: Summary) -> Iterator[str]:
        run, ended = self._run, began.timestamp() + summary.duration_s
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>'
        head = {"scanner": "nmap", "args": f"probe {run.source or run.profile}", "start": f"{began.timestamp():.0f}"}
        yield f"<nmaprun{_attributes(**head, startstr=_day(began), version=run.probe_version, xmloutputversion=_FORM)}>"
        kind = "connect" if run.wire == "connect" else "syn"
        ports = {"numservices": str(len(self._scanned)), "services": format_ports(self._scanned)}
        yield f"<scaninfo{_attributes(type=kind, protocol='tcp', **ports)}/>"
        yield '<verbose level="0"/><debugging level="0"/>'
        for address in sorted(self._hosts, key=lambda address: (address.version, int(address))):
            yield from _host(address, self._hosts[address])
        finished = {"time": f"{ended:.0f}", "timestr": _day(datetime.fromtimestamp(ended, UTC))}
        whole = "success" if summary.complete else "error"
        yield f"<runstats><finished{_attributes(**finished, elapsed=f'{summary.duration_s:.2f}', exit=whole)}/>"
        up = sum(host.alive is not None for host in self._hosts.values())
        yield f"<hosts{_attributes(up=str(up), down='0', total=str(len(self._hosts)))}/></runstats>"
        yield "</nmaprun>"


def _host(address: Address, host: _Host) -> Iterator[str]:
    """Like `nmap -Pn`, a host of which nothing was seen is up because the user said so."""
    alive = host.alive
    reason = (str(alive.reason), str(alive.evidence.ttl or 0)) if alive else ("user-set", "0")
    yield f"<host><status{_attributes(state='up', reason=reason[0], reason_ttl=reason[1])}/>"
    yield f"<address{_attributes(addr=str(address), addrtype=f'ipv{address.version}')}/>"
    yield "<hostnames></hostnames><ports>"
    for state, why, ports in host.extra():
        count = str(len(ports))
        reasons = _attributes(reason=why, count=count, proto="tcp", ports=format_ports(ports))
        yield f"<extraports{_attributes(state=state, count=count)}><extrareasons{reasons}/></extraports>"
    yield from map(_port, host.ports())
    yield "</ports></host>"


def _port(verdict: Verdict) -> str:
    evidence, talk = verdict.evidence, verdict.conversation
    seen = {"state": str(verdict.state), "reason": str(verdict.reason), "reason_ttl": str(evidence.ttl or 0)}
    elsewhere = evidence.responder not in (None, str(verdict.key.address))
    state = _attributes(**seen, **({"reason_ip": evidence.responder or ""} if elsewhere else {}))
    head = _attributes(protocol=verdict.key.transport, portid=str(verdict.key.port))
    banner = _attributes(id="banner", output=escape(talk.banner)) if talk and talk.banner else ""
    service = _service(talk.service if talk else None, verdict.key.port)
    return f"<port{head}><state{state}/>{service}{f'<script{banner}/>' if banner else ''}</port>"


def _service(service: Service | None, port: int) -> str:
    if service is None:
        name = name_of(port)
        return f"<service{_attributes(name=name, method='table', conf='3')}/>" if name else ""
    known = {"product": service.product, "version": service.version, "extrainfo": service.info}
    known |= {"tunnel": "ssl" if service.tls and service.name else None}
    said = {name: value for name, value in known.items() if value}
    return f"<service{_attributes(name=service.name or 'ssl', **said, method='probed', conf='10')}/>"


def _moment(started: str) -> datetime:
    try:
        return datetime.fromisoformat(started)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _day(moment: datetime) -> str:
    return f"{moment:%a %b} {moment.day:>2} {moment:%H:%M:%S %Y}"


def _attributes(**values: str) -> str:
    return "".join(f" {name}={quoteattr(printable(value))}" for name, value in values.items())
