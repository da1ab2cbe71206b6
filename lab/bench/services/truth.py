"""The true version of a daemon: that of its package, without Debian's own additions to it."""

from __future__ import annotations

import re

from lab.bench.services.catalog import Entry
from lab.bench.services.fetch import UNPACKED

# Debian's own marks on an upstream version: repacked sources, patched ones, snapshots of a packaging branch.
_MARKS = re.compile(r"[+~.](?:dfsg|ds|debian|real).*$")


def version_of(entry: Entry) -> str:
    """The upstream version. Raises ValueError where the package is unknown or its version does not match."""
    package = entry.version.package or entry.package
    upstream = upstream_of(_debian_version(entry, package))
    found = re.match(entry.version.match, upstream)
    if not found:
        raise ValueError(f"{entry.key}: version {upstream!r} of {package} does not match {entry.version.match!r}")
    return found.group(1)


def upstream_of(debian: str) -> str:
    """`1:9.2p1-2+deb12u10` → `9.2p1`: epoch, revision and marks taken off (deb-version(7))."""
    without_epoch = debian.partition(":")[2] or debian
    return _MARKS.sub("", without_epoch.rpartition("-")[0] or without_epoch)


def _debian_version(entry: Entry, package: str) -> str:
    """`debs.sh` notes what `dpkg-deb --show` reads in each control file: name, tab, version."""
    for root in entry.packages:
        lines = (UNPACKED / root / ".versions").read_text().splitlines()
        versions = dict(line.split("\t") for line in lines)
        if package in versions:
            return versions[package]
    raise ValueError(f"{entry.key}: {package} is not among what was unpacked for {', '.join(entry.packages)}")
