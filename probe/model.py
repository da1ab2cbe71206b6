"""The nouns that every room shares. Frozen, plain, and free of I/O: a value made here never changes its meaning.

Words are the field's: states are nmap's, flags and sequence numbers RFC 9293's, ICMP names RFC 792 / RFC 4443's.
What users read of them (records, exit codes) is written down in the README.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator

from msgspec import Struct, field

from probe.words import Cause as Cause
from probe.words import Handshake as Handshake
from probe.words import Outcome as Outcome
from probe.words import Proof as Proof
from probe.words import Reason as Reason
from probe.words import State as State

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class AddressRange:
    """Consecutive addresses of one family, both ends included. `host` is the name that resolved to it, if one did."""

    version: int
    first: int
    last: int
    host: str | None = dataclasses.field(default=None, compare=False)

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __bool__(self) -> bool:
        return True  # a range is never empty; without this, truth asks len(), which overflows above 2**63

    def __iter__(self) -> Iterator[Address]:
        kind = ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address
        return (kind(number) for number in range(self.first, self.last + 1))

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address):
            return False
        return address.version == self.version and self.first <= int(address) <= self.last

    @property
    def size(self) -> int:
        """Number of addresses; unlike `len()` it has no limit (a /0 of IPv6 overflows `len`)."""
        return self.last - self.first + 1


class Target(Struct, frozen=True):
    """A name of the profile and the addresses it stands for, exclusions already taken out."""

    name: str
    ranges: tuple[AddressRange, ...]

    def __contains__(self, address: object) -> bool:
        return any(address in part for part in self.ranges)

    def addresses(self) -> Iterator[Address]:
        for part in self.ranges:
            yield from part


class ScanOptions(Struct, frozen=True):
    """How to scan. Rates are packets per second, times are seconds.

    `adaptive`: nobody asked for `timeout`, so attempts at hosts that answer need not wait for one another.
    """

    tcp: tuple[int, ...] = ()
    handshake: bool = True
    locate: bool = False
    rate: float = 5000.0
    attempts: int = 3
    timeout: float = 1.0
    adaptive: bool = False
    confidence: float = 0.999
    max_probes: int = 100_000_000
    seed: int | None = None


class Expectation(Struct, frozen=True):
    """One line of `expect`: either by port (`ports`, `words`) or by service (`service`, `home`).

    `number` counts from 1 in the order of the profile, `line` and `column` point at it there.
    `rest` marks the ports as "all scanned ports of the target that no other line names"; `ports` holds them resolved.
    A `service` without a `home` may answer anywhere (`probe find`).
    With a `baseline`, the run that it names must have met `was`, and now `words` must be met; where `words` is
    `unchanged`, nothing may differ from that run. `stay` means that it must hold in every round of a run that is
    repeated (`--until`), not only in the last ones.
    """

    number: int
    line: int
    column: int
    target: str
    ports: frozenset[int] = frozenset()
    rest: bool = False
    words: tuple[str, ...] = ()
    service: str | None = None
    home: int | None = None
    baseline: str | None = None
    was: tuple[str, ...] = ()
    stay: bool = False


class OutputSpec(Struct, frozen=True):
    """`-o FORMAT:PATH`; PATH `-` is standard output."""

    format: str
    path: str


class Keep(Struct, frozen=True):
    """How much history stays: the newest `runs` of a profile, or those of the last `days`. One of the two is set."""

    runs: int | None = None
    days: int | None = None


class Results(Struct, frozen=True):
    """The `results:` section: a folder (as written, relative to the working directory) and the formats to put there.

    `history` is a file as written; None is the user's own.
    """

    dir: str
    formats: tuple[str, ...] = ("jsonl",)
    history: str | None = None
    keep: Keep | None = None


class AddressSpec(Struct, frozen=True):
    """One address expression as it was written: `range` for a literal, `host` for a name still to be looked up.

    `line` and `column` count from 1 and point into the profile; 0 where there is none (the command line).
    """

    text: str
    range: AddressRange | None = None
    host: str | None = None
    line: int = 0
    column: int = 0


class TargetSpec(Struct, frozen=True):
    """A target as it was written: a name and at least one address expression."""

    name: str
    addresses: tuple[AddressSpec, ...]
    line: int = 0
    column: int = 0


class Profile(Struct, frozen=True):
    """A profile whose every word was understood. Addresses are not looked up yet; see `probe.profile.resolve`.

    `lab` is a path that can be opened from the working directory. An empty `scope` means: the literal targets.
    `scan_line` and `scan_column` are where a plan that is too large is reported.
    """

    name: str
    path: str
    scan: ScanOptions
    expectations: tuple[Expectation, ...] = ()
    lab: str | None = None
    vantage: str | None = None
    results: Results | None = None
    targets: tuple[TargetSpec, ...] = ()
    scope: tuple[AddressSpec, ...] = ()
    exclude: tuple[AddressSpec, ...] = ()
    scan_line: int = 0
    scan_column: int = 0


class Evidence(Struct, frozen=True):
    """The packet that decided, or what stood in its way. Absent fields are None and leave no trace in records.

    `ttl` is the received one (IPv6: hop limit), `window` the unscaled TCP window, `flags` tcpdump-like letters in
    the order S A F R P U, `errno` the symbolic name (`ENETUNREACH`), `note` one sentence for people. `p_miss` is the
    chance that silence is a lost answer, by control probes.
    Of a dropped port that was located: `hop` (from 1) is the last that answered a SYN of rising TTL to it, with its
    address, and `silent_hop` the first one after it that did not.
    """

    responder: str | None = None
    ttl: int | None = None
    window: int | None = None
    flags: str | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    errno: str | None = None
    hop: int | None = None
    hop_address: str | None = None
    silent_hop: int | None = None
    note: str | None = None
    p_miss: float | None = None


class Tls(Struct, frozen=True):
    """The TLS layer as the handshake showed it. `sha256` is that of the DER certificate, in lower-case hex.

    `starttls` marks a layer that the server only puts on when it is asked to, beside a service in the clear.
    """

    version: str
    alpn: str | None = None
    subject: str | None = None
    issuer: str | None = None
    names: tuple[str, ...] = ()
    not_before: str | None = None
    not_after: str | None = None
    sha256: str | None = None
    starttls: bool = False


class HostKey(Struct, frozen=True):
    """An SSH host key whose owner was there to sign: `ssh-ed25519`, and the fingerprint as OpenSSH prints it."""

    type: str
    fingerprint: str


class Service(Struct, frozen=True):
    """What identified itself. `name` is None where only TLS did."""

    name: str | None = None
    product: str | None = None
    version: str | None = None
    info: str | None = None
    tls: Tls | None = None
    key: HostKey | None = None


class Conversation(Struct, frozen=True):
    """What a completed handshake brought: `banner` is the raw bytes, capped; they are hostile until escaped.

    `errno` is the symbolic name of what the kernel said where the handshake is `failed`.
    """

    handshake: Handshake
    service: Service | None = None
    banner: bytes = b""
    errno: str | None = None


class PortKey(Struct, frozen=True, order=True):
    """What a verdict is about."""

    address: Address
    transport: str
    port: int


class Verdict(Struct, frozen=True):
    """One per (address, transport, port). `live` tells that something from this host itself was seen in this run."""

    target: str
    key: PortKey
    state: State
    reason: Reason
    cause: Cause | None
    evidence: Evidence
    attempts: int
    rtt_ms: float | None = None
    conversation: Conversation | None = None
    live: bool = True

    @property
    def observed(self) -> str:
        """`state/cause` where there is a cause, else the state: `closed/refused`, `unknown`."""
        return f"{self.state}/{self.cause}" if self.cause else str(self.state)


class Place(Struct, frozen=True):
    """Where a service was found. `identity` is its host key's fingerprint or its certificate's sha256."""

    address: str
    port: int
    identity: str | None = None


class Finding(Struct, frozen=True):
    """What became of one expectation, for one port or (by service) for the whole target."""

    outcome: Outcome
    expectation: Expectation
    observed: str
    message: str
    proof: Proof | None = None
    key: PortKey | None = None
    found: tuple[Place, ...] = ()
    verdict: Verdict | None = None


class RunInfo(Struct, frozen=True):
    """The head of a run. `wire` says how packets were sent (`raw`, `packet`, `xdp`, `connect`).

    `started` is UTC in ISO 8601. `shard` is `2/5` for the second part of five.
    """

    run_id: str
    profile: str
    vantage: str | None
    started: str
    seed: int
    wire: str
    probe_version: str
    source: str | None = None
    addresses: int = 0
    ports: int = 0
    deadline_s: float = 0.0
    warnings: tuple[str, ...] = ()
    shard: str | None = None


class Summary(Struct, frozen=True):
    """The end of a run. `counts` has every State; `sent` are probes on the wire, `received` the valid answers.

    `p_miss` is the estimated chance that an answer gets lost, by class (`syn-ack`, `reset`), `rate` the packets per
    second that the path bore, where it was less than the ceiling.
    Of a run that was repeated: how many `rounds` there were, in how many of the last ones everything held, since when.
    """

    complete: bool
    exit_code: int
    counts: dict[State, int]
    sent: int
    received: int
    forged: int
    duration_s: float
    interrupted: str | None = None
    findings: dict[Outcome, int] = field(default_factory=dict)
    p_miss: dict[str, float] = field(default_factory=dict)
    rate: float | None = None
    rounds: int | None = None
    held: int | None = None
    held_since_s: float | None = None
