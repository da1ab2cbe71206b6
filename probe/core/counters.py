"""What a run counts, whichever way it sends."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Counters:
    """Packets sent, probes answered by TCP, and packets to our port that failed validation.

    `trials` has [control probes, those unanswered] of each class (SYN-ACK, reset), `slowest` the least rate that was
    kept for the sake of the path, packets per second.
    """

    sent: int = 0
    received: int = 0
    forged: int = 0
    trials: list[list[int]] = field(default_factory=lambda: [[0, 0], [0, 0]])
    slowest: float | None = None

    def p_miss(self) -> dict[str, float]:
        """How probable the loss of an answer was, by class; without the classes that no control probe was sent for."""
        classes = zip(("syn-ack", "reset"), self.trials, strict=True)
        return {name: estimate(trials, misses) for name, (trials, misses) in classes if trials}


def estimate(trials: int, misses: int) -> float:
    """The share that is lost: never 0, and 1/2 where nothing is known (Krichevsky & Trofimov, 1981)."""
    return (misses + 0.5) / (trials + 1)
