"""How large the numbers under `scan` may be, said once: for the profile, whose schema takes them from here, and for the
command line, which does not wait for pydantic."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """The bounds by pydantic's names; None is no bound."""

    gt: int | None = None
    ge: float | None = None
    le: float | None = None
    lt: int | None = None

    def complaint(self, value: float) -> str | None:
        """What a number breaks; one that is none (NaN) breaks whatever bound there is."""
        if self.gt is not None and not value > self.gt:
            return f"must be more than {self.gt:,}"
        if self.ge is not None and not value >= self.ge:
            return f"must be at least {self.ge:,.12g}"
        if self.le is not None and not value <= self.le:
            return f"must be at most {self.le:,.12g}"
        if self.lt is not None and not value < self.lt:
            return f"must be less than {self.lt:,}"
        return None


RATE = Limits(gt=0, le=10_000_000)
ATTEMPTS = Limits(ge=1, le=20)
CONFIDENCE = Limits(ge=0.5, le=0.999999)
MAX_PROBES = Limits(ge=1, lt=1 << 63)
SEED = Limits(ge=0, lt=1 << 63)
SCAN = {"rate": RATE, "attempts": ATTEMPTS, "confidence": CONFIDENCE, "max_probes": MAX_PROBES, "seed": SEED}
