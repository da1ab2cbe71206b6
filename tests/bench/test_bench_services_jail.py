"""The jail against the real kernel: what a daemon finds inside, and what it can do there."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from lab.bench.services import jail

pytestmark = pytest.mark.lab
REPOSITORY = Path(__file__).resolve().parents[2]


ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}


def command(tmp_path: Path, run: str, **more: object) -> list[str]:
    """A command line that runs the script in a jail with a small package."""
    (tmp_path / "root").mkdir()
    package = tmp_path / "pack:age"
    for name, text in {"usr/share/bench": "from the package", "lib/bench.so": "a library", "etc/bench": "old"}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    spec = {
        "packages": [str(package)],
        "root": str(tmp_path / "root"),
        "user": 1000,
        "accounts": ["bench"],
        "files": {},
        "run": run,
        "env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec | more))
    return [sys.executable, jail.__file__, str(tmp_path / "spec.json")]


def jailed(tmp_path: Path, run: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(tmp_path, run, **more), env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_package_lies_over_the_system_and_what_is_written_stays_inside(tmp_path: Path) -> None:
    run = "cat /usr/share/bench /lib/bench.so /etc/bench; ls /usr/bin/env; echo more >/usr/share/bench; echo x >/var/x"
    done = jailed(tmp_path, run, files={"/etc/bench": " and ours\n"})
    assert (done.returncode, done.stdout) == (0, "from the packagea library and ours\n/usr/bin/env\n"), done.stderr
    assert (tmp_path / "pack:age/usr/share/bench").read_text() == "from the package"
    assert list((tmp_path / "root").iterdir()) == []


def test_it_is_one_user_without_rights_who_sees_only_itself(tmp_path: Path) -> None:
    done = jailed(tmp_path, "id -un; id -u; ls -d /proc/[0-9]*; ls /dev; hostname; grep NoNewPrivs /proc/self/status")
    user, number, *rest = done.stdout.split()
    assert (user, number) == ("daemon", "1000"), done.stderr
    assert [word for word in rest if word.startswith("/proc")][:2] == ["/proc/1", "/proc/2"]
    assert "vda" not in rest
    assert rest[-1] == "1"


def test_its_exit_code_is_that_of_the_script_and_children_are_waited_for(tmp_path: Path) -> None:
    done = jailed(tmp_path, "(sleep 0.2; echo late) & exit 7")
    assert (done.returncode, done.stdout) == (7, "late\n")


def test_it_ends_with_whoever_started_it_however_that_ends(tmp_path: Path) -> None:
    starter = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    argv = [sys.executable, "-c", starter, *command(tmp_path, "sleep 600 & echo up; exec sleep 600")]
    with subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        owner.kill()
        # Its end comes only when the last process that holds the pipe is gone.
        assert select.select([owner.stdout], [], [], 20)[0]
        assert owner.stdout.read() == b""
