"""Which wire is chosen, and what is said about it."""

from __future__ import annotations

import errno
from dataclasses import dataclass

import pytest

from probe.core.replies import Batch
from probe.errors import WireError
from probe.net import wires
from probe.net.wire import Sent
from probe.net.wires import NAMES, choose, open_wire

DENIED = PermissionError(errno.EPERM, "Operation not permitted")


@dataclass
class FakeWire:
    """`why_not` as the fast wires have it."""

    name: str
    why_not: str | None = None
    threaded: bool = False
    closed: bool = False

    def send(self, rows: object) -> Sent:
        return Sent()

    def receive(self) -> Batch | None:
        return None

    def fileno(self) -> int:
        return -1

    def drops(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


@dataclass
class Machine:
    """What can be had: an error, or a reason why a wire sends by raw sockets, by name."""

    troubles: dict[str, OSError | str]

    def __post_init__(self) -> None:
        self.opened: list[FakeWire] = []

    def open(self, name: str, _port: int, _packets: int | None = None) -> FakeWire:
        trouble = self.troubles.get(name)
        if isinstance(trouble, OSError):
            raise trouble
        self.opened.append(FakeWire(name, trouble))
        return self.opened[-1]


def machine(monkeypatch: pytest.MonkeyPatch, **troubles: OSError | str) -> Machine:
    made = Machine(troubles)
    monkeypatch.setattr(wires, "_open", made.open)
    monkeypatch.setattr("probe.net.raw.open_wire", lambda port: made.open("raw", port))
    return made


RULES = "the local firewall has rules"
MANY = 10_000_000  # packets


@pytest.mark.parametrize(
    ("rate", "troubles", "name", "warned"),
    [
        ((1e7, 4_999), {}, "raw", []),
        ((1e7, 5_000), {}, "packet", []),
        ((1e7, 999_999), {}, "packet", []),
        ((1e7, 1_000_000), {}, "xdp", []),
        (5000, {}, "raw", []),
        (49_999, {"packet": DENIED}, "raw", []),
        (50_000, {}, "packet", []),
        (999_999, {}, "packet", []),
        (1e6, {}, "xdp", []),
        (1e6, {"xdp": DENIED}, "packet", ["1,000,000 packets a second, but no xdp wire: it needs to load a BPF"]),
        (2e5, {"packet": RULES}, "raw", [f"200,000 packets a second, but no packet wire: {RULES}"]),
        (2e5, {"packet": OSError(errno.ENOMEM, "Cannot allocate memory")}, "raw", ["no packet wire: Cannot allocate"]),
        (1e6, {"xdp": RULES, "packet": RULES}, "raw", [f"no xdp wire: {RULES}", f"no packet wire: {RULES}"]),
    ],
)
def test_the_rate_and_the_number_of_packets_choose(
    monkeypatch: pytest.MonkeyPatch,
    rate: float | tuple[float, int],
    troubles: dict[str, OSError | str],
    name: str,
    warned: list[str],
) -> None:
    made = machine(monkeypatch, **troubles)
    rate, packets = rate if isinstance(rate, tuple) else (rate, MANY)
    choice = choose("auto", rate, packets, 40000)
    assert choice.wire.name == name
    assert len(choice.warnings) == len(warned)
    assert all(part in text for part, text in zip(warned, choice.warnings, strict=True))
    assert [wire.closed for wire in made.opened] == [True] * (len(made.opened) - 1) + [False]


@pytest.mark.parametrize("name", NAMES)
def test_a_wire_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    machine(monkeypatch)
    assert choose(name, 1, 1, 40000) == wires.Choice(FakeWire(name))


def test_a_wire_that_is_named_still_obeys_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, packet=RULES)
    choice = choose("packet", 1e6, MANY, 40000)
    assert (choice.wire.name, choice.warnings) == ("packet", (f"the packet wire sends by raw sockets now: {RULES}",))


@pytest.mark.parametrize("name", ["packet", "xdp"])
def test_a_wire_that_is_named_and_cannot_be_had(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    machine(monkeypatch, **{name: DENIED})
    with pytest.raises(WireError, match=rf"no {name} wire: it needs .* run as root"):
        choose(name, 1e6, MANY, 40000)


@pytest.mark.parametrize("name", NAMES)
def test_a_real_wire_opens_and_closes(name: str) -> None:
    try:
        wire = open_wire(name, 40000)
    except WireError as error:
        pytest.skip(str(error))
    assert wire.name == name
    assert wire.receive() is None
    assert wire.drops() == 0
    assert wire.fileno() >= 0
    wire.close()
