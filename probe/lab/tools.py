"""Where the programs of a lab are: on PATH, or unpacked from Debian packages into `.tools` by `lab/debs.sh`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from probe.errors import LabError

# An ordinary user's PATH lacks these, and nft, sshd and nginx live there.
_ADMIN_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_LIBRARY_FOLDERS = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib", "lib")


class Tool(Struct, frozen=True):
    """A program by absolute path. `libraries` are folders that it needs in LD_LIBRARY_PATH."""

    path: str
    libraries: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """All that a server or nft gets to see of ours."""
        base = {"PATH": search_path(), "LANG": "C.UTF-8", **dict(self.extra)}
        return base | ({"LD_LIBRARY_PATH": ":".join(self.libraries)} if self.libraries else {})


def search_path() -> str:
    """PATH, with the folders for administrators' programs."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*filter(os.path.isabs, folders), *_ADMIN_FOLDERS]))


def python() -> Tool:
    """The Python that runs us, for a child that shall find every module that we find."""
    return Tool(sys.executable, extra=(("PYTHONPATH", python_path()),))


def python_path() -> str:
    """Our module path as a child in another folder needs it."""
    return os.pathsep.join(map(os.path.abspath, sys.path))


def find(program: str, home: Path) -> Tool | None:
    """A program by name; `home` is any folder inside the checkout that has `.tools`."""
    if found := shutil.which(program, path=search_path()):
        return Tool(os.path.abspath(found))
    for package in _unpacked(home):
        for folder in ("usr/sbin", "usr/bin", "sbin", "bin"):
            if os.access(package / folder / program, os.X_OK):
                return Tool(str(package / folder / program), _libraries(package))
    return None


def provide(programs: Iterable[str], packages: Mapping[str, str], home: Path) -> dict[str, Tool]:
    """Finds every program; what is missing is unpacked first where that can be done. Raises LabError."""
    programs = list(dict.fromkeys(programs))
    missing = [program for program in programs if find(program, home) is None]
    if missing:
        _unpack([packages[program] for program in missing if program in packages], home)
    return {program: _demand(program, packages, home) for program in programs}


def exec_environment(home: Path) -> dict[str, str]:
    """Our environment, with everything unpacked on PATH and its libraries to be found."""
    packages = _unpacked(home)
    folders = [str(package / folder) for package in packages for folder in ("usr/sbin", "usr/bin")]
    libraries = [folder for package in packages for folder in _libraries(package)]
    merged = os.environ | {"PATH": os.pathsep.join([search_path(), *filter(os.path.isdir, folders)])}
    if libraries:
        merged["LD_LIBRARY_PATH"] = os.pathsep.join([*filter(None, [merged.get("LD_LIBRARY_PATH")]), *libraries])
    return merged


def _demand(program: str, packages: Mapping[str, str], home: Path) -> Tool:
    if tool := find(program, home):
        return tool
    package = packages.get(program, program)
    raise LabError(
        f"the program {program!r} is missing: install it (on Debian and its kin: apt install {package}), "
        "or put it on PATH"
    )


def _unpack(packages: list[str], home: Path) -> None:
    script = next((folder / "lab/debs.sh" for folder in _upwards(home) if (folder / "lab/debs.sh").is_file()), None)
    if packages and script and shutil.which("apt-get"):
        # Its words are progress; what became of it shows in whether the programs are there.
        subprocess.run(["sh", str(script), *packages], stdout=sys.stderr, check=False)  # noqa: S603, S607


def _unpacked(home: Path) -> list[Path]:
    tools = next((folder / ".tools" for folder in _upwards(home) if (folder / ".tools").is_dir()), None)
    return sorted(folder for folder in tools.glob("[!.]*") if folder.is_dir()) if tools else []


def _upwards(folder: Path) -> list[Path]:
    return [folder, *folder.parents]


def _libraries(package: Path) -> tuple[str, ...]:
    folders = [folder for pattern in _LIBRARY_FOLDERS for folder in sorted(package.glob(pattern))]
    return tuple(str(folder) for folder in folders if any(folder.glob("*.so*")))
