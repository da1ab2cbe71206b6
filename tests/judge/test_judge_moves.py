"""Where a service lives: every line of the theory of operation in `probe.judge.moves`."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.judge import ServiceWatch
from probe.judge.identity import Likeness, likeness
from probe.judge.moves import Baseline
from probe.model import Cause, Finding, HostKey, Outcome, Place, PortKey, Service, State, Tls, Verdict
from tests.judge.judge_world import (
    HTTP,
    ONLY_TLS,
    SSH,
    WEB,
    closed,
    lives,
    opened,
    target,
    unknown,
    unreachable,
    verdict,
)

V6 = "fd18:1::10"
PORTS = (22, 80, 8821)


def watch(*verdicts: Verdict, addresses: tuple[str, ...] = (WEB,), baseline: Baseline | None = None) -> Finding:
    watching = ServiceWatch(lives("ssh", 22), target(*addresses), PORTS, baseline)
    for one in verdicts:
        watching.see(one)
    return watching.finding()


def said(finding: Finding) -> tuple[Outcome, str]:
    return finding.outcome, finding.observed


def test_at_home() -> None:
    finding = watch(opened(22, SSH), opened(80, HTTP), closed(8821))
    assert said(finding) == (Outcome.MET, "home")
    assert finding.found == (Place(WEB, 22),)
    assert finding.message == (
        "web: ssh is at home: ssh (OpenSSH 9.2p1) at 198.18.1.10 tcp/22; searched tcp/22, 80, 8821 of 1 address"
    )


def test_at_home_and_elsewhere_tells_both_places() -> None:
    finding = watch(opened(8821, SSH), opened(22, SSH), closed(80))
    assert said(finding) == (Outcome.MET, "home")
    assert finding.found == (Place(WEB, 22), Place(WEB, 8821))
    assert "also found at 198.18.1.10 tcp/8821" in finding.message


def test_home_needs_nothing_of_the_other_ports() -> None:
    assert said(watch(opened(22, SSH), unknown(80), unreachable(8821))) == (Outcome.MET, "home")


@pytest.mark.parametrize(
    "home,sitter",
    [
        (opened(22, HTTP), "http (nginx) sits at 198.18.1.10 tcp/22 now"),
        (opened(22), "something that does not identify itself sits at 198.18.1.10 tcp/22 now"),
        (opened(22, ONLY_TLS), "something that does not identify itself inside TLS sits at 198.18.1.10 tcp/22 now"),
        (closed(22), "198.18.1.10 tcp/22 is closed (refused): RST from 198.18.1.10, TTL 63"),
    ],
)
def test_moved_names_the_new_place_and_who_sits_at_home(home: Verdict, sitter: str) -> None:
    finding = watch(home, closed(80), opened(8821, SSH))
    assert said(finding) == (Outcome.VIOLATED, "moved")
    assert finding.found == (Place(WEB, 8821),)
    assert finding.message == (
        f"web: ssh expected on tcp/22, but it moved to 198.18.1.10 tcp/8821; {sitter}; "
        "searched tcp/22, 80, 8821 of 1 address"
    )


def test_moved_needs_nothing_of_ports_elsewhere() -> None:
    assert said(watch(closed(22), unknown(80), opened(8821, SSH))) == (Outcome.VIOLATED, "moved")


def test_impostor() -> None:
    finding = watch(opened(22, HTTP), closed(80), closed(8821))
    assert said(finding) == (Outcome.VIOLATED, "impostor")
    assert finding.found == ()
    assert "but http (nginx) sits at 198.18.1.10 tcp/22 now; found nowhere; searched" in finding.message


def test_an_impostor_is_one_whatever_the_undecided_ports_hide() -> None:
    finding = watch(opened(22, HTTP), unknown(80), closed(8821))
    assert said(finding) == (Outcome.VIOLATED, "impostor")
    assert "1 port could not be decided" in finding.message


def test_gone() -> None:
    finding = watch(closed(22), opened(80, HTTP), verdict(State.FILTERED, Cause.DROPPED, port=8821))
    assert said(finding) == (Outcome.VIOLATED, "gone")
    assert "but it is gone: 198.18.1.10 tcp/22 is closed (refused)" in finding.message


def test_gone_tells_of_open_ports_that_kept_silent() -> None:
    finding = watch(closed(22), opened(80), closed(8821))
    assert said(finding) == (Outcome.VIOLATED, "gone")
    assert "open but unidentified: 198.18.1.10 tcp/80; searched" in finding.message


@pytest.mark.parametrize(
    "verdicts",
    [
        pytest.param((opened(22), closed(80), closed(8821)), id="mute at home, nowhere else"),
        pytest.param((opened(22, ONLY_TLS), closed(80), closed(8821)), id="only TLS at home"),
        pytest.param((unknown(22), closed(80), closed(8821)), id="home unknown"),
        pytest.param((unreachable(22), closed(80), closed(8821)), id="home unreachable"),
        pytest.param((unknown(22), closed(80), opened(8821, SSH)), id="home unknown, found elsewhere"),
        pytest.param((opened(22, asked=False), closed(80), closed(8821)), id="home never asked"),
        pytest.param((closed(22), unknown(80), closed(8821)), id="elsewhere unknown"),
        pytest.param((closed(22), unreachable(80), closed(8821)), id="elsewhere unreachable"),
        pytest.param((closed(22), opened(80, asked=False), closed(8821)), id="elsewhere never asked"),
        pytest.param((closed(22), closed(80)), id="elsewhere not scanned"),
        pytest.param((closed(80), closed(8821)), id="home not scanned"),
        pytest.param((), id="nothing scanned"),
    ],
)
def test_what_cannot_be_known_is_unknown(verdicts: tuple[Verdict, ...]) -> None:
    finding = watch(*verdicts)
    assert said(finding) == (Outcome.UNKNOWN, "unknown")
    assert "cannot tell: " in finding.message
    assert "searched tcp/22, 80, 8821 of 1 address" in finding.message


def test_home_on_one_address_is_home_and_the_other_is_told() -> None:
    others = [closed(port, address) for port in (80, 8821) for address in (WEB, V6)]
    finding = watch(opened(22, HTTP, WEB), opened(22, SSH, V6), *others, addresses=(WEB, V6))
    assert said(finding) == (Outcome.MET, "home")
    assert finding.found == (Place(V6, 22),)
    assert "but http (nginx) sits at 198.18.1.10 tcp/22 now" in finding.message


def test_moved_to_the_other_address() -> None:
    rest = [closed(port, address) for port in (22, 80) for address in (WEB, V6)]
    finding = watch(*rest, closed(8821, WEB), opened(8821, SSH, V6), addresses=(WEB, V6))
    assert said(finding) == (Outcome.VIOLATED, "moved")
    assert finding.found == (Place(V6, 8821),)


def test_one_undecided_home_is_enough_for_doubt() -> None:
    rest = [closed(port, address) for port in (80, 8821) for address in (WEB, V6)]
    assert said(watch(closed(22, WEB), unknown(22, V6), *rest, addresses=(WEB, V6))) == (Outcome.UNKNOWN, "unknown")


OURS = Service("ssh", "OpenSSH", "9.2p1", key=HostKey("ssh-ed25519", "SHA256:ours"))
THEIRS = Service("ssh", "OpenSSH", "9.2p1", key=HostKey("ssh-ed25519", "SHA256:theirs"))
NEWER = Service("ssh", "OpenSSH", "9.9p1", key=HostKey("ssh-ed25519", "SHA256:ours"))


def before(service: Service, address: str = WEB) -> Baseline:
    return {PortKey(ip_address(address), "tcp", 22): service}


def test_the_same_key_is_at_home_whatever_its_version() -> None:
    finding = watch(opened(22, NEWER), closed(80), closed(8821), baseline=before(OURS))
    assert said(finding) == (Outcome.MET, "home")
    assert finding.found == (Place(WEB, 22, "SHA256:ours"),)
    assert "ssh (OpenSSH 9.9p1, key SHA256:ours) at 198.18.1.10 tcp/22" in finding.message


def test_another_key_at_home_is_an_impostor() -> None:
    finding = watch(opened(22, THEIRS), closed(80), closed(8821), baseline=before(OURS))
    assert said(finding) == (Outcome.VIOLATED, "impostor")
    assert finding.found == ()
    assert finding.message == (
        "web: ssh expected on tcp/22, but another server sits there: ssh (OpenSSH 9.2p1, key SHA256:theirs) at "
        "198.18.1.10 tcp/22, where the baseline has key SHA256:ours; found nowhere; "
        "searched tcp/22, 80, 8821 of 1 address"
    )


def test_an_impostor_on_one_address_is_one_though_the_other_is_well() -> None:
    rest = [closed(port, address) for port in (80, 8821) for address in (WEB, V6)]
    seen = (opened(22, OURS, WEB), opened(22, THEIRS, V6), *rest)
    finding = watch(*seen, addresses=(WEB, V6), baseline={**before(OURS), **before(OURS, V6)})
    assert said(finding) == (Outcome.VIOLATED, "impostor")
    assert "fd18:1::10 tcp/22" in finding.message


def test_each_address_has_a_key_of_its_own() -> None:
    rest = [closed(port, address) for port in (80, 8821) for address in (WEB, V6)]
    seen = (opened(22, OURS, WEB), opened(22, THEIRS, V6), *rest)
    finding = watch(*seen, addresses=(WEB, V6), baseline={**before(OURS), **before(THEIRS, V6)})
    assert said(finding) == (Outcome.MET, "home")


def test_who_took_its_place_does_not_hide_where_it_went() -> None:
    finding = watch(opened(22, THEIRS), closed(80), opened(8821, OURS), baseline=before(OURS))
    assert said(finding) == (Outcome.VIOLATED, "moved")
    assert finding.found == (Place(WEB, 8821, "SHA256:ours"),)
    assert "it moved to 198.18.1.10 tcp/8821 (the same server); another server sits there: ssh (" in finding.message


@pytest.mark.parametrize(
    ("known", "elsewhere", "observed"),
    [
        (OURS, NEWER, "moved"),
        (OURS, THEIRS, "gone"),
        (OURS, SSH, "moved"),  # it did not show its key: the name has to do
        (SSH, SSH, "moved"),
        (SSH, Service("ssh", "Dropbear"), "gone"),
        (SSH, Service("ssh"), "moved"),
    ],
)
def test_only_the_same_server_can_have_moved(known: Service, elsewhere: Service, observed: str) -> None:
    finding = watch(closed(22), closed(80), opened(8821, elsewhere), baseline=before(known))
    assert said(finding) == (Outcome.VIOLATED, observed)
    assert bool(finding.found) is (observed == "moved")
    assert ("another ssh server answers at 198.18.1.10 tcp/8821 (ssh (" in finding.message) is (observed == "gone")


def test_who_does_not_show_the_key_that_it_had_is_not_known() -> None:
    finding = watch(opened(22, SSH), closed(80), closed(8821), baseline=before(OURS))
    assert said(finding) == (Outcome.UNKNOWN, "unknown")
    assert "did not show its key or certificate, where the baseline has key SHA256:ours" in finding.message


@pytest.mark.parametrize(
    "baseline",
    [
        before(SSH),
        before(Service("ssh", "Dropbear")),
        before(HTTP),
        {PortKey(ip_address("198.18.9.9"), "tcp", 22): OURS},
        {PortKey(ip_address(WEB), "tcp", 2222): OURS},
    ],
)
def test_a_baseline_without_a_key_at_home_changes_nothing(baseline: Baseline) -> None:
    assert said(watch(opened(22, THEIRS), closed(80), closed(8821), baseline=baseline)) == (Outcome.MET, "home")


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (NEWER, "198.18.1.10 tcp/8821 (the same server); searched"),
        (THEIRS, "198.18.1.10 tcp/8821 (another server); searched"),
        (SSH, "198.18.1.10 tcp/8821; searched"),
    ],
)
def test_also_elsewhere_tells_whether_it_is_the_same_server(there: Service, told: str) -> None:
    finding = watch(opened(22, OURS), closed(80), opened(8821, there))
    assert said(finding) == (Outcome.MET, "home")
    assert f"also found at {told}" in finding.message


CERTIFICATE = Tls("TLSv1.3", subject="CN=web", issuer="CN=web", names=("web",), sha256="aa")


@pytest.mark.parametrize(
    ("now", "alike"),
    [
        (CERTIFICATE, Likeness.SAME),
        (replace(CERTIFICATE, version="TLSv1.2"), Likeness.SAME),
        (replace(CERTIFICATE, sha256="bb"), Likeness.UNTOLD),  # renewed, or forged with the same names
        (replace(CERTIFICATE, sha256="bb", issuer="CN=other"), Likeness.OTHER),
        (Tls("TLSv1.3", sha256="bb"), Likeness.OTHER),
        (Tls("TLSv1.3"), Likeness.UNTOLD),
        (None, Likeness.UNTOLD),
    ],
)
def test_certificates(now: Tls | None, alike: Likeness) -> None:
    assert likeness(Service("http", tls=CERTIFICATE), Service("http", tls=now)) is alike


def test_a_key_and_a_certificate_cannot_be_compared() -> None:
    assert likeness(OURS, Service("ssh", tls=CERTIFICATE)) is Likeness.UNTOLD


def anything(port: int) -> st.SearchStrategy[Verdict]:
    seen = [
        opened(port, SSH),
        opened(port, OURS),
        opened(port, THEIRS),
        opened(port, HTTP),
        opened(port),
        opened(port, asked=False),
        closed(port),
    ]
    return st.sampled_from([*seen, unknown(port), unreachable(port)])


@given(st.tuples(*(anything(port) for port in PORTS)), st.sampled_from([None, before(SSH), before(OURS)]))
def test_order_does_not_matter_and_words_keep_their_promise(
    verdicts: tuple[Verdict, ...], baseline: Baseline | None
) -> None:
    finding = watch(*verdicts, baseline=baseline)
    assert finding == watch(*reversed(verdicts), baseline=baseline)
    places = {place.port for place in finding.found}
    promises = {
        "home": 22 in places,
        "moved": bool(places) and 22 not in places,
        "impostor": 22 not in places,
        "gone": not places and all(one.state is not State.UNKNOWN for one in verdicts),
        "unknown": 22 not in places,
    }
    assert promises[finding.observed]
