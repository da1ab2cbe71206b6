"""The engine: which packets are due, and what an answer does to its probe. One row of columns per probe of a block.

Theory of operation. A probe is sent, and sent again with the same tuple and sequence number, until something answers it
or until its silence is proof; how long each attempt is waited for is the business of `flights`. Silence is the absence
of any other bit in `seen`, so nothing is forgotten, and a late answer counts as long as the scan lasts.

What silence proves is a sum: each attempt adds -ln(p), where p is the chance that the answer of a port which does
answer got lost at that moment (see `loss`). It is enough when the chance that any silent port of the host is a lost
answer has come below 1 - `confidence`; a host that never answers anything has only its attempts. Before the silence of
a host is believed, its canaries are asked a last time (see `closing`).

The caller owns clock and wire:  due -> frames -> (send) -> sent | failed;  receive;  until `done`.
"""

from __future__ import annotations

import errno as errnos
import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from probe.core.closing import Closing
from probe.core.columns import I64, Bools
from probe.core.controls import Controls, Trial
from probe.core.flights import Flights
from probe.core.govern import Governor
from probe.core.hosts import RESET, SYN_ACK, Hosts
from probe.core.lanes import RUN, Lanes
from probe.core.ledger import CONTROL, ENVOY, LOOK, NOT_SENT, SETTLED, Heard, Ledger, slots_of, tsval
from probe.core.looks import Looks
from probe.core.loss import WINDOW, Window
from probe.core.order import Order
from probe.core.queues import NOTHING, take
from probe.core.replies import Batch

LINGER, AT_HOME = 0.1, 0.01  # seconds to wait for a contradiction after the last probe was answered
BURSTY = 2  # losses that made us slow down come in bursts, so attempts are not as independent as the sum takes them
MOST_TRIES = 60  # where the path loses so much that this is not enough, silence stays unknown
PATIENCE = 5.0  # seconds that a silent host or our own failing sends are borne; at least four timeouts
SPREAD = 10  # parts in which questions are asked again that shall make no burst
RULES = (errnos.EPERM, errnos.EACCES)  # a local rule's word changes only where the rule has a limit
RULES_PATIENCE = 2.0


