"""The corpus: `lab/cases/*.yaml` read strictly into cases. A case is a set-up and what is true of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from probe.model import Cause, State
from tests.cases.script import CaseError, Host, read_host, seconds, span

FOLDER = Path(__file__).resolve().parents[2] / "lab/cases"

# Where things are in the network of a case, by IP version; see `world`.
PLACES: dict[str, dict[int, str]] = {
    "scanner": {4: "198.18.0.10", 6: "fd18::10"},
    "router1": {4: "198.18.0.1", 6: "fd18::1"},
    "router2": {4: "198.18.1.2", 6: "fd18:1::2"},
    "target": {4: "198.18.2.10", 6: "fd18:2::10"},
    "other": {4: "198.18.3.10", 6: "fd18:3::10"},
    "script": {4: "198.19.0.10", 6: "fd18:9::10"},
    "nobody": {4: "198.18.2.77", 6: "fd18:2::77"},
    "neighbour": {4: "198.18.0.77", 6: "fd18::77"},
    "nowhere": {4: "198.19.77.1", 6: "fd18:77::1"},
}
HOSTS = ("scanner", "router1", "router2", "target", "other")
LISTENERS = ("banner", "mute", "echo", "close", "reset", "full")
PROMISES = ("exit", "within", "says", "half_open", "most_syns", "live")
BASELINE = {22: "open", 23: "closed"}

Port = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """One right answer. None is anything."""

    state: State
    cause: Cause | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """What is right to say of a port. `undetermined` marks that answers do not tell the cause, `unknown` that the
    scanner may not have been able to see the port at all. `past_kernel` is what a scanner may find that sends past the
    rules and routes of its own machine, as some do."""

    answers: tuple[Answer, ...]
    undetermined: bool = False
    unknown: bool = False
    past_kernel: State | None = None

    @property
    def is_open(self) -> bool | None:
        """Whether a client gets a connection; None where that is not for sure."""
        opinions = {answer.state is State.OPEN for answer in self.answers}
        doubtful = self.unknown or any(answer.state is State.UNKNOWN for answer in self.answers)
        return None if doubtful or len(opinions) > 1 else opinions.pop()


@dataclass(frozen=True, slots=True)
class Scan:
    """How probe is asked to scan."""

    attempts: int = 3
    timeout: float = 0.5
    rate: int = 5000
    handshake: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happens at `host` once the scanner has sent so many SYNs; `lasts` seconds, or for good."""

    after_syns: int
    host: str
    lasts: float | None = None
    link_down: str = ""
    rules: str = ""
    close: int = 0
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """What the kernels of a case are told. Keys are hosts."""

    rules: Mapping[str, str] = field(default_factory=dict)
    listen: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    sysctl: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    routes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the corpus, for one IP version."""

    id: str
    family: str
    why: str
    version: int
    host: Host | None
    network: Network
    truth: Mapping[Port, Truth]
    scan: Scan = Scan()
    promise: Mapping[str, Any] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    client: bool = True
    scans: int = 1

    @property
    def addresses(self) -> list[str]:
        return list(dict.fromkeys(address for address, _ in self.truth))

    @property
    def ports(self) -> list[int]:
        return sorted({port for _, port in self.truth})

    @property
    def for_fake_wire(self) -> bool:
        """Whether the scripted host is all there is to it."""
        return self.host is not None and not self.actions and not self.scan.handshake and self.scans == 1


@cache
def corpus(folder: Path = FOLDER) -> tuple[Case, ...]:
    """Every case of every file in the folder, in the order of the files and within them. Raises CaseError."""
    cases = tuple(case for path in sorted(folder.glob("*.yaml")) for case in _read_file(path))
    ids = [case.id for case in cases]
    if twice := {each for each in ids if ids.count(each) > 1}:
        raise CaseError(f"these ids are given twice: {', '.join(sorted(twice))}")
    return cases


def _read_file(path: Path) -> Iterator[Case]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data = yaml.load(path.read_text(), loader)
    for sheet in data["cases"]:
        try:
            yield from _read_case(path.stem, sheet)
        except (CaseError, ValueError, TypeError, KeyError) as error:
            raise CaseError(f"{path.name}: {sheet.get('id')}: {error}") from error


_KEYS = {"id", "why", "ip", "host", "network", "truth", "scan", "promise", "actions", "client", "scans", "alone"}


def _read_case(family: str, sheet: Mapping[str, Any]) -> Iterator[Case]:
    if unknown := set(sheet) - _KEYS:
        raise CaseError(f"unknown keys {sorted(unknown)}")
    versions = sheet.get("ip", [4])
    for version in versions:
        name = sheet["id"] + ("-ipv6" if version == 6 and len(versions) > 1 else "")
        yield _one(family, name, version, sheet)


def _one(family: str, name: str, version: int, sheet: Mapping[str, Any]) -> Case:
    baseline = {} if sheet.get("alone") else BASELINE
    scripted, network = "host" in sheet, _network(sheet.get("network", {}))
    if baseline and not scripted:
        network = replace(network, listen=_with_ssh(network.listen))
    truth = {**baseline, **sheet["truth"]}
    if scripted and network != Network():
        raise CaseError("a case has either a scripted host or a network of kernels")
    case = Case(
        id=name,
        family=family,
        why=" ".join(sheet["why"].split()),
        version=version,
        host=read_host({**baseline, **sheet["host"]}) if scripted else None,
        network=network,
        truth=_truth(truth, "script" if scripted else "target", version),
        scan=_scan(sheet.get("scan", {}), handshake=not scripted),
        promise=_only(sheet.get("promise", {}), PROMISES),
        actions=tuple(_action(each) for each in sheet.get("actions", [])),
        client=sheet.get("client", True),
        scans=sheet.get("scans", 1),
    )
    if not case.why or not case.truth:
        raise CaseError("a case says why, and what is true")
    return case


def _with_ssh(listen: Mapping[str, Mapping[int, str]]) -> dict[str, Mapping[int, str]]:
    return {**listen, "target": {22: "banner", **listen.get("target", {})}}


def _only(data: Mapping[str, Any], known: tuple[str, ...]) -> Mapping[str, Any]:
    if unknown := set(data) - set(known):
        raise CaseError(f"{sorted(unknown)} is none of {', '.join(known)}")
    return data


def _scan(data: Mapping[str, Any], handshake: bool) -> Scan:
    words = {"handshake": handshake, **data}
    if "timeout" in words:
        words["timeout"] = seconds(words["timeout"])
    return Scan(**words)


def _action(data: Mapping[str, Any]) -> Action:
    words = dict(data)
    if "lasts" in words:
        words["lasts"] = seconds(words["lasts"])
    if "rules" in words:
        words["rules"] = rule_file(words["rules"])
    return Action(**words)


def _network(data: Mapping[str, Any]) -> Network:
    data = _only(data, ("rules", "listen", "sysctl", "routes"))
    listen = data.get("listen", {})
    by_host = listen if set(listen) <= set(HOSTS) else {"target": listen}
    return Network(
        rules={host: rule_file(rules) for host, rules in _only(data.get("rules", {}), HOSTS).items()},
        listen={host: _listen(doors) for host, doors in by_host.items()},
        sysctl={
            host: {key: str(value) for key, value in knobs.items()}
            for host, knobs in _only(data.get("sysctl", {}), HOSTS).items()
        },
        routes=_only(data.get("routes", {}), HOSTS),
    )


def _listen(doors: Mapping[Any, str]) -> dict[int, str]:
    if wrong := set(doors.values()) - set(LISTENERS):
        raise CaseError(f"{sorted(wrong)} is none of {', '.join(LISTENERS)}")
    return {port: kind for key, kind in doors.items() for port in span(key)}


# Chains by the name of their hook. `raw` runs before connection tracking, `nat` changes destinations.
_CHAINS = {
    "raw": "type filter hook prerouting priority raw",
    "mangle": "type filter hook prerouting priority mangle",
    "nat": "type nat hook prerouting priority dstnat",
    "input": "type filter hook input priority filter",
    "forward": "type filter hook forward priority filter",
    "output": "type filter hook output priority filter",
    "postrouting": "type filter hook postrouting priority mangle",
}


def rule_file(rules: str | Mapping[str, Any]) -> str:
    """An nft file: text as it is, or a table of `sets` (name: declaration) and of chains by hook (list of rules)."""
    defines = "".join(
        f"define {name}{'' if version == 4 else 6} = {address}\n"
        for name, both in PLACES.items()
        for version, address in both.items()
    )
    if isinstance(rules, str):
        return defines + rules
    lines = [f"set {name} {{\n{body}\n}}" for name, body in rules.get("sets", {}).items()]
    for hook, body in _only(rules, ("sets", *_CHAINS)).items():
        if hook != "sets":
            lines.append("\n".join([f"chain {hook} {{", f"{_CHAINS[hook]};", *body, "}"]))
    return "\n".join([defines + "table inet case {", *lines, "}", ""])


def _truth(data: Mapping[Any, Any], place: str, version: int) -> dict[Port, Truth]:
    truth: dict[Port, Truth] = {}
    for key, value in data.items():
        ports, _, where = str(key).partition("@")
        address = PLACES[where or place][version]
        truth |= {(address, port): _one_truth(value) for port in span(ports)}
    return truth


def _one_truth(value: Any) -> Truth:
    if not isinstance(value, dict):
        value = {"is": value}
    _only(value, ("is", "best", "unknown", "past_kernel"))
    told = value["is"] if isinstance(value["is"], list) else [value["is"]]
    if value.get("best", "undetermined") != "undetermined" or value.get("unknown", "right") != "right":
        raise CaseError(f"{value}: only `best: undetermined` and `unknown: right` mean anything")
    return Truth(
        answers=tuple(map(_answer, told)),
        undetermined="best" in value,
        unknown="unknown" in value,
        past_kernel=State(value["past_kernel"]) if "past_kernel" in value else None,
    )


def _answer(text: str) -> Answer:
    """`state/cause/reason`, the latter two may be left out; `unknown` has no cause, so `unknown/reason`."""
    match = re.fullmatch(r"([a-z]+)(?:/([a-z-]*))?(?:/([a-z-]+))?", text)
    if not match:
        raise CaseError(f"{text!r} is no answer (state/cause/reason)")
    state, cause, reason = match.groups()
    if state == "unknown":
        cause, reason = None, cause
    return Answer(State(state), Cause(cause) if cause else None, reason or None)
