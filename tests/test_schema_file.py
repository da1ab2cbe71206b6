"""`profiles/profile.schema.json`, which editors read, is what `probe schema` prints, and fits every profile here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from probe.cli import main
from probe.profile.document import read
from probe.profile.nodes import plain

PROFILES = Path(__file__).resolve().parents[1] / "profiles"
SCHEMA = PROFILES / "profile.schema.json"
EXAMPLES = sorted(PROFILES.glob("*.yaml"))


def schema() -> dict[str, Any]:
    found = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_file_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert SCHEMA.read_text(encoding="utf-8") == capsys.readouterr().out, "probe schema > profiles/profile.schema.json"


def test_it_is_a_schema_of_draft_2020_12() -> None:
    assert schema()["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_names_it_and_fits_it(path: Path) -> None:
    data = path.read_bytes()
    assert data.splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA.name}".encode()
    jsonschema.validate(plain(read(data, path.name)), schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("slip", [{"scann": {}}, {"version": 2}, {"scan": {"rate": 0}}, {"targets": {}}])
def test_a_slip_does_not_fit_it(slip: dict[str, Any]) -> None:
    profile = plain(read((PROFILES / "lab.yaml").read_bytes(), "lab.yaml"))
    assert isinstance(profile, dict)
    assert not jsonschema.Draft202012Validator(schema()).is_valid(profile | slip)


def test_there_are_examples() -> None:
    assert {"lab.yaml", "lab-broken.yaml"} <= {path.name for path in EXAMPLES}