@dataclass
class Scan(Ledger):
    """All probes of one block. `confidence` is that in the silence of a host; None counts attempts and nothing else.

    `ceiling` is the rate that the caller keeps (packets per second), `first` are ports that probably answer.
    """

    attempts: int
    timeout: float
    confidence: float | None = None
    adaptive: bool = field(default=False, kw_only=True)
    second_look: bool = False
    ceiling: float = 1e9
    first: Sequence[int] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        slots = self.block.slots
        self.silence = np.zeros(slots, np.float32)
        self.quiet = np.zeros(slots, np.uint8)  # attempts whose wait ended in silence
        self.refused = np.zeros(slots, np.uint8)  # times the local machine would not send it
        self.most_tries = MOST_TRIES if self.confidence is not None else self.attempts
        self.hosts = Hosts(self.block)
        self.governor = Governor(self.ceiling)
        self.controls = Controls(self.hosts, len(self.block.ports), self.seed, self.counters.trials)
        self.lanes = Lanes(self.hosts, max(4 * self.timeout, PATIENCE))
        self.looks = Looks(self)
        self.mark_first = self.second_look and self.attempts > 1  # a plain attempt must remain
        self.turned: set[tuple[int, int]] = set()  # (address row, ICMP kind): said of canaries too
        self._order = Order(self.block, self.seed, self.first if self.confidence is not None else None)
        self._unsettled = slots
        self._spent = 0  # attempts made at unsettled probes
        home = (self.local.high == self.block.high) & (self.local.low == self.block.low)
        self._linger = AT_HOME if home.all() else LINGER  # nobody stands between us and ourselves
        self._last_settled = -LINGER
        self._now = 0.0
        self._window = Window(-1.0, -1)
        self._flights = Flights(self.timeout, self.adaptive)
        self._again: deque[I64] = deque()
        self._later: list[tuple[float, int, I64]] = []
        self._serial = count()
        self._closing = Closing(self)

    # --- what is due ---------------------------------------------------------------------------------------------

    def due(self, now: float, budget: int) -> I64:
        """At most `budget` tickets to send now: envoys and control probes, those that were silent, then fresh ones in
        the seeded order, then second looks."""
        self.on_time(now)
        room, chosen = budget, []
        for choose in (self._envoys, self._companions, self._asked_again, self._asked_first):
            chosen.append(choose(room))
            room -= chosen[-1].size
        asked = np.concatenate(chosen[2:])
        if self.confidence is not None and asked.size:
            self.controls.accompany(asked, self._unsettled, self._trying())
        if not asked.size:
            asked = self.looks.due(room)
        return np.concatenate([chosen[0], self.controls.mingle(chosen[1], asked)])

    def _envoys(self, room: int) -> I64:
        for row in self.lanes.envoys_to(self._now):
            self._closing.envoys.append(self.controls.envoys(row) | ENVOY)
        return take(self._closing.envoys, room)

    def _companions(self, room: int) -> I64:
        return self.controls.companions(room, self._now)

    def _asked_again(self, room: int) -> I64:
        chosen = [self.lanes.take(self._now, room)]
        chosen[0] = chosen[0][self.seen[chosen[0]] & SETTLED == 0]
        room -= chosen[0].size
        while self._again and room > 0:
            slots = self._again.popleft()
            slots = self._divert(slots[self.seen[slots] & SETTLED == 0])
            if slots.size > room:
                self._again.appendleft(slots[room:])
            chosen.append(slots[:room])
            room -= chosen[-1].size
        return np.concatenate(chosen)

    def _asked_first(self, room: int) -> I64:
        if self._unsettled == 0:
            self._order.finish()
        chosen = [NOTHING]
        while room > 0 and self._order.left:  # excluded addresses cost no budget, hence no time
            held = self._held_until()
            if held is not None and self._now < held:
                break
            slots = self._order.take(room, self._now)
            chosen.append(self._divert(slots[self.seen[slots] & SETTLED == 0]))
            room -= chosen[-1].size
        return np.concatenate(chosen)

    def _held_until(self) -> float | None:
        """Until when all others wait for the answers of the vanguard; None where they do not."""
        known = self.settled >= self._order.vanguard or (self.adaptive and bool((self.hosts.gives != 0).all()))
        return None if known else self._order.hold_until

    def _divert(self, slots: I64) -> I64:
        return self.lanes.divert(slots, self.block.address_rows(slots))

    def _trying(self) -> bool:
        return self.governor.trying or bool(self.lanes.by_row)

    def exclude(self, address_rows: I64, errno: int) -> None:
        """These addresses cannot be reached from here at all; called before anything is sent."""
        width = len(self.block.ports)
        self._cannot_send((address_rows[:, None] * width + np.arange(width)).ravel(), errno)

    def ask_again(self, slots: I64) -> None:
        """Their silence is not proof yet."""
        if slots.size:
            self._again.append(slots)

    # --- what was sent -------------------------------------------------------------------------------------------

    def sent(self, tickets: I64, now: float) -> None:
        """These left the machine at `now`; their wait begins."""
        if not tickets.size:
            return
        self.counters.sent += tickets.size
        self.governor.sent(tickets.size, now)
        if self.governor.rate < self.ceiling:
            self.counters.slowest = min(self.counters.slowest or self.ceiling, self.governor.rate)
        slots, asked = slots_of(tickets), tickets < LOOK
        self._sent_probes(slots[asked], now)
        if not asked.all():
            self.looks.sent(slots[tickets & LOOK != 0], now, self.wait)
            self._sent_controls(tickets[tickets & CONTROL != 0], now)

    def _sent_probes(self, slots: I64, now: float) -> None:
        if slots.size:
            self.first_tsval[slots[self.tries[slots] == 0]] = tsval(now)
            self.sent_at[slots] = now
            self.tries[slots] += 1
            self._spent += slots.size
            self._flights.sent(slots, self.quiet[slots] >= self.attempts, self._window_at(now), now)

    def _sent_controls(self, tickets: I64, now: float) -> None:
        slots, alone = slots_of(tickets), tickets & ENVOY != 0
        self.controls.sent(slots[alone], now, self.wait)
        company = slots[~alone]
        own = self.lanes.special[self.block.address_rows(company)]
        self.controls.sent(company[~own], now, self.wait, self._window_at(now), self.governor)
        for slot in company[own].tolist():
            governor = self.lanes.governor(slot // len(self.block.ports))
            self.controls.sent(np.array([slot]), now, self.wait, None, governor)

    def _window_at(self, now: float) -> Window:
        if now - self._window.opened >= WINDOW or self._window.regime != self.governor.regime:
            self._window = Window(now, self.governor.regime)
        return self._window

    def failed(self, tickets: I64, errno: int, now: float) -> None:
        """The local machine would not send these: no verdict about the port. It is tried again, for some time."""
        slots = slots_of(tickets[tickets < LOOK])
        self.refused[slots] += 1
        rest = max(self.timeout, 0.1)
        patience = RULES_PATIENCE if errno in RULES else PATIENCE
        most = max(self.attempts, min(250, int(patience / rest) + 1))
        final = self.refused[slots] >= most
        self._cannot_send(slots[final], errno)
        self._spread(now + rest, slots[~final], rest)  # in no burst: it may be a limit that refused them

    def _cannot_send(self, slots: I64, errno: int) -> None:
        self.mark(slots, NOT_SENT, self._last_settled)
        self.errno[slots] = errno

    def _spread(self, start: float, slots: I64, seconds: float) -> None:
        """Ask these again from `start` on, spread over some seconds."""
        for part, some in enumerate(np.array_split(slots, SPREAD)):
            if some.size:
                heapq.heappush(self._later, (start + part * seconds / SPREAD, next(self._serial), some))

    # --- time passes ---------------------------------------------------------------------------------------------

    def on_time(self, now: float) -> None:
        """Move the probes whose wait is over: back to the queue while their silence is no proof, else to rest."""
        self._now = now
        for trial in self.controls.resolve(now):
            self._judge_path(trial, now)
        self.looks.on_time(now)
        while self._later and self._later[0][0] <= now:
            self._again.append(heapq.heappop(self._later)[2])
        self._again.extend(self.lanes.on_time(now))
        if self._unsettled == 0 and now >= self._last_settled + self._linger:
            self._flights.clear()
        answering = int(np.count_nonzero(self.hosts.gives))
        for slots, window in self._flights.over(now, answering, self._answers):
            self._wait_over(slots[self.seen[slots] & SETTLED == 0], window, now)
        if self._idle():
            self._closing.step(now)

    def _answers(self, slots: I64) -> Bools:
        answers: Bools = self.hosts.gives[self.block.address_rows(slots)] != 0
        return answers

    def _wait_over(self, slots: I64, window: Window, now: float) -> None:
        rows = self.block.address_rows(slots)
        if self.confidence is not None and self.hosts.gives[rows].any():  # of hosts that give none, silence is no sum
            self.silence[slots] -= np.log(self.controls.losses.p_miss(window, rows)).astype(np.float32)
        if not window.void:
            self.quiet[slots] += 1
        enough = (self.quiet[slots] >= self.attempts) & self.weighs_enough(slots, rows)
        again = slots[~enough & (self.tries[slots] < self.most_tries)]
        voiceless = (self.hosts.gives[self.block.address_rows(again)] == 0) & (self.tries[again] == 1)
        if self.confidence is None or len(self.block.ports) < SPREAD or not voiceless.any():
            self.ask_again(again)
            return
        # Who has said nothing yet may be behind a policer, which lets little of a burst through: ask it in no burst.
        self.ask_again(again[~voiceless])
        self._spread(now, again[voiceless], self.timeout / 2)

    def weighs_enough(self, slots: I64, rows: I64) -> Bools:
        """Whether no further attempt could make their silence weightier, or need make it so."""
        if self.confidence is None:
            return np.ones(slots.size, np.bool_)
        needed = np.log(np.maximum(self.hosts.unsettled[rows], 1) / (1 - self.confidence))
        if self.counters.slowest is not None:
            needed *= BURSTY
        moot = (self.hosts.gives[rows] == 0) | self.lanes.given_up[rows]
        enough: Bools = moot | (self.silence[slots] >= needed)
        return enough

    def believed(self, slots: I64) -> Bools:
        """Of silent slots, whether it is proof: enough of it, and witnessed by answers that came later."""
        rows = self.block.address_rows(slots)
        weighed = self.weighs_enough(slots, rows) & ~self.lanes.given_up[rows]
        mute = self.hosts.gives[rows] == 0
        witnessed = mute | self._closing.witnessed(slots, rows) if self.confidence is not None else True
        believed: Bools = (self.quiet[slots] >= self.attempts) & weighed & witnessed
        return believed

    def lost(self, now: float) -> None:
        """Our own kernel dropped packets: what is silent now may have answered."""
        self._window_at(now).void = True
        self._flights.lost()

    def next_deadline(self) -> float | None:
        """When something becomes due by waiting; None if something is due now or nothing is left."""
        held = self._held_until() if self._order.left else None
        if self._again or self._closing.envoys or self.looks.waiting or (self._order.left and held is None):
            return None
        times = [held, self.looks.next_time(), self.lanes.next_time(self._now), self.controls.next_expiry()]
        times.append(self._later[0][0] if self._later else None)
        times.append(self._flights.next_time())
        if self._unsettled == 0:
            times.append(self._last_settled + self._linger if self._flights else None)
        elif self._listening:
            times.append(self._flights.heard_out_at)
        return min((time for time in times if time is not None), default=None)

    def _idle(self) -> bool:
        waiting = self._again or self._later or self._flights or self._closing.envoys or self._listening
        asking = self._unsettled > 0 and (self._order.left or self.lanes.busy)
        return not waiting and not asking and self.looks.over()

    @property
    def _listening(self) -> bool:
        """Whether an answer to the last attempts may still come."""
        return self._unsettled > 0 and self._now < self._flights.heard_out_at

    @property
    def resting(self) -> bool:
        """Whether all is answered, or everything sent that need be, and only what nobody expects may still come."""
        under_way = self._flights or self._again or self._later or self.lanes.busy
        return self._unsettled == 0 or (self._listening and not under_way and not self.plenty)

    @property
    def rate(self) -> float:
        """Packets per second that the path bears."""
        return self.governor.rate

    @property
    def wait(self) -> float:
        """Seconds for an answer where one is expected, by the longest that it took so far."""
        return self._flights.expected

    @property
    def plenty(self) -> bool:
        return self._unsettled > 0 and self._order.left

    @property
    def done(self) -> bool:
        return self._idle() and (self._closing.over or self._unsettled == 0)

    @property
    def settled(self) -> int:
        """How many probes need no further attempt because something answered, or because they cannot be sent."""
        return self.block.slots - self._unsettled

    @property
    def remaining(self) -> int:
        """How many packets are still to be sent if nothing more is answered. Kept up to date, not counted."""
        return max(0, self._unsettled * self.attempts - self._spent)

    def waiting(self) -> Bools:
        """One bool per slot: its latest attempt has not been heard out, so its silence says nothing yet."""
        known = np.repeat(self.hosts.gives != 0, len(self.block.ports)) if self.adaptive else False
        return self._flights.waiting(self.sent_at, known, self._now)

    def settled_now(self, slots: I64, now: float) -> None:
        self._unsettled -= slots.size
        self._spent -= int(self.tries[slots].sum())
        self._last_settled = now
        self.hosts.settled(slots)

    # --- what comes back -----------------------------------------------------------------------------------------

    def receive(self, batch: Batch, now: float) -> I64:
        """Validate and enter a batch; returns the slots that became open by it."""
        heard = self.hear(batch, now)
        fresh = np.concatenate([heard.opened, heard.closed])
        if fresh.size:
            longest = float((now - self.sent_at[fresh]).max())
            self._flights.longest_rtt = max(self._flights.longest_rtt, longest)
        if self.second_look:
            self.looks.want(heard.closed)
        if self.confidence is not None:
            self._enter_controls(heard, now)
        return heard.opened

    def _enter_controls(self, heard: Heard, now: float) -> None:
        for slot, kind in self.contradicted:
            if self.controls.asks(slot):
                self.turned.add((slot // len(self.block.ports), kind))
        self.contradicted.clear()
        self.hosts.answered(SYN_ACK, heard.opened)
        self.hosts.answered(RESET, heard.closed)
        for trial in self.controls.heard(SYN_ACK, heard.syn_acks, heard.echoes, now):
            self._hit(trial)
        for trial in self.controls.heard(RESET, heard.resets, np.zeros(heard.resets.size, np.uint32), now):
            self._hit(trial)

    def _hit(self, trial: Trial) -> None:
        if self.lanes.lighten(trial.row):
            # Dark under our traffic, and answering as soon as it ceased: that was too much for somebody.
            (self.lanes.governor(trial.row) or self.governor).overloaded()

    def _judge_path(self, trial: Trial, now: float) -> None:
        if trial.governor:
            trial.governor.trial(bool(trial.hit), trial.regime)
        row = trial.row
        if trial.hit:
            return
        if self.hosts.silent_run[row] >= RUN and self.hosts.last_good[row].max() < trial.left_at:
            self.lanes.darken(row, now)
        elif trial.window and self.controls.losses.stands_out(row, trial.kind):
            share = 1 - self.hosts.misses[row, trial.kind] / self.hosts.trials[row, trial.kind]
            rate = self.governor.rate * self.hosts.unsettled[row] / max(1, self._unsettled)
            self.lanes.slow(row, max(5.0, float(rate) * share), self.ceiling, now)
