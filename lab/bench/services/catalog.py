"""The daemons, read strictly: one YAML mapping each, `daemons/*.yaml`.

openssh:
  package: openssh-server     # Debian's; unpacked with what it needs
  name: [ssh]                 # what it is; further spellings count as right too
  product: [OpenSSH]          # likewise; compared without case
  run: exec /usr/sbin/sshd -D -p $PORT …    # shell; $PORT, $CERT, $KEY and $SSH_KEY are filled in
  needs: [other-package]      # optional: more packages to lay under it
  version: {package: …, match: …}  # optional: another package's version, or a part of it
  user: 0                     # optional: for those that must be root; `many` for those that must switch users
  accounts: [sshd]            # optional: more names for that user
  files: {/etc/x.conf: …}     # optional: `$PORT` and so on are filled in
  patience: 30                # optional: seconds until it must accept
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(__file__).resolve().parent / "daemons"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class VersionSource(_Strict):
    """Where the true version stands: in the changelog of a package, the whole of it or what `match` captures."""

    package: str | None = None
    match: str = r"(.+)"


class Entry(_Strict):
    """One daemon. `name` and `product` are non-empty; the first spelling is the one to show."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    package: str = Field(pattern=r"^[a-z0-9][a-z0-9.+-]+$")
    name: list[str] = Field(min_length=1)
    product: list[str] = Field(min_length=1)
    run: str
    needs: list[str] = []
    vague: list[str] = []
    version: VersionSource = VersionSource()
    user: Literal[0, 1000, "many"] = 1000
    accounts: list[str] = []
    files: dict[str, str] = {}
    patience: float = 30.0

    @property
    def packages(self) -> list[str]:
        return [self.package, *self.needs]


def load(wanted: Iterable[str] = ()) -> list[Entry]:
    """All entries by family and key, or just the wanted ones. Raises ValueError (pydantic's too) on bad data."""
    entries = [Entry(key=key, **body) for path in sorted(FOLDER.glob("*.yaml")) for key, body in _read(path).items()]
    names = [entry.key for entry in entries]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"more than one entry for {', '.join(sorted(doubled))}")
    wanted = list(wanted)
    if unknown := set(wanted) - set(names):
        raise ValueError(f"no daemon is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return [entry for entry in entries if not wanted or entry.key in wanted]


def _read(path: Path) -> dict[str, dict[str, Any]]:
    content = yaml.safe_load(path.read_text())
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: not a mapping of daemons")
    return content
