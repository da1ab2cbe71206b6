"""What moves packets needs to know of what thinks about them: the shape that `scan` and `locate` share."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from probe.core.columns import I64
from probe.core.replies import Batch


class Driver(Protocol):
    """due -> frames -> (send) -> sent | failed;  receive;  until `done`. Times are seconds on the caller's clock.

    A slot is whatever number the driver gives to something that it wants to send.
    """

    @property
    def done(self) -> bool: ...

    @property
    def rate(self) -> float:
        """Packets per second that the path bears, so far as it is known; the caller's ceiling holds anyway."""

    @property
    def plenty(self) -> bool:
        """Whether so much is still to be sent for the first time that what is due next can be asked for before it is
        said what became of the last."""

    def due(self, now: float, budget: int) -> I64:
        """At most `budget` slots to send now."""

    def frames(self, slots: I64, now: float) -> list[tuple[I64, npt.NDArray[np.void]]]:
        """Their packets as (slots, rows), one family each."""

    def sent(self, slots: I64, now: float) -> None:
        """These left the machine."""

    def failed(self, slots: I64, errno: int, now: float) -> None:
        """The local machine would not send these."""

    def receive(self, batch: Batch, now: float) -> I64:
        """Enter a batch; the slots that became open by it."""

    def on_time(self, now: float) -> None:
        """Time has passed."""

    def lost(self, now: float) -> None:
        """Our own kernel dropped packets that it had received."""

    def next_deadline(self) -> float | None:
        """When something becomes due by waiting; None if something is due now or nothing is left."""
