"""What a traced handshake means, in the words of a verdict and in two or three sentences, and what to look at next.

No guess: where two explanations fit the same packets, both are named, and what would tell them apart.
"""

from __future__ import annotations

import errno as errnos

from msgspec import Struct
from msgspec.structs import replace

from probe.core.dissect import FIN, RST, Segment
from probe.core.located import Located, in_words
from probe.core.story import Step, Story, Tuple4
from probe.core.verdict import SOFT, icmp_cause
from probe.model import Cause, Handshake, Reason, State

EXIT_OPEN, EXIT_NOT_OPEN, EXIT_UNDECIDED = 0, 1, 3
_STARTS = (32, 64, 128, 255)  # initial TTLs in use


class Word(Struct, frozen=True):
    """The kernel's word on `connect()`: errno 0 for a connection, ETIMEDOUT after `waited` seconds without."""

    errno: int
    waited: float

    @property
    def name(self) -> str:
        return errnos.errorcode.get(self.errno, str(self.errno))

    @property
    def duration(self) -> str:
        return f"{self.waited:.1f} s" if self.waited >= 1 else f"{self.waited * 1e3:.3g} ms"


class Conclusion(Struct, frozen=True):
    """`sentences` are for people; the last one says what to look at next."""

    state: State
    reason: Reason
    cause: Cause | None
    sentences: tuple[str, ...]
    handshake: Handshake | None = None

    @property
    def exit_code(self) -> int:
        if self.state is State.OPEN:
            return EXIT_OPEN
        decided = self.state is State.CLOSED or self.cause in (Cause.REJECTED, Cause.DROPPED)
        return EXIT_NOT_OPEN if decided else EXIT_UNDECIDED


def conclude(story: Story, word: Word, place: Located | None = None) -> Conclusion:
    """From what was seen and what the kernel said. `place` is where the packets of a silent port end, if known."""
    if word.errno == 0 or story.completed:
        return _open(story)
    if story.syn_ack:
        return _not_taken(story)
    if story.reset:
        return _refused(story)
    if story.error:
        return _error(story)
    if not story.attempts:
        return _not_sent(story, word)
    return _silent(story, word, place)


def _open(story: Story) -> Conclusion:
    step = story.syn_ack
    took = f" in {story.rtt_ms:.3f} ms" if story.rtt_ms is not None else ""
    handshake, then, cause, look = _after(story)
    sentences = [f"Open: the handshake was completed{took}, {then}."]
    if step and step[1].window == 0:
        sentences.append("The SYN-ACK offers a window of 0, as a SYN proxy does that stands before a host.")
    return Conclusion(State.OPEN, Reason.SYN_ACK, cause, (*sentences, look), handshake)


def _after(story: Story) -> tuple[Handshake, str, Cause, str]:
    """How the connection went on: handshake word, half a sentence, cause, what to look at next."""
    ends, scan = story.ends, _scan(story.ends)
    if story.received:
        when = "once we had closed our half" if _after_our_fin(story, story.first_data) else "first"
        said = f"and the server spoke {when} ({_count(story.received, 'byte')})"
        return Handshake.ANSWERED, said, Cause.LISTENING, f"`{scan}` names the service."
    reset = next(story.segments(outgoing=False, flags=RST), None)
    if reset and not _after_our_fin(story, reset[0]):
        said = f"then reset by the peer {_since(story, reset[0].time_ns)} later, before any byte"
        return Handshake.RESET, said, Cause.TCPWRAPPED, _WRAPPED
    fin = next(story.segments(outgoing=False, flags=FIN), None)
    if fin and not _after_our_fin(story, fin[0]):
        said = f"then closed by the peer {_since(story, fin[0].time_ns)} later, before any byte"
        return Handshake.CLOSED, said, Cause.TCPWRAPPED, _WRAPPED
    said = "and then the server said nothing"
    look = f"Many servers wait to be asked: `{scan}` asks, and names what answers on port {ends.dport}."
    return Handshake.MUTE, said, Cause.LISTENING, look


def _after_our_fin(story: Story, step: Step | None) -> bool:
    ours = next(story.segments(outgoing=True, flags=FIN), None)
    return step is not None and ours is not None and ours[0].number < step.number


_WRAPPED = (
    "That is access control by address (tcpwrapped), or a proxy before something that is off: look at the allow lists "
    "of the service, and at its log."
)


def _since(story: Story, time_ns: int) -> str:
    begin = story.syn_ack[0].time_ns if story.syn_ack else story.steps[0].time_ns
    return f"{(time_ns - begin) / 1e6:.3f} ms"


def _not_taken(story: Story) -> Conclusion:
    said = (
        "Undecided: a SYN-ACK came back, but this machine did not take it for an answer.",
        "Look at the firewall here: it drops what comes in (`nft list ruleset`), or the reverse path is filtered "
        "(`sysctl net.ipv4.conf.all.rp_filter`).",
    )
    return Conclusion(State.UNKNOWN, Reason.SYN_ACK, None, said)


