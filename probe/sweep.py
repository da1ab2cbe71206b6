"""Many verdicts in little room. Most ports of a scan look alike: what is seen is said once, where and when for each.

A sweep is a sequence of verdicts for whoever wants them one by one, and columns for whoever has many of them to count
or to write. It imports nothing heavy: its columns are numpy's, but only who makes them needs numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from probe.model import Address, PortKey, Verdict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Sweep(Struct, frozen=True, eq=False):
    """Some verdicts, by address and port. `places` has (target, address), `looks` a verdict of each kind.

    Columns, one row per verdict: `rows` is the index of its place, ascending; `ports`; `which` is the index of its
    look; `rtt_ms` is NaN where there is none. What shares a look differs in the place and the round-trip time, where
    the look is `own` (see below) in the responder too, and in nothing else.
    """

    places: tuple[tuple[str, Address], ...]
    looks: tuple[Verdict, ...]
    own: tuple[bool, ...]
    rows: npt.NDArray[np.int64]
    ports: npt.NDArray[np.uint16]
    which: npt.NDArray[np.int64]
    rtt_ms: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ports)

    def __iter__(self) -> Iterator[Verdict]:
        kinds = (self.rows * len(self.looks) + self.which).tolist()
        first = {kind: index for index, kind in reversed(list(enumerate(kinds)))}
        samples = {kind: self.at(index) for kind, index in first.items()}
        for kind, port, rtt_ms in zip(kinds, self.ports.tolist(), self.rtt_ms.tolist(), strict=True):
            sample = samples[kind]
            key = PortKey(sample.key.address, sample.key.transport, port)
            yield placed(sample, sample.target, key, None if rtt_ms != rtt_ms else rtt_ms, itself=False)

    def at(self, index: int) -> Verdict:
        """One of them in full."""
        return self.later(index)()

    def later(self, index: int) -> Callable[[], Verdict]:
        """Makes one of them when it is wanted; keeps nothing of the others until then."""
        which = self.which[index]
        look, (target, address) = self.looks[which], self.places[self.rows[index]]
        key, rtt_ms = PortKey(address, look.key.transport, int(self.ports[index])), float(self.rtt_ms[index])
        return partial(placed, look, target, key, None if rtt_ms != rtt_ms else rtt_ms, itself=self.own[which])

    def addresses(self) -> list[str]:
        """The address of each place as text; dotted here, because `ipaddress` takes four times as long for IPv4."""
        return [_dotted(int(each)) if each.version == 4 else str(each) for _, each in self.places]

    def numbers(self) -> list[int]:
        """How many of them have each look."""
        import numpy as np

        numbers: list[int] = np.bincount(self.which, minlength=len(self.looks)).tolist()
        return numbers

    def only(self, rows: slice | npt.NDArray[np.bool_]) -> Sweep:
        """Some of them, in the same order; a slice copies nothing."""
        columns = (self.rows[rows], self.ports[rows], self.which[rows], self.rtt_ms[rows])
        return Sweep(self.places, self.looks, self.own, *columns)


def _dotted(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def own(look: Verdict) -> bool:
    """Whether the address itself sent what this shows."""
    return look.evidence.responder == str(look.key.address)


def placed(look: Verdict, target: str, key: PortKey, rtt_ms: float | None, *, itself: bool) -> Verdict:
    """What looks like this, at a place; `itself` makes the place its own responder."""
    evidence = replace(look.evidence, responder=str(key.address)) if itself else look.evidence
    return Verdict(
        *(target, key, look.state, look.reason, look.cause, evidence, look.attempts),
        *(rtt_ms, look.conversation, look.live),
    )
