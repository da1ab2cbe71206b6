"""The head and the end of a traced handshake: what stands around its packets, whoever writes it down."""

from __future__ import annotations

from msgspec import Struct

from probe.core.conclusion import Conclusion
from probe.core.located import Located
from probe.core.story import Tuple4


class TraceInfo(Struct, frozen=True):
    """`target` is what was asked for; `wire` is `raw`, or `connect` where only the kernel's word is known."""

    target: str
    ends: Tuple4
    started_ns: int
    wire: str
    probe_version: str


class TraceEnd(Struct, frozen=True):
    """`attempts` are the SYNs that were seen to leave, `place` is where those to a silent port end."""

    conclusion: Conclusion
    attempts: int
    rtt_ms: float | None
    place: Located | None = None