def _refused(story: Story) -> Conclusion:
    assert story.reset
    ends = story.ends
    said = (
        f"Not open: {ends.target} answered with a reset, {_hops(story.reset[1])}.",
        f"Nobody listens on port {ends.dport}, or a rule resets in the host's name: one such packet cannot tell.",
        f"Beside a port that is open, the TTL can: `probe scan {ends.target} -p {ends.dport},OPENPORT`.",
    )
    return Conclusion(State.CLOSED, Reason.RESET, Cause.UNDETERMINED, said)


def _hops(segment: Segment) -> str:
    start = min(start for start in _STARTS if start >= segment.ttl)
    away = start - segment.ttl
    far = f"from beyond {_count(away, 'router')}" if away else "with no router in between"
    called = "TTL" if segment.source.version == 4 else "hop limit"
    return f"{far}, if its {called} of {segment.ttl} began at {start}"


def _error(story: Story) -> Conclusion:
    assert story.error
    error, ends = story.error[1], story.ends
    reason = error.reason
    assert reason
    cause, own = icmp_cause(reason, live=False), error.sender == ends.target
    who = "the host itself" if own else f"{error.sender}, which is not the target"
    if cause is Cause.REJECTED:
        where = "that host's own firewall" if own else f"the firewall at {error.sender}"
        said = (
            f"Not open: rejected by {who}, with ICMP {reason}.",
            f"No TCP refuses in this way, so a rule does: look at {where} for what concerns port {ends.dport}.",
        )
    else:
        said = (f"Undecided: {who}, says {reason}, so nothing is known of port {ends.dport}.", _ROUTES[reason])
    return Conclusion(State.FILTERED, reason, cause, said)


_ROUTES = {
    Reason.HOST_UNREACH: "Its neighbour discovery (ARP, ND) got no answer, or a rule says so: is the host on?",
    Reason.NET_UNREACH: "It has no route to there, or a rule says so: look at its routing table.",
    Reason.TIME_EXCEEDED: "The packet was passed on until its TTL was used up: look for a routing loop around there.",
}
assert set(_ROUTES) == SOFT


def _not_sent(story: Story, word: Word) -> Conclusion:
    ends = story.ends
    if word.errno == errnos.EHOSTUNREACH and story.steps:
        said = (
            f"Undecided: the next hop to {ends.target} tells no link address (ARP, ND), so nothing was sent.",
            "It is off, or not on this link: look at `ip neighbour`, its cable, its switch port and our netmask.",
        )
        return Conclusion(State.FILTERED, Reason.HOST_UNREACH, Cause.UNREACHABLE, said)
    said = (
        f"Undecided: no packet to {ends.target} left this machine ({word.name}).",
        "Look at its own firewall (`nft list ruleset`), its routes (`ip route get "
        f"{ends.target}`) and its neighbours (`ip neighbour`).",
    )
    return Conclusion(State.UNKNOWN, Reason.NOT_SENT, None, said)


def _silent(story: Story, word: Word, place: Located | None) -> Conclusion:
    silence = f"no answer to {_count(story.attempts, 'SYN')} in {word.duration}"
    if place and place.answered:
        look = f"The path loses packets, or a rule counts them: try `{_scan(story.ends)}`."
        said = (f"Undecided: {silence}, but later ones were answered.", look)
        return Conclusion(State.UNKNOWN, Reason.NO_RESPONSE, None, said)
    if place:
        look = f"SYNs of rising TTL tell: {in_words(place)}. Look at the rules there, and beyond."
    else:
        look = f"`{_scan(story.ends)} --locate` finds the hop after which they are dropped."
    return Conclusion(State.FILTERED, Reason.NO_RESPONSE, Cause.DROPPED, (f"Not open: {silence}.", look, _OFF))


_OFF = "A host that is off looks the same, unless another of its ports answers."


def _scan(ends: Tuple4) -> str:
    return f"probe scan {ends.target} -p {ends.dport}"


def blind(ends: Tuple4, word: Word, heard: int, meaning: tuple[State, Reason, Cause | None]) -> Conclusion:
    """From the kernel's word alone, and the bytes that were read; `meaning` is that of the errno in a connect scan."""
    state, reason, cause = meaning
    if state is State.OPEN:
        then = f"{_count(heard, 'byte')} came" if heard else "nothing came"
        said = f"Open: the kernel made the connection in {word.waited * 1e3:.3f} ms, and {then}."
        return Conclusion(state, reason, Cause.LISTENING, (said, f"`{_scan(ends)}` names the service."))
    conclusion = Conclusion(state, reason, cause, ())
    decided = "Not open" if conclusion.exit_code == EXIT_NOT_OPEN else "Undecided"
    said = f"{decided}: the kernel says {word.name} after {word.duration}. {_BLIND.get(reason, '')}".strip()
    return replace(conclusion, sentences=(said, "Who sent it, and where it was lost, only a packet socket shows."))


_BLIND = {
    Reason.RESET: "A reset came, or an ICMP error that says the port is unreachable.",
    Reason.NO_RESPONSE: "Nothing came back.",
    Reason.HOST_UNREACH: "Somebody said so by ICMP, or this machine has no way to there.",
    Reason.NET_UNREACH: "Somebody said so by ICMP, or this machine has no way to there.",
}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
