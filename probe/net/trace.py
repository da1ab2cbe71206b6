"""The corridor of `probe trace`: socket, capture, story, the kernel's word, the hop of a drop, the conclusion."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

import probe
from probe.core.conclusion import Conclusion, Word, blind, conclude
from probe.core.located import Located
from probe.core.story import Step, Story, Tuple4
from probe.core.traced import TraceEnd, TraceInfo
from probe.errors import WireError
from probe.model import Address, Cause
from probe.net.capture import Capture, Captured
from probe.net.connect import meaning_of
from probe.net.handshake import Ends, Handshake, prepare

LOCATE_TIMEOUT = 1.0


class Errand(Struct, frozen=True):
    """`target` as it was asked for; `timeout` bounds the handshake (seconds); `locate` follows silent ports."""

    target: str
    address: Address
    port: int
    timeout: float
    locate: bool = True


class Recorder(Protocol):
    """Who writes the trace down."""

    def start(self, info: TraceInfo) -> None: ...

    def packet(self, time_ns: int, data: bytes) -> None: ...

    def step(self, step: Step) -> None: ...

    def finish(self, end: TraceEnd) -> None: ...


def trace(errand: Errand, recorder: Recorder, say: Callable[[str], None]) -> Conclusion:
    """One handshake, written down as it goes. `say` tells people what is no result. Raises WireError."""
    made = prepare(errand.address, errand.port)
    with made.sock:
        capture = _capture(made.ends, say)
        with contextlib.closing(capture) if capture else contextlib.nullcontext():
            wire = "raw" if capture else "connect"
            recorder.start(TraceInfo(errand.target, made.ends, time.time_ns(), wire, probe.__version__))
            end = _watched(errand, made, capture, recorder, say) if capture else _unwatched(errand, made)
    recorder.finish(end)
    return end.conclusion


def _capture(ends: Tuple4, say: Callable[[str], None]) -> Capture | None:
    try:
        return Capture(ends.sport, ends.dport)
    except WireError as error:
        say(f"{error}. Without them no packet can be shown; what follows is the kernel's word on connect().")
        return None


def _watched(errand: Errand, made: Ends, capture: Capture, recorder: Recorder, say: Callable[[str], None]) -> TraceEnd:
    story = Story(made.ends)

    def see(packet: Captured) -> None:
        step = story.add(packet.time_ns, packet.data, intact=packet.intact)
        if step:
            recorder.packet(packet.time_ns, packet.data)
            recorder.step(step)

    word = Handshake(made, capture, see, errand.timeout).run()
    conclusion, place = conclude(story, word), None
    if conclusion.cause is Cause.DROPPED and errand.locate:
        place = _locate(errand, say)
        conclusion = conclude(story, word, place)
    return TraceEnd(conclusion, story.attempts, story.rtt_ms, place)


def _locate(errand: Errand, say: Callable[[str], None]) -> Located | None:
    from probe.net.locating import locate_one

    say("no answer; now SYNs of rising TTL find out how far they get …")
    try:
        return asyncio.run(locate_one(errand.address, errand.port, LOCATE_TIMEOUT))
    except WireError as error:
        say(f"{error}: the drop is not located")
        return None


def _unwatched(errand: Errand, made: Ends) -> TraceEnd:
    handshake = Handshake(made, None, lambda _: None, errand.timeout)
    word: Word = handshake.run()
    conclusion = blind(made.ends, word, handshake.heard, meaning_of(word.errno))
    return TraceEnd(conclusion, 0, word.waited * 1000 if word.errno == 0 else None)
