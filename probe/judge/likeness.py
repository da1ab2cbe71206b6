"""Two verdicts about one port: alike, different, or not to be told.

Theory of operation
===================
Four layers are compared, the strongest first; the first that differs names the difference.

    state      what was seen: open, closed, filtered
    cause      what it means: dropped and rejected are both `filtered`, and a rule lies between them
    service    who answers: name, product, version, and the TLS version where it speaks inside TLS
    identity   that it is the same one: the fingerprint of its host key or certificate

A layer that one side could not decide (`unknown`; a cause of `undetermined`, or of `half-open`, where no handshake was
tried; a port that answered in one run and stayed mute in the other) can neither differ nor be alike, so the port is
undecided, unless another layer differs. What both sides left open in the same way is alike: nothing says otherwise.
An identity that only one side learnt is no difference, and none is asked of a service that has none.
"""

from __future__ import annotations

from enum import StrEnum

from probe.model import Cause, Conversation, Handshake, Service, State, Verdict


class Layer(StrEnum):
    """Where two verdicts differ."""

    STATE = "state"
    CAUSE = "cause"
    SERVICE = "service"
    IDENTITY = "identity"


class Undecided(StrEnum):
    """Why two verdicts cannot be compared."""

    UNDECIDED = "undecided"


_VAGUE = (None, Cause.UNDETERMINED, Cause.HALF_OPEN)


def difference(old: Verdict, new: Verdict) -> Layer | Undecided | None:
    """The strongest layer in which they differ; None where they are alike as far as both sides could see."""
    if State.UNKNOWN in (old.state, new.state):
        return Undecided.UNDECIDED
    if old.state is not new.state:
        return Layer.STATE
    vague = (old.cause in _VAGUE) is not (new.cause in _VAGUE)
    if not vague and old.cause is not new.cause and old.cause not in _VAGUE:
        return Layer.CAUSE
    said = _conversations(old.conversation, new.conversation)
    return said or (Undecided.UNDECIDED if vague else None)


def answering(verdict: Verdict) -> Service | None:
    """Who identified itself on an open port."""
    return verdict.conversation.service if verdict.conversation else None


def identities(old: Service | None, new: Service | None) -> tuple[str, str] | None:
    """The host keys of both, or the certificates of both; None where there are no two of a kind."""
    if old and new and old.key and new.key:
        return old.key.fingerprint, new.key.fingerprint
    if old and new and old.tls and new.tls and old.tls.sha256 and new.tls.sha256:
        return old.tls.sha256, new.tls.sha256
    return None


def _conversations(old: Conversation | None, new: Conversation | None) -> Layer | Undecided | None:
    if old is None or new is None or old.handshake is not new.handshake:
        return None if old is new else Undecided.UNDECIDED
    if old.handshake is not Handshake.ANSWERED:
        return None
    if looks(old.service) != looks(new.service):
        return Layer.SERVICE
    shown = identities(old.service, new.service)
    return Layer.IDENTITY if shown and shown[0] != shown[1] else None


def looks(service: Service | None) -> tuple[str | None, ...]:
    """What is compared of a service; () where nothing identified itself."""
    if service is None:
        return ()
    return (service.name, service.product, service.version, service.tls.version if service.tls else None)
