"""The daemons of the bench are well-formed data, and their reader refuses what is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.bench.services import catalog
from lab.bench.services.catalog import Entry
from lab.bench.services.grade import Mark, grade
from lab.bench.services.jail import accounts
from lab.bench.services.scanners import Seen
from lab.bench.services.stage import draw, filled

ENTRIES = catalog.load()
PLACEHOLDERS = {"PORT", "PORT2", "ADDRESS", "CERT", "KEY", "SSH_KEY", "PATH"}
BODY = {"package": "xx", "name": ["http"], "product": ["X"], "run": "exec x"}


def test_there_are_more_daemons_than_were_asked_for_and_many_services() -> None:
    assert len(ENTRIES) >= 60
    assert len({entry.name[0] for entry in ENTRIES}) >= 25


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_an_entry_says_all_that_the_stage_needs(entry: Entry) -> None:
    texts = "\n".join([entry.run, *entry.files.values()])
    assert "$PORT" in texts
    assert set(re.findall(r"\$([A-Z]+_?[A-Z]*2?)\b", texts)) <= PLACEHOLDERS
    assert all(path.startswith("/") and ".." not in path for path in entry.files)
    assert all(name == name.casefold() for name in entry.name)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_who_says_the_truth_is_right(entry: Entry) -> None:
    said = grade(entry, "1.2.3", Seen(entry.name[0], entry.product[0], "1.2.3"))
    assert (said.name, said.product, said.version) == (Mark.RIGHT,) * 3


def test_the_wanted_ones_and_no_others() -> None:
    assert [entry.key for entry in catalog.load(["redis", "openssh"])] == ["openssh", "redis"]
    with pytest.raises(ValueError, match="no daemon is called opensshd"):
        catalog.load(["opensshd"])


@pytest.mark.parametrize(
    "change",
    [{"port": 22}, {"name": []}, {"product": []}, {"package": "../x"}, {"user": 7}, {"key": "X y"}, {"run": 1}],
)
def test_bad_data_is_refused(change: dict[str, object]) -> None:
    Entry(**{"key": "x", **BODY})  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Entry(**{"key": "x", **BODY, **change})  # type: ignore[arg-type]


def test_two_files_do_not_name_the_same_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("x: {package: xx, name: [http], product: [X], run: exec x}\n")
    monkeypatch.setattr(catalog, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="more than one entry for x"):
        catalog.load()


def test_ports_are_different_and_the_same_seed_draws_them_again() -> None:
    ports = draw(7, 80)
    assert len(set(ports)) == 80
    assert ports == draw(7, 80) != draw(8, 80)
    assert all(1024 < port < 32768 for port in ports)


def test_only_our_own_names_are_filled_in() -> None:
    assert (
        filled("listen $PORT; set $host; $PORT2 $PATHS", {"PORT": "1", "PORT2": "2"}) == "listen 1; set $host; 2 $PATHS"
    )


def test_accounts_are_one_user_unless_they_must_differ() -> None:
    assert accounts(1000, ["www-data"]) == {"root": 0, "daemon": 1000, "nobody": 1000, "www-data": 1000}
    assert accounts("many", ["www-data"]) == {"root": 0, "daemon": 1, "nobody": 2, "www-data": 3}
