"""Bytes -> Profile: read the YAML, check its shape, check it against itself, and report every mistake at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from probe.errors import Problem, ProfileError
from probe.model import AddressSpec, Profile, Results, ScanOptions, TargetSpec
from probe.profile import document, expect, messages
from probe.profile.nodes import Map, Node, absent_values, items_of, plain
from probe.profile.schema import ExpectKeys, ExpectModel, ProfileModel, ScanModel

Model = TypeVar("Model", bound=BaseModel)


def load(data: bytes, path: str) -> Profile:
    """The profile that a YAML file holds, all of it understood, no name looked up yet.

    `path` is for messages and for finding the lab's file beside the profile; `-` is standard input.
    Raises ProfileError with every mistake.
    """
    read = document.parse(data, path)
    if read.root is None:
        raise ProfileError(read.problems)
    problems = [*read.problems, *_absent(read.root, path)]
    model = _validated(read.root, path, problems)
    lines = _lines(read.root)
    scanned = _scanned(read.root, lines)
    targets = read.root.get("targets")
    if isinstance(targets, Map):
        names = [entry.key for entry in targets.entries]
        problems += expect.check(lines, path, names, scanned)
    if problems or model is None or scanned is None:
        raise ProfileError(problems)
    return _profile(model, read.root, path, lines, scanned)


def _absent(root: Map, path: str) -> list[Problem]:
    said = "{!r} has no value (write one, or leave it out)"
    return [Problem(path, node.line, node.column, said.format(name)) for node, name in absent_values(root)]


def _validated(root: Map, path: str, problems: list[Problem]) -> ProfileModel | None:
    try:
        return ProfileModel.model_validate(plain(root, nulls=False))
    except ValidationError as error:
        problems += messages.explain(error, root, path, ProfileModel)
        return None


def _lines(root: Map) -> list[expect.Line]:
    """What can be understood of the lines of `expect`, each by itself and key by key."""
    nodes = enumerate(items_of(root.get("expect")), 1)
    lines = [_line(number, node) for number, node in nodes if isinstance(node, Map)]
    return [part for line in lines for part in (line, *_announced(line))]


def _announced(line: expect.Line) -> list[expect.Line]:
    """Each `change` of a line with a baseline, as a line of its own."""
    nodes = items_of(line.node.get("change")) if line.said.change else ()
    return [
        expect.Line(
            line.number, node, ExpectKeys.model_construct(to=said.to, tcp=said.tcp, words=said.words),
            line.whole, line.said.baseline, tuple(said.was),
        )
        for said, node in zip(line.said.change or (), nodes, strict=True)
        if isinstance(node, Map)
    ]  # fmt: skip


def _line(number: int, node: Map) -> expect.Line:
    if (said := _understood(ExpectModel, node)) is not None:
        return expect.Line(number, node, said, baseline=said.baseline)
    usable = tuple(entry for entry in node.entries if _understood(ExpectKeys, replace(node, entries=(entry,))))
    keys = ExpectKeys.model_validate(plain(replace(node, entries=usable)))
    return expect.Line(number, node, keys, whole=False)


def _scanned(root: Map, lines: Iterable[expect.Line]) -> frozenset[int] | None:
    """The ports that are scanned, or None where a mistake leaves that open.

    A service's home is scanned though `scan: tcp` does not name it: `on: 5432` cannot be judged otherwise.
    """
    section = root.get("scan")
    if not isinstance(section, Map):
        return None
    only_tcp = tuple(entry for entry in section.entries if entry.key == "tcp")
    said = _understood(ScanModel, replace(section, entries=only_tcp))
    if said is None:
        return None
    homes = {line.said.on for line in lines if line.said.on is not None}
    return frozenset(homes).union(*said.tcp)


def _understood(model: type[Model], node: Node) -> Model | None:
    try:
        return model.model_validate(plain(node, nulls=False))
    except ValidationError:
        return None


def _profile(model: ProfileModel, root: Map, path: str, lines: list[expect.Line], scanned: frozenset[int]) -> Profile:
    scan = root.get("scan") or root
    return Profile(
        name=model.name,
        path=path,
        scan=_scan_options(model.scan, scanned),
        expectations=expect.expectations(lines, scanned, model.targets),
        lab=_beside(path, model.lab) if model.lab else None,
        vantage=model.vantage,
        results=_results(model),
        targets=_targets(model, root),
        scope=_placed(model.scope or [], root.get("scope")),
        exclude=_placed(model.exclude or [], root.get("exclude")),
        scan_line=scan.line,
        scan_column=scan.column,
    )


def _scan_options(said: ScanModel, scanned: Iterable[int]) -> ScanOptions:
    return ScanOptions(
        tcp=tuple(sorted(scanned)),
        handshake=said.handshake,
        locate=said.locate,
        rate=float(said.rate),
        attempts=said.attempts,
        timeout=said.timeout,
        adaptive="timeout" not in said.model_fields_set,
        confidence=float(said.confidence),
        max_probes=said.max_probes,
        seed=said.seed,
    )


def _results(model: ProfileModel) -> Results | None:
    said = model.results
    return Results(said.dir, tuple(dict.fromkeys(said.formats)), said.history, said.keep) if said else None


def _targets(model: ProfileModel, root: Map) -> tuple[TargetSpec, ...]:
    section = root.get("targets")
    entries = section.entries if isinstance(section, Map) else ()
    return tuple(
        TargetSpec(entry.key, _placed(model.targets[entry.key], entry.value), entry.line, entry.column)
        for entry in entries
    )


def _placed(specs: list[AddressSpec], node: Node | None) -> tuple[AddressSpec, ...]:
    pairs = zip(specs, items_of(node), strict=True) if specs else ()
    return tuple(replace(spec, line=item.line, column=item.column) for spec, item in pairs)


def _beside(path: str, name: str) -> str:
    """`name` as seen from the folder of the profile, openable from the working directory."""
    folder = "" if path == "-" else os.path.dirname(path)
    return os.path.normpath(os.path.join(folder, name))
