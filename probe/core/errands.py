"""How often to ask a router, and when its silence means something.

Routers answer seldom: Linux lets 6 errors to a peer pass at once, then one a second (net/ipv4/inetpeer.c,
inet_peer_xrlim_allow). So questions to a hop that is known to speak leave in batches, and the last of a batch is a
control: one that this hop answered before. If the control is answered, an answer was to be had for those before it, and
their silence is their own. If not, the hop says less than it is asked: nothing is concluded, and it is asked less.
A hop that never answered has no control; its silence is taken as it is, after all attempts, a second apart at least.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections import Counter, deque
from dataclasses import dataclass, field
from operator import itemgetter

from probe.core.walks import SEVERAL, WIDTH, Walks

FIRST_WINDOW = 8  # questions to a hop before it is known how many it answers at once
MOST_WINDOW = 4096
LONGEST_PAUSE = 8.0  # seconds
ONE_ANSWER = 1.1  # seconds in which a Linux router may answer once more
NOBODY = -1  # the hop of questions that no hop is known for


@dataclass(slots=True)
class _Hop:
    """A router as one that answers questions. `queue` holds (rank, question); `control` is one that it answered."""

    queue: list[tuple[int, int]] = field(default_factory=list)
    control: int = -1
    window: int = FIRST_WINDOW
    pause: float = 0.0
    free_at: float = 0.0
    busy: bool = False


@dataclass(slots=True)
class _Flight:
    """Questions that leave together, the control last. Both counters go down to nought; what is spoilt is void."""

    hop: int
    questions: list[int]
    control: int | None
    unsent: int
    unheard: int
    willing: bool = False
    spoilt: bool = False
    landed: bool = False


class Errands:
    """Carries out what `walks` asks. Times are seconds on the caller's clock."""

    def __init__(self, walks: Walks, attempts: int, timeout: float) -> None:
        self._walks, self._attempts, self._timeout = walks, attempts, timeout
        self._hops: dict[int, _Hop] = {NOBODY: _Hop()}
        self._ready: set[int] = set()  # hops with a queue that are not busy
        self._heard: dict[int, int] = {}  # question -> hop
        self._latest: dict[int, int] = {}  # TTL -> hop, since many hosts share the first part of their ways
        self._tries: Counter[int] = Counter()
        self._outgoing: deque[int] = deque()
        self._flights: dict[int, _Flight] = {}  # by question
        self._flying: deque[tuple[float, _Flight]] = deque()
        self._now = 0.0
        self.seldom = False  # a hop was asked more than it answers
        self.cut: str | None = None

    def add(self, questions: list[int]) -> None:
        """Queue these, those of the first ports of each host first."""
        if self.cut:
            return
        for question in questions:
            number = self._hop_of(question)
            heapq.heappush(self._hops[number].queue, (self._walks.rank(question), question))
            if not self._hops[number].busy:
                self._ready.add(number)

    def give_up(self, reason: str) -> None:
        """Ask nothing more; what is under way may still be answered."""
        if self.cut or self.done:
            return
        self.cut = reason
        self._outgoing.clear()
        self._ready.clear()

    # --- leaving -------------------------------------------------------------------------------------------------

    def due(self, now: float, budget: int) -> list[int]:
        for number in [each for each in self._ready if self._hops[each].free_at <= now]:
            self._launch(number)
        return [self._outgoing.popleft() for _ in range(min(budget, len(self._outgoing)))]

    def left(self, question: int, now: float) -> None:
        """It was sent."""
        flight = self._flights[question]
        flight.unsent -= 1
        if not flight.unsent:
            wait = self._timeout if flight.control is not None else max(self._timeout, ONE_ANSWER)
            insort(self._flying, (now + wait, flight), key=itemgetter(0))

    def refused(self, question: int) -> None:
        """It was not, and will not be."""
        flight = self._flights[question]
        flight.unheard -= 1
        if question != flight.control:
            self.add(self._walks.refused(question))
        self.left(question, self._now)

    def lost(self) -> None:
        """Answers were lost on our side: the silence of what is under way is no silence."""
        for flight in self._flights.values():
            flight.spoilt = True

    def next_deadline(self) -> float | None:
        """When something becomes due by waiting; None if something is due now or nothing is left."""
        times = [self._hops[number].free_at for number in self._ready]
        if self._outgoing or any(time <= self._now for time in times):
            return None
        return min([*times, *(time for time, _ in list(self._flying)[:1])], default=None)

    @property
    def done(self) -> bool:
        return not (self._outgoing or self._ready or self._flying)

    def _launch(self, number: int) -> None:
        hop = self._hops[number]
        self._ready.discard(number)
        questions = self._next_questions(number, hop)
        if not questions:
            return
        hop.busy = number != NOBODY
        everything = [*questions, hop.control] if hop.busy else questions
        flight = _Flight(number, questions, hop.control if hop.busy else None, len(everything), len(everything))
        self._flights.update(dict.fromkeys(everything, flight))
        self._outgoing.extend(everything)

    def _next_questions(self, number: int, hop: _Hop) -> list[int]:
        questions: list[int] = []
        while hop.queue and (number == NOBODY or len(questions) < hop.window):
            question = heapq.heappop(hop.queue)[1]
            if self._walks.moot(question):
                self.add(self._walks.drop(question))
            elif self._hop_of(question) != number:
                self.add([question])  # another hop spoke up since it was queued
            else:
                questions.append(question)
        return questions

    def _hop_of(self, question: int) -> int:
        """Who would answer: the hop that did so for another port of this host, else one at this distance."""
        number, ttl = divmod(question, WIDTH)
        known = self._walks.walkers[number].path.hops.get(ttl, NOBODY)
        if known == NOBODY:
            return self._latest.get(ttl, NOBODY)
        return NOBODY if known == SEVERAL else known

    # --- answers -------------------------------------------------------------------------------------------------

    def heard(self, question: int, hop: int, now: float) -> None:
        """This hop answered the question."""
        if question not in self._heard:
            self._heard[question] = hop
            self._latest[question % WIDTH] = hop
            self._hops.setdefault(hop, _Hop()).control = question
            self.add(self._walks.heard(question, hop))
        self._answered(question, now)

    def reached(self, question: int, now: float) -> None:
        """The port itself answered the question."""
        if self._walks.is_open(question):
            self.add(self._walks.reached(question))
        self._answered(question, now)

    def _answered(self, question: int, now: float) -> None:
        flight = self._flights.get(question)
        if flight is None:
            return
        flight.willing |= question == flight.control
        flight.unheard -= 1
        if not flight.unheard and not flight.unsent:
            self._land(flight, now)

    def on_time(self, now: float) -> None:
        self._now = now
        while self._flying and (self._flying[0][0] <= now or self._flying[0][1].landed):
            self._land(self._flying.popleft()[1], now)

    def _land(self, flight: _Flight, now: float) -> None:
        if flight.landed:
            return
        flight.landed = True
        for question in (*flight.questions, flight.control):
            self._flights.pop(-1 if question is None else question, None)
        silent = [question for question in flight.questions if self._walks.is_open(question)]
        if flight.control is not None:
            self._adjust(flight, len(flight.questions) - len(silent), now)
        for question in silent:
            counts = not flight.spoilt and (flight.control is None or flight.willing)
            self._tries[question] += counts
            over = self._tries[question] >= self._attempts
            self.add(self._walks.stays_silent(question) if over else [question])

    def _adjust(self, flight: _Flight, answers: int, now: float) -> None:
        """A hop that answered its control is asked more at once; one that did not, as much as it answered."""
        hop = self._hops[flight.hop]
        hop.busy = False
        if flight.spoilt:
            hop.pause = 0.0
        elif flight.willing:
            hop.window, hop.pause = min(MOST_WINDOW, 2 * hop.window), 0.0
        else:
            self.seldom = True
            hop.window = max(1, answers)
            hop.pause = 0.0 if answers else min(LONGEST_PAUSE, 2 * hop.pause or self._timeout)
        hop.free_at = now + hop.pause
        if hop.queue and not self.cut:
            self._ready.add(flight.hop)
