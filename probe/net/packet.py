"""The fast wire: frames handed to the device by sendmmsg, answers taken from a ring."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from probe.core.replies import Batch
from probe.net.devices import Devices
from probe.net.ring import Ring
from probe.net.ways import Ways
from probe.net.wire import Sent


class PacketWire:
    """See `probe.net.wire.Wire`. Raises OSError."""

    name = "packet"

    def __init__(self, port: int) -> None:
        self._ways = Ways(Devices())
        try:
            self._ring = Ring(port)
        except BaseException:
            self._ways.close()
            raise

    def send(self, rows: npt.NDArray[np.void]) -> Sent:
        return self._ways.send(rows)

    def receive(self) -> Batch | None:
        return self._ring.receive()

    def fileno(self) -> int:
        return self._ring.fileno()

    def drops(self) -> int:
        return self._ring.drops()

    @property
    def why_not(self) -> str | None:
        """Why frames are not used at present, if they are not."""
        return self._ways.say.why

    def close(self) -> None:
        self._ways.close()
        self._ring.close()
