"""Folders that labs are known by: private, and swept where a crash left one behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.errors import LabError
from probe.lab import places


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of a test's own; its path must be short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_a_lab_lives_while_somebody_listens(base: Path) -> None:
    _, folder, listener = places.new("mini")
    with listener:
        assert folder.parent == base / "probe"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert places.living() == [folder]
    assert places.living() == []
    assert not folder.exists()


def test_names_do_not_collide(base: Path) -> None:
    made = [places.new("mini") for _ in range(5)]
    assert len({identity for identity, _, _ in made}) == 5
    assert places.living() == sorted(folder for _, folder, _ in made)
    for _, _, listener in made:
        listener.close()


def test_a_base_that_others_can_enter_is_refused(base: Path) -> None:
    (base / "probe").mkdir()
    os.chmod(base / "probe", 0o755)
    with pytest.raises(LabError, match="must be a folder of your own"):
        places.living()


def test_a_symlink_as_base_is_refused(base: Path, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o700)
    (base / "probe").symlink_to(tmp_path)
    with pytest.raises(LabError, match="must be a folder of your own"):
        places.living()


@pytest.mark.parametrize("runtime", ["", "relative", "/nonexistent", "/tmp"])
def test_an_unusable_runtime_folder_is_passed_over(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    _, folder, listener = places.new("mini")
    with listener:
        assert folder.parent == Path(f"/tmp/probe-{os.geteuid()}")
    places.remove(folder)
