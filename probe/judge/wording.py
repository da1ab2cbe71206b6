"""Verdicts and their evidence in words, for people. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from probe.judge.likeness import answering
from probe.model import Cause, Evidence, PortKey, Reason, Service, State, Verdict
from probe.spans import Spans

_PACKETS = {Reason.SYN_ACK: "SYN-ACK", Reason.RESET: "RST"}
_NO_PACKET = {
    "conflict": "a valid SYN-ACK and a valid RST, which contradict each other",
    "not-sent": "never sent",
    "interrupted": "the run was interrupted before it was decided",
    "canary-silent": "no answer, but ports that had answered before fell silent too",
}


def evidence_in_words(verdict: Verdict, *, brief: bool = False) -> str:
    """The packet that decided, or its absence: `SYN-ACK from 198.18.1.10, TTL 63, window 65160`.

    `brief` is for tables: without the sender where it is the scanned host itself, and without what says little.
    """
    evidence = verdict.evidence
    words = ", ".join([_packet(verdict, brief), *_fields(verdict, brief)])
    # errno names what the kernel said in place of a packet (connect scan, local failure).
    words += f" ({evidence.errno})" if evidence.errno else ""
    return words + (f"; {printable(evidence.note)}" if evidence.note else "")


def seen_in_words(verdict: Verdict) -> str:
    """`open`, `closed (refused)`, `filtered, cause undetermined`, `unknown`."""
    if verdict.state is State.UNKNOWN or verdict.cause is Cause.LISTENING:
        return str(verdict.state)
    if verdict.cause in (None, Cause.UNDETERMINED):
        return f"{verdict.state}, cause undetermined"
    return f"{verdict.state} ({verdict.cause})"


def look_in_words(verdict: Verdict) -> str:
    """`open, ssh (OpenSSH 9.2)`, `filtered (dropped): no answer to 3 probes`: who answers, or what shows that none."""
    service = answering(verdict)
    if service is None:
        return f"{seen_in_words(verdict)}: {evidence_in_words(verdict)}"
    layer = f" inside {printable(service.tls.version)}" if service.tls and service.name else ""
    return f"{seen_in_words(verdict)}, {service_in_words(service)}{layer}{_mark(service)}"


def _mark(service: Service) -> str:
    """The certificate by which one could know it again, cut short; a host key stands in the words of the service."""
    known_by = service.tls.sha256 if service.tls and not service.key else None
    return f", sha256 {printable(known_by)[:12]}…" if known_by else ""


def words_in_words(words: Sequence[str]) -> str:
    """`open`, `rejected or dropped`, `open, rejected or dropped`."""
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def place(key: PortKey) -> str:
    """`198.18.1.10 tcp/22`: one notation for both families, no brackets to get wrong."""
    return f"{key.address} {key.transport}/{key.port}"


def printable(text: str) -> str:
    r"""`text` on one line that no terminal, editor or XML parser can be led astray by.

    Whatever Unicode does not call printable (controls, bidi and zero-width characters, surrogates, noncharacters, odd
    spaces) becomes `\xNN`, `\uNNNN` or `\UNNNNNNNN`. Idempotent: text that was escaped before stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def service_in_words(service: Service) -> str:
    """`ssh (OpenSSH 9.2p1, key SHA256:…)`. Product and version came from the network, so they are escaped."""
    product = " ".join(part for part in (service.product, service.version) if part)
    detail = ", ".join(filter(None, [product, f"key {service.key.fingerprint}" if service.key else ""]))
    name = service.name or "TLS"
    return printable(f"{name} ({detail})" if detail else name)


def ranges(ports: Collection[int], limit: int | None = None) -> str:
    """`1-21, 23-79, 443`. Beyond `limit` ranges the rest is counted: `1, 3, … (512 ports)`."""
    parts = [str(first) if first == last else f"{first}-{last}" for first, last in runs(ports)]
    if limit is None or len(parts) <= limit:
        return ", ".join(parts)
    return f"{', '.join(parts[:limit])}, … ({len(ports)} ports)"


def some(items: Sequence[str], limit: int = 3) -> str:
    """The first few of many: `a, b, c and 4 more`."""
    more = len(items) - limit
    return ", ".join(items[:limit]) + (f" and {more} more" if more > 0 else "")


def plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def runs(ports: Collection[int]) -> Iterator[tuple[int, int]]:
    """Ports as ranges, ascending, both ends included."""
    if isinstance(ports, Spans):
        yield from ports.runs()
        return
    first = last = -1
    for port in sorted(ports):
        if port != last + 1 or first < 0:
            if first >= 0:
                yield first, last
            first = port
        last = port
    if first >= 0:
        yield first, last


def _packet(verdict: Verdict, brief: bool) -> str:
    if verdict.reason is Reason.NO_RESPONSE:
        return f"no-response ×{verdict.attempts}" if brief else f"no answer to {plural(verdict.attempts, 'probe')}"
    if verdict.reason.value in _NO_PACKET:
        return str(verdict.reason) if brief else _NO_PACKET[verdict.reason.value]
    name = _PACKETS.get(verdict.reason) or _icmp(verdict, brief)
    responder = verdict.evidence.responder
    shown = responder and not (brief and responder == str(verdict.key.address))
    return f"{name} from {responder}" if shown else name


def _icmp(verdict: Verdict, brief: bool) -> str:
    evidence = verdict.evidence
    if evidence.icmp_type is None or brief:
        return str(verdict.reason)
    family = "ICMP" if verdict.key.address.version == 4 else "ICMPv6"
    code = "" if evidence.icmp_code is None else f" code {evidence.icmp_code}"
    return f"{family} {verdict.reason} (type {evidence.icmp_type}{code})"


def _fields(verdict: Verdict, brief: bool) -> Iterator[str]:
    evidence: Evidence = verdict.evidence
    if evidence.ttl is not None and not (brief and verdict.reason not in _PACKETS):
        yield f"{'TTL' if verdict.key.address.version == 4 else 'hop limit'} {evidence.ttl}"
    # The window of a RST means nothing, and is nearly always 0; that of a SYN-ACK is 0 where a SYN proxy answers.
    if verdict.reason is Reason.SYN_ACK and evidence.window is not None and not (brief and evidence.window):
        yield f"window {evidence.window}"
