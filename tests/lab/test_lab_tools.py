"""Programs are found on PATH or in `.tools`; `lab/debs.sh` brings what is missing, or says what to install."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from probe.errors import LabError
from probe.lab import tools
from tests.lab.lab_world import REPOSITORY


def unpack(home: Path, package: str, program: str) -> Path:
    """What debs.sh leaves: a program, and a library beside it."""
    root = home / ".tools" / package
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    (root / "usr/lib/x86_64-linux-gnu/libmade.so.1").touch()
    (root / "usr/sbin" / program).write_text("#!/bin/sh\necho made up\n")
    (root / "usr/sbin" / program).chmod(0o755)
    return root


def test_a_program_on_path_needs_no_libraries(tmp_path: Path) -> None:
    tool = tools.find("sh", tmp_path)
    assert tool is not None
    assert tool.libraries == ()
    assert "LD_LIBRARY_PATH" not in tool.environment


def test_an_unpacked_program_is_found_from_any_folder_below(tmp_path: Path) -> None:
    root = unpack(tmp_path, "made-package", "made-up")
    (tmp_path / "lab/deep").mkdir(parents=True)
    tool = tools.find("made-up", tmp_path / "lab/deep")
    assert tool is not None
    assert tool.path == str(root / "usr/sbin/made-up")
    assert tool.environment["LD_LIBRARY_PATH"] == str(root / "usr/lib/x86_64-linux-gnu")


def test_exec_finds_what_is_unpacked(tmp_path: Path) -> None:
    unpack(tmp_path, "made-package", "made-up")
    environment = tools.exec_environment(tmp_path)
    done = subprocess.run(["sh", "-c", "made-up"], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "made up\n"


def test_half_unpacked_folders_are_not_looked_into(tmp_path: Path) -> None:
    unpack(tmp_path, ".made-package.x1", "made-up")
    assert tools.find("made-up", tmp_path) is None


def test_a_missing_program_is_brought_by_the_script_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script here is a stand-in that "unpacks" without any archive; so is apt-get, which need not exist."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/apt-get").write_text("#!/bin/sh\n")
    (tmp_path / "bin/apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "lab/debs.sh").write_text(
        'd=$(dirname "$0")/../.tools/$1/usr/bin; mkdir -p "$d"; cp /bin/sh "$d/made-up"; chmod 755 "$d/made-up"\n'
    )
    found = tools.provide(["made-up", "made-up"], {"made-up": "made-package"}, tmp_path / "lab")
    assert found["made-up"].path == str(tmp_path / ".tools/made-package/usr/bin/made-up")


def test_a_missing_program_without_a_script_is_an_error_that_helps(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"'made-up' is missing: install it .*apt install made-package"):
        tools.provide(["made-up"], {"made-up": "made-package"}, tmp_path)


def run_debs(tmp_path: Path, *packages: str, path: str) -> subprocess.CompletedProcess[str]:
    """The real script, in a checkout of its own."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/debs.sh").write_bytes((REPOSITORY / "lab/debs.sh").read_bytes())
    command = ["/bin/sh", str(tmp_path / "lab/debs.sh"), *packages]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


def fake_system(tmp_path: Path, **programs: str) -> str:
    folder = tmp_path / "fake"
    folder.mkdir()
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_debs_says_what_to_do_where_there_is_no_apt(tmp_path: Path) -> None:
    path = fake_system(tmp_path, dirname='exec /usr/bin/dirname "$@"')
    done = run_debs(tmp_path, "nftables", "nginx", path=path)
    assert done.returncode == 1
    assert "no 'apt-get' here" in done.stderr
    assert done.stderr.rstrip().endswith("nftables nginx")


APT = """
for last; do :; done
case "$*" in
    *" -s "*) echo "Inst old-one [1.0] (1.1 Debian)"; echo "Inst new-lib (2 Debian)"; echo "Inst $last (3 Debian)" ;;
    *" update"*) echo update >> "$LOG" ;;
    *" download "*) while [ "$1" != download ]; do shift; done; shift
        for p; do echo "$p" >> "$LOG"; : > "$p.deb"; done ;;
esac
"""
DPKG = 'd=$(basename "$2" .deb); [ "$1" = -x ] && mkdir -p "$3/usr/share/$d"'


def fake_debian(tmp_path: Path, apt: str = APT, dpkg: str = DPKG) -> str:
    head = f"LOG={tmp_path / 'log'}\n"
    fake = {"apt-get": head + apt, "dpkg": head + dpkg, "dpkg-deb": "echo made-package 1.0"}
    return f"{fake_system(tmp_path, **fake)}:/usr/bin:/bin"


def test_debs_unpacks_the_package_and_what_the_system_lacks(tmp_path: Path) -> None:
    path = fake_debian(tmp_path)
    done = run_debs(tmp_path, "made-package", path=path)
    assert done.returncode == 0, done.stderr
    unpacked = sorted(folder.name for folder in (tmp_path / ".tools/made-package/usr/share").iterdir())
    assert unpacked == ["made-package", "new-lib"]
    assert [folder.name for folder in (tmp_path / ".tools").iterdir()] == ["made-package"]


def test_debs_does_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / ".tools/made-package").mkdir(parents=True)
    done = run_debs(tmp_path, "made-package", path=fake_debian(tmp_path, apt="exit 9"))
    assert (done.returncode, done.stderr) == (0, "")


def test_debs_fetches_lists_of_its_own_when_the_systems_will_not_do(tmp_path: Path) -> None:
    apt = 'case "$*" in *Dir::State::lists*) ;; *) exit 100 ;; esac\n' + APT
    done = run_debs(tmp_path, "made-package", path=fake_debian(tmp_path, apt=apt))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text().splitlines() == ["update", "made-package", "new-lib"]


@pytest.mark.parametrize("broken", [{"apt": "exit 100"}, {"dpkg": "exit 2"}], ids=["download", "unpack"])
def test_debs_leaves_nothing_half_done(tmp_path: Path, broken: dict[str, str]) -> None:
    done = run_debs(tmp_path, "made-package", path=fake_debian(tmp_path, **broken))
    assert done.returncode == 1
    assert "could not get the Debian package made-package" in done.stderr
    assert [folder.name for folder in (tmp_path / ".tools").iterdir() if folder.name != ".apt"] == []
