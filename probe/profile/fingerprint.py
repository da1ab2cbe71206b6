"""What a run scans and expects, as one short text: equal for two runs that would ask and judge the same.

Comments, line numbers, where results go and the seed do not count; names count as the addresses that they stood for.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from msgspec import Struct

from probe.model import AddressRange, Profile
from probe.profile.resolution import Resolution

_NOT_ASKED = frozenset({"line", "column", "seed", "host"})


def fingerprint(profile: Profile, resolution: Resolution, shard: tuple[int, int]) -> str:
    """Lower-case hex."""
    asked = [profile.name, profile.vantage, profile.lab, profile.scan, profile.expectations, resolution.targets, shard]
    text = json.dumps([_plain(part) for part in asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Struct | AddressRange):
        names = value.__struct_fields__ if isinstance(value, Struct) else ("version", "first", "last")
        return {name: _plain(getattr(value, name)) for name in names if name not in _NOT_ASKED}
    if isinstance(value, frozenset):
        return sorted(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
