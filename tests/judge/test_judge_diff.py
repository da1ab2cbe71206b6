"""What changed between two runs: the traps that ndiff falls into, moves, and that nothing is lost or invented."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.judge.diff import Diff, Gap, Kind, compare
from probe.judge.likeness import Layer, Undecided, difference
from probe.model import (
    Cause,
    Conversation,
    Evidence,
    Handshake,
    HostKey,
    PortKey,
    Reason,
    Service,
    State,
    Tls,
    Verdict,
)

WEB = "198.18.1.10"


def verdict(
    port: int, state: State, cause: Cause | None, talk: Conversation | None = None, address: str = WEB
) -> Verdict:
    key = PortKey(ip_address(address), "tcp", port)
    return Verdict("web", key, state, Reason.NO_RESPONSE, cause, Evidence(), 3, conversation=talk)


def dropped(port: int) -> Verdict:
    return verdict(port, State.FILTERED, Cause.DROPPED)


def refused(port: int) -> Verdict:
    return verdict(port, State.CLOSED, Cause.REFUSED)


def unknown(port: int) -> Verdict:
    return verdict(port, State.UNKNOWN, None)


def listening(port: int, talk: Conversation | None = None, address: str = WEB) -> Verdict:
    return verdict(port, State.OPEN, Cause.LISTENING, talk, address)


def mute(port: int) -> Verdict:
    return listening(port, Conversation(Handshake.MUTE))


def serving(port: int, name: str | None, product: str | None = None, mark: str | None = None) -> Verdict:
    tls = Tls("TLSv1.3", sha256=mark) if mark else None
    return listening(port, Conversation(Handshake.ANSWERED, Service(name, product, tls=tls)))


def diff(old: Iterable[Verdict], new: Iterable[Verdict]) -> Diff:
    return compare({one.key: one for one in old}, {one.key: one for one in new})


def told(found: Diff) -> list[tuple[str, int, int]]:
    return [(str(change.kind), change.old.key.port, change.new.key.port) for change in found.changes]


# --- ndiff's traps


def test_a_wider_scan_is_no_change() -> None:
    found = diff([refused(22), dropped(23)], [refused(22), dropped(23), dropped(24), listening(80)])
    assert (found.changes, found.unchanged) == ((), 2)
    assert found.gaps[Gap.BEFORE] == {(ip_address(WEB), "tcp"): [24, 80]}
    assert found.exit_code(complete=True) == 0


def test_a_narrower_scan_is_no_change() -> None:
    found = diff([refused(22), serving(80, "http")], [refused(22)])
    assert found.changes == ()
    assert found.gaps[Gap.NOW] == {(ip_address(WEB), "tcp"): [80]}
    assert found.exit_code(complete=True) == 0


def test_a_drop_that_became_a_reject_is_a_change() -> None:
    found = diff([dropped(22)], [verdict(22, State.FILTERED, Cause.REJECTED)])
    assert told(found) == [("cause", 22, 22)]
    assert found.exit_code(complete=True) == 1
    assert "was filtered (dropped)" in found.changes[0].message
    assert "is filtered (rejected)" in found.changes[0].message


def test_ssh_from_22_to_2222_is_one_move() -> None:
    found = diff([serving(22, "ssh"), refused(2222)], [refused(22), serving(2222, "ssh")])
    assert told(found) == [("moved", 22, 2222)]
    assert found.changes[0].message.startswith(
        "web 198.18.1.10: ssh moved from tcp/22 to tcp/2222; tcp/22 is now closed"
    )


# --- the layers


def talk(handshake: Handshake, service: Service | None = None) -> Conversation:
    return Conversation(handshake, service)


SSH = talk(Handshake.ANSWERED, Service("ssh", "OpenSSH", "9.2"))
MUTE = talk(Handshake.MUTE)


def tls(mark: str, version: str = "TLSv1.3") -> Conversation:
    return talk(Handshake.ANSWERED, Service("http", tls=Tls(version, sha256=mark)))


LAYERS: list[tuple[Verdict, Verdict, object]] = [
    (dropped(1), dropped(1), None),
    (dropped(1), refused(1), Layer.STATE),
    (dropped(1), unknown(1), Undecided.UNDECIDED),
    (unknown(1), unknown(1), Undecided.UNDECIDED),
    (refused(1), verdict(1, State.CLOSED, Cause.REJECTED), Layer.CAUSE),
    (refused(1), verdict(1, State.CLOSED, Cause.UNDETERMINED), Undecided.UNDECIDED),
    (verdict(1, State.CLOSED, Cause.UNDETERMINED), verdict(1, State.CLOSED, Cause.UNDETERMINED), None),
    (verdict(1, State.CLOSED, Cause.UNDETERMINED), listening(1), Layer.STATE),
    (dropped(1), verdict(1, State.FILTERED, Cause.UNREACHABLE), Layer.CAUSE),
    (listening(1), verdict(1, State.OPEN, Cause.HALF_OPEN), Undecided.UNDECIDED),
    (listening(1, SSH), verdict(1, State.OPEN, Cause.TCPWRAPPED, talk(Handshake.RESET)), Layer.CAUSE),
    (listening(1, SSH), listening(1, SSH), None),
    (listening(1, SSH), listening(1, MUTE), Undecided.UNDECIDED),
    (listening(1, SSH), listening(1), Undecided.UNDECIDED),
    (mute(1), mute(1), None),
    (listening(1, SSH), listening(1, talk(Handshake.ANSWERED)), Layer.SERVICE),
    (listening(1, SSH), listening(1, talk(Handshake.ANSWERED, Service("ssh", "OpenSSH", "9.3"))), Layer.SERVICE),
    (listening(1, SSH), listening(1, talk(Handshake.ANSWERED, Service("ssh", "OpenSSH", "9.2", "hello"))), None),
    (listening(1, tls("aa")), listening(1, tls("aa")), None),
    (listening(1, tls("aa")), listening(1, tls("bb")), Layer.IDENTITY),
    (listening(1, tls("aa")), listening(1, tls("aa", "TLSv1.2")), Layer.SERVICE),
]


@pytest.mark.parametrize("old, new, expected", LAYERS)
def test_layers(old: Verdict, new: Verdict, expected: object) -> None:
    assert difference(old, new) == expected
    assert difference(new, old) == expected


def test_what_could_not_be_decided_is_incomplete_and_no_change() -> None:
    found = diff([dropped(1), dropped(2)], [unknown(1), dropped(2)])
    assert (found.changes, found.unchanged) == ((), 1)
    assert found.gaps[Gap.UNDECIDED] == {(ip_address(WEB), "tcp"): [1]}
    assert found.exit_code(complete=True) == 3


def test_an_incomplete_run_leaves_it_open_unless_something_changed() -> None:
    assert diff([dropped(1)], [dropped(1)]).exit_code(complete=False) == 3
    assert diff([dropped(1)], [refused(1)]).exit_code(complete=False) == 1


def test_evidence_alone_is_no_change() -> None:
    old = refused(1)
    assert diff([old], [replace(old, evidence=Evidence(ttl=9), rtt_ms=7.0, attempts=1, target="other")]).unchanged == 1


# --- moves


def test_two_services_that_swap_are_two_moves() -> None:
    found = diff([serving(22, "ssh"), serving(80, "http")], [serving(22, "http"), serving(80, "ssh")])
    assert told(found) == [("moved", 22, 80), ("moved", 80, 22)]


def test_what_sits_at_the_old_place_now_is_a_change_of_its_own() -> None:
    found = diff([serving(22, "ssh"), refused(2222)], [serving(22, "http"), serving(2222, "ssh")])
    assert told(found) == [("moved", 22, 2222), ("service", 22, 22)]


def test_what_sat_at_the_new_place_before_is_not_forgotten() -> None:
    found = diff([serving(22, "ssh"), serving(2222, "redis")], [refused(22), serving(2222, "ssh")])
    assert told(found) == [("moved", 22, 2222), ("service", 2222, 2222)]


def test_another_fingerprint_is_another_service() -> None:
    old = [serving(443, "http", mark="aa"), refused(8443)]
    found = diff(old, [refused(443), serving(8443, "http", mark="bb")])
    assert told(found) == [("state", 443, 443), ("state", 8443, 8443)]
    found = diff(old, [refused(443), serving(8443, "http", mark="aa")])
    assert told(found) == [("moved", 443, 8443)]


def test_the_fingerprint_says_which_one_moved_where() -> None:
    old = [serving(1, "http", mark="aa"), serving(2, "http", mark="bb"), refused(3), refused(4)]
    new = [refused(1), refused(2), serving(3, "http", mark="bb"), serving(4, "http", mark="aa")]
    assert told(diff(old, new)) == [("moved", 1, 4), ("moved", 2, 3)]


def test_a_host_key_says_it_too() -> None:
    def ssh(port: int, key: str) -> Verdict:
        service = Service("ssh", "OpenSSH", key=HostKey("ssh-ed25519", key))
        return listening(port, Conversation(Handshake.ANSWERED, service))

    old = [ssh(1, "SHA256:a"), ssh(2, "SHA256:b"), refused(3), refused(4)]
    assert told(diff(old, [refused(1), refused(2), ssh(3, "SHA256:b"), ssh(4, "SHA256:a")])) == [
        ("moved", 1, 4),
        ("moved", 2, 3),
    ]
    assert told(diff([ssh(1, "SHA256:a")], [ssh(1, "SHA256:b")])) == [("identity", 1, 1)]
    assert told(diff(old[:1] + old[2:], [refused(1), ssh(3, "SHA256:c"), refused(4)])) == [
        ("state", 1, 1),
        ("state", 3, 3),
    ]


def test_the_product_says_it_before_the_name_does() -> None:
    old = [serving(1, "http", "nginx"), serving(2, "http", "Apache"), refused(3), refused(4)]
    new = [refused(1), refused(2), serving(3, "http", "Apache"), serving(4, "http", "nginx")]
    assert told(diff(old, new)) == [("moved", 1, 4), ("moved", 2, 3)]


def test_a_mute_port_may_still_be_the_service() -> None:
    found = diff([serving(22, "ssh"), refused(2222)], [mute(22), serving(2222, "ssh")])
    assert told(found) == [("state", 2222, 2222)]
    assert found.not_compared(Gap.UNDECIDED) == 1


def test_a_service_that_is_not_there_any_more_may_have_gone_where_nobody_looked() -> None:
    found = diff([serving(22, "ssh")], [refused(22), serving(2222, "ssh"), serving(80, "http")])
    assert told(found) == [("state", 22, 22)]
    assert found.changes[0].message.endswith("; ssh answers at tcp/2222 now, which was not scanned before")


def test_addresses_do_not_mix() -> None:
    other = "198.18.1.11"
    ssh = Conversation(Handshake.ANSWERED, Service("ssh"))
    closed = verdict(22, State.CLOSED, Cause.REFUSED, address=other)
    found = diff([serving(22, "ssh"), closed], [refused(22), listening(22, ssh, other)])
    assert told(found) == [("state", 22, 22), ("state", 22, 22)]


# --- nothing is lost, nothing is invented

SERVICES = st.sampled_from(
    [None, Service("ssh"), Service("http", "nginx"), Service("http", tls=Tls("TLSv1.3", sha256="aa"))]
)
TALKS = st.one_of(
    st.none(), st.builds(Conversation, st.sampled_from(Handshake)), SERVICES.map(lambda s: talk(Handshake.ANSWERED, s))
)
LOOKS = st.one_of(
    st.tuples(st.sampled_from([Cause.LISTENING, Cause.TCPWRAPPED, Cause.HALF_OPEN]), TALKS).map(
        lambda pair: (State.OPEN, *pair)
    ),
    st.sampled_from([Cause.REFUSED, Cause.REJECTED, Cause.UNDETERMINED]).map(lambda cause: (State.CLOSED, cause, None)),
    st.sampled_from([Cause.DROPPED, Cause.REJECTED, None]).map(lambda cause: (State.FILTERED, cause, None)),
    st.just((State.UNKNOWN, None, None)),
)
RUNS = st.dictionaries(st.integers(1, 6), LOOKS).map(lambda run: [verdict(port, *look) for port, look in run.items()])


@given(RUNS)
def test_a_run_compared_with_itself_has_no_change(run: list[Verdict]) -> None:
    found = diff(run, run)
    assert found.changes == ()
    assert found.unchanged + found.not_compared(Gap.UNDECIDED) == len(run)


@given(RUNS, RUNS)
def test_every_port_is_accounted_for(old: list[Verdict], new: list[Verdict]) -> None:
    found = diff(old, new)
    touched = {change.old.key for change in found.changes} | {change.new.key for change in found.changes}
    gaps = [port for gap in Gap for ports in found.gaps[gap].values() for port in ports]
    assert len(touched) + found.unchanged + len(gaps) == len({one.key for one in [*old, *new]})
    assert not {key.port for key in touched} & set(gaps)


@given(RUNS, RUNS)
def test_backwards_the_same_ports_change(old: list[Verdict], new: list[Verdict]) -> None:
    def ports(found: Diff) -> set[int]:
        return {port for _, *both in told(found) for port in both}

    there, back = diff(old, new), diff(new, old)
    assert ports(there) == ports(back)
    assert there.unchanged == back.unchanged
    assert sum(change.kind is Kind.MOVED for change in there.changes) == sum(
        change.kind is Kind.MOVED for change in back.changes
    )
