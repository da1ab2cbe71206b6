"""What people see while a run is under way: found ports as they are found, and nothing of it at the end."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from ipaddress import IPv4Address

import pytest

import probe.run as corridor
from probe.model import AddressRange, Conversation, Handshake, PortKey, Profile, ScanOptions, Service, Target, Verdict
from probe.net.orders import Orders
from probe.profile import Resolution
from probe.report.jsonl import JsonlSink
from probe.report.progress import Progress
from probe.report.reports import Reports
from tests.net.scripted_net import run_virtually
from tests.report import report_world as world
from tests.report.fake_screen import FakeScreen

WEB = PortKey(IPv4Address("198.18.1.10"), "tcp", 80)
HTTP = Conversation(Handshake.ANSWERED, Service("http", "nginx"))


class Finder:
    """A scanner that finds one open port, and then the end of its strength, if it is weak."""

    name = "raw"

    def __init__(self, screen: FakeScreen, *, weak: bool = False) -> None:
        self.screen, self.weak = screen, weak
        self.seen: list[str] = []

    def close(self) -> None:
        """Nothing is open."""

    async def verdicts(self, orders: Orders) -> AsyncIterator[list[Verdict]]:
        orders.shake([WEB])
        orders.on_progress(1, 2, 1)
        self.seen = list(self.screen.rows)
        if self.weak:
            raise RuntimeError
        yield [world.listening("web", str(WEB.address), WEB.port, HTTP)]


def scan(scanner: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corridor, "open_scanner", lambda *_options: (scanner, ()))
    here = int(WEB.address)
    targets = (Target("web", (AddressRange(4, here, here),)),)
    job = corridor.Job(Profile("p", "p.yaml", ScanOptions(tcp=(80,), handshake=False)), Resolution(targets, ()))
    out = _Out()
    with Reports.of(JsonlSink(out), out) as reports:
        corridor.run(job, reports, Progress(scanner.screen, size=lambda: scanner.screen.size))


class _Out:
    name = "nowhere"

    def write(self, text: str) -> None:
        """Nobody reads it."""

    def flush(self) -> None:
        """Nothing is kept."""

    commit = flush

    def abandon(self, *, keep: bool) -> None:
        """Nothing is there."""


def test_what_is_found_is_seen_at_once_and_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = Finder(FakeScreen(80, 24))
    scan(scanner, monkeypatch)
    assert scanner.seen[:-1] == ["198.18.1.10", "     80"]
    assert scanner.screen.rows == [""]


def test_nothing_of_it_stays_where_the_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says why must not write into the progress line."""
    scanner = Finder(FakeScreen(80, 24), weak=True)
    with pytest.raises(RuntimeError):
        scan(scanner, monkeypatch)
    assert len(scanner.seen) == 3
    assert scanner.screen.rows == [""]


def test_handshakes_are_seen_to_end_when_no_packet_moves_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeScreen(80, 24)
    progress = Progress(screen, size=lambda: screen.size)

    async def main() -> list[str]:
        progress.opened([WEB], asked=True)
        progress.update(1, 1, 1, 0.0, 9.0)
        ticking = asyncio.create_task(corridor._tick(progress, asyncio.get_running_loop().time))
        await asyncio.sleep(0.5)
        progress.told(WEB, HTTP)
        await asyncio.sleep(2 * corridor.TICK)
        ticking.cancel()
        return list(screen.rows)

    rows, _ = run_virtually(main, monkeypatch)
    assert rows[:-1] == ["198.18.1.10", "     80  http nginx"]


def test_where_nothing_is_drawn_nothing_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Progress(io.StringIO(), enabled=False)
    _, seconds = run_virtually(lambda: corridor._tick(silent, lambda: 0.0), monkeypatch)
    assert seconds == 0
