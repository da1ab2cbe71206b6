"""Finds the rate that a path bears, below the ceiling, by the fate of control probes.

Loss has two causes that need opposite answers. A policer or a full queue lets a fixed number through: send less. Random
loss takes its share at any rate: send more often. So once loss is significant the rate is cut, to what seems to get
through and again, until that cures it: then it was policed, and the cut stays. Where even a trickle loses as much, loss
is random: it is accepted, and the rate goes back to where it was.

    steady ──loss──→ trial ──cured─────────→ steady, lower
                     │   ↑ └─at a trickle──→ steady, as before, this loss accepted
                     └───┘ not cured: lower still
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

LEAST = 5.0  # packets per second
TRICKLE = 30.0  # a policer that minds this would have cut what came before to next to nothing
ENOUGH = 12  # control probes before loss is believed
TRIAL = 24  # and before a trial is judged; fewer where they are slow to come
SLOW_TRIAL, SLOW = 10, 200.0
CALM = 32  # without significant loss: a little faster
USUAL = 0.15  # the share that may be lost without slowing down: more attempts are cheaper
DEEPEST = 8  # the most that one cut divides the rate by
MARGIN = 0.7  # of what seems to get through
STEP = 1.5
FORGET = 1.05
BUSY = 0.25  # seconds; a longer pause is not counted as time spent sending


@dataclass(slots=True)
class _Doubt:
    """What there was when the doubt began: the share that was lost, and the rate. Since then: trials and misses."""

    loss: float
    rate: float
    trials: int
    misses: int
    cured: bool = False


class Governor:
    """`rate` is the limit now, in packets per second; `regime` counts its changes, and each control probe has one."""

    def __init__(self, ceiling: float) -> None:
        self.rate = self.ceiling = ceiling
        self.regime = 0
        self.accepted = 0.0  # the share that is lost at any rate
        self._cap = ceiling
        self._doubt: _Doubt | None = None
        self._last: float | None = None
        self._restart()

    @property
    def trying(self) -> bool:
        """Whether a trial is on, and more control probes would end it sooner."""
        return self._doubt is not None and not self._doubt.cured

    def sent(self, packets: int, now: float) -> None:
        """These left."""
        if self._last is not None:
            self._busy += min(BUSY, now - self._last)
        self._last = now
        self._sent += packets

    def overloaded(self) -> None:
        """It was too much, that is known from elsewhere. A trial that is on finds out by itself."""
        if not self.trying and self.rate > TRICKLE:
            self._doubt = None
            self._change(self.rate / 4)

    def trial(self, hit: bool, regime: int) -> None:
        """A control probe is resolved that was sent in `regime`; those of an earlier one say nothing about this."""
        if regime != self.regime:
            return
        self._trials += 1
        self._misses += not hit
        if self._doubt and not self._doubt.cured:
            if self._trials >= (TRIAL if self.rate > SLOW else SLOW_TRIAL):
                self._judge(self._doubt)
        elif self._trials >= ENOUGH and self._significant():
            self._worse()
        elif self._trials >= CALM:
            self._calm()

    def _restart(self) -> None:
        self._trials = self._misses = self._sent = 0
        self._busy = 0.0

    def _significant(self) -> bool:
        usual = max(self.accepted, USUAL)
        return self._misses > self._trials * usual + 2.5 * sqrt(self._trials * usual * (1 - usual)) + 1

    @property
    def _share(self) -> float:
        return (self._trials - self._misses + 0.5) / (self._trials + 1)

    @property
    def _actual(self) -> float:
        """Packets per second that really left in this regime."""
        return max(1.0, min(self.rate, self._sent / self._busy)) if self._busy > 0 else self.rate

    def _lower(self) -> None:
        most = self.rate / (4 if self._doubt else 2)
        self._doubt = self._doubt or _Doubt(1 - self._share, self.rate, self._trials, self._misses)
        self._doubt.cured = False
        self._cap = min(self._cap, self._actual)
        wanted = self._actual * self._share * MARGIN
        self._change(max(LEAST, self.rate / DEEPEST, min(most, wanted)))

    def _judge(self, doubt: _Doubt) -> None:
        doubt.trials += self._trials
        doubt.misses += self._misses
        if 1 - self._share <= doubt.loss / 2:
            doubt.cured = True  # or lucky: the next trials tell
            self._restart()
        else:
            self._worse()

    def _worse(self) -> None:
        if self._doubt and self.rate <= TRICKLE:
            self._accept(self._doubt)
        else:
            self._lower()

    def _calm(self) -> None:
        doubt, self._doubt = self._doubt, None
        if doubt and self._misses > max(USUAL, doubt.loss / 3) * self._trials:
            doubt.trials += self._trials
            doubt.misses += self._misses
            self._accept(doubt)
        else:
            self._raise()

    def _accept(self, doubt: _Doubt) -> None:
        self.accepted = max(self.accepted, doubt.misses / doubt.trials)
        self._cap, self._doubt = self.ceiling, None
        self._change(doubt.rate)

    def _raise(self) -> None:
        self._cap *= FORGET  # what was too much then may not be now
        better = min(self.rate * STEP, max(self.rate, self._cap * 0.9), self.ceiling)
        if better > self.rate:
            self._change(better)
        else:
            self._restart()

    def _change(self, rate: float) -> None:
        self.rate = rate
        self.regime += 1
        self._restart()
