"""Many verdicts folded into the few rows that a person reads. No layout here, see `table`.

Open ports stand alone, unless a host answers on so many without saying a word that they say nothing. All others of a
host that share what was seen, and the packet that shows it, become one row of port ranges. Hosts that look the same
throughout and have nothing open become one entry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import filterfalse

from msgspec import Struct

from probe.model import Address, Evidence, Finding, State, Verdict
from probe.spans import Spans

# More open ports than this that did not identify themselves are a host that answers everywhere, not so many services.
_MUTE_LIMIT = 20
_ORDER = {State.OPEN: 0, State.CLOSED: 1, State.FILTERED: 2, State.UNKNOWN: 3}
_NONE = dict.fromkeys(State, 0)

Signature = tuple[object, ...]


class Row(Struct, frozen=True):
    """Ports of one host that look the same; `sample` is the verdict of one of them."""

    ports: Collection[int]
    sample: Verdict


@dataclass(slots=True)
class Host:
    """What is known of one address. Verdicts that can be folded are not kept, only their port numbers."""

    target: str
    address: Address
    counts: dict[State, int] = field(default_factory=_NONE.copy)
    tarpit: bool = False  # so many ports are open and mute that they are folded
    _alone: list[Verdict] = field(default_factory=list)
    _mute: int = 0
    _alike: dict[Signature, tuple[Callable[[], Verdict], Spans]] = field(default_factory=dict)

    def add(self, verdict: Verdict) -> None:
        self.counts[verdict.state] += 1
        if self.folds(verdict):
            self._fold(verdict)
        else:
            self._stand_alone(verdict)

    def folds(self, verdict: Verdict) -> bool:
        """Whether verdicts that look like this one are folded; one that is not must be added by itself."""
        return verdict.state is not State.OPEN or (self.tarpit and not _identified(verdict))

    def alike(self, seen: Signature) -> Spans | None:
        """The ports that look like this; there is at least one, or None."""
        return self._alike[seen][1] if seen in self._alike else None

    def begin(self, seen: Signature, sample: Callable[[], Verdict]) -> Spans:
        """The first of them is to be added now; `sample` makes its verdict."""
        self._alike[seen] = (sample, Spans())
        return self._alike[seen][1]

    def rows(self) -> list[Row]:
        """Open first, then closed, filtered, unknown; by port within."""
        rows = [Row((verdict.key.port,), verdict) for verdict in self._alone]
        rows += [Row(ports, sample()) for sample, ports in self._alike.values()]
        return sorted(rows, key=lambda row: (_ORDER[row.sample.state], row.sample.key.transport, next(iter(row.ports))))

    def likeness(self) -> Signature | None:
        """Equal for hosts that may share an entry; None for a host with something open, which never does."""
        if self.counts[State.OPEN]:
            return None
        return (self.target, frozenset((seen, ports.dense()) for seen, (_, ports) in self._alike.items()))

    def _stand_alone(self, verdict: Verdict) -> None:
        self._alone.append(verdict)
        self._mute += not _identified(verdict)
        if self._mute > _MUTE_LIMIT:
            self.tarpit = True
            for mute in filterfalse(_identified, self._alone):
                self._fold(mute)
            self._alone, self._mute = list(filter(_identified, self._alone)), 0

    def _fold(self, verdict: Verdict) -> None:
        seen = signature(verdict)
        (self.alike(seen) or self.begin(seen, lambda: verdict)).add(verdict.key.port)


class Hosts(dict[Address, Host]):
    """Every address of a run, as its verdicts come."""

    def add(self, verdict: Verdict) -> None:
        self.at(verdict.target, verdict.key.address).add(verdict)

    def at(self, target: str, address: Address) -> Host:
        return self.get(address) or self.setdefault(address, Host(target, address))


class FindingGroup(Struct, frozen=True):
    """Findings that differ in the port alone."""

    sample: Finding
    ports: Collection[int]


class FindingFold:
    """Folds the findings of one outcome; memory grows with the groups and their ports."""

    def __init__(self) -> None:
        self._groups: dict[Signature, tuple[Finding, Spans]] = {}

    def add(self, finding: Finding) -> None:
        seen = signature(finding.verdict) if finding.verdict else ()
        # A line with several targets is one expectation for each of them, all of the same number.
        expectation = finding.expectation
        where = (
            expectation.number,
            expectation.target,
            expectation.words,
            finding.key.address if finding.key else None,
        )
        _, ports = self._groups.setdefault((*where, seen), (finding, Spans()))
        if finding.key:
            ports.add(finding.key.port)

    def groups(self) -> list[FindingGroup]:
        """In the order of the profile, then by address and port."""
        groups = [FindingGroup(sample, ports) for sample, ports in self._groups.values()]
        return sorted(groups, key=_finding_order)


def signature(verdict: Verdict) -> Signature:
    """Equal for verdicts that a person would call the same, but for the port."""
    evidence: Evidence = verdict.evidence
    responder = "itself" if evidence.responder == str(verdict.key.address) else evidence.responder
    packet = (responder, evidence.ttl, evidence.icmp_type, evidence.icmp_code, evidence.errno, evidence.note)
    handshake = verdict.conversation.handshake if verdict.conversation else None
    return (verdict.key.transport, verdict.state, verdict.reason, verdict.cause, handshake, packet)


def alike(hosts: Iterable[Host]) -> Iterator[list[Host]]:
    """Hosts by address, those that look the same together; each list has at least one."""
    groups: dict[object, list[Host]] = {}
    for host in sorted(hosts, key=lambda host: (host.address.version, int(host.address))):
        groups.setdefault(host.likeness() or host.address, []).append(host)
    return iter(groups.values())


def address_ranges(hosts: Iterable[Host]) -> str:
    """`198.18.1.1-9, 198.18.1.20`, as one would write it in a profile."""
    return ", ".join(address_expressions(host.address for host in hosts))


def address_expressions(addresses: Iterable[Address]) -> list[str]:
    """Addresses in ascending order as few expressions, each of which a profile takes for a target."""
    runs: list[list[Address]] = []
    for address in addresses:
        last = runs[-1][-1] if runs else None
        if last is not None and last.version == address.version and int(address) == int(last) + 1:
            runs[-1].append(address)
        else:
            runs.append([address])
    return [_run(run[0], run[-1]) for run in runs]


def _run(first: Address, last: Address) -> str:
    if first == last:
        return str(first)
    same_24 = first.version == 4 and int(first) >> 8 == int(last) >> 8
    return f"{first}-{int(last) & 0xFF}" if same_24 else f"{first}-{last}"


def _identified(verdict: Verdict) -> bool:
    return verdict.conversation is not None and verdict.conversation.service is not None


def _finding_order(group: FindingGroup) -> tuple[int, int, int, int]:
    key = group.sample.key
    version, address = (key.address.version, int(key.address)) if key else (0, 0)
    return (group.sample.expectation.number, version, address, next(iter(group.ports), 0))
