"""The table as people see it, at 80 and 120 columns, and that nothing remote gets through to the terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.judge import judge_port
from probe.model import Conversation, Expectation, Finding, Handshake, Outcome, Service, Tls
from probe.report.table import TableSink
from tests.report import report_world as world
from tests.report.test_report_records import Memory

AT_80 = r"""
office-edge  from internet · 100 ports of 2 addresses · raw · seed 7

web  198.18.1.10  4 open · 1 closed · 95 filtered
  53                open/listening     (domain)                 SYN-ACK, TTL 63
  80                open/listening     http nginx 1.22.1        SYN-ACK, TTL 63
  88                open/listening     (kerberos)               SYN-ACK, TTL 63
                                       "[bold]\x1b[31mhello\x0
                                       7 =cmd()[bold]\x1b…"
  99                open/listening     http nginx 1.22.1 ·      SYN-ACK, TTL 63
                                       TLSv1.3
                                       CN=www.office.example
  22                closed/refused                              RST, TTL 63
  1-21, 23-24,      filtered/dropped                            no-response ×3
  26-52, 54-79,
  81-87, 89-98,
  100
  25                filtered/rejected                           admin-prohibited
                                                                from 198.18.0.1

mail  fd18:1::11  99 filtered · 1 unknown
  1-96, 98-100      filtered/dropped                            no-response ×3
  97                unknown                                     not-sent
                                                                (ENETUNREACH)

✗ violated  web 198.18.1.10 tcp/22  line 19
  expected  rejected
  seen      closed (refused): RST from 198.18.1.10, TTL 63
✗ violated  web 198.18.1.10 tcp/53  line 20
  expected  dropped or rejected
  seen      open: SYN-ACK from 198.18.1.10, TTL 63, window 65160
✗ violated  web 198.18.1.10 tcp/88  line 20
  expected  dropped or rejected
  seen      open: SYN-ACK from 198.18.1.10, TTL 63, window 65160
✗ violated  web: http on tcp/81  line 22
  moved     web: http expected on tcp/81, but it moved to 198.18.1.10 tcp/80,
            198.18.1.10 tcp/99; 198.18.1.10 tcp/81 is filtered (dropped): no
            answer to 3 probes; searched tcp/1-100 of 1 address
? unknown  mail fd18:1::11 tcp/97  line 21
  expected  not-open
  seen      unknown: never sent (ENETUNREACH)
✓ 196 met  99 of them unproven: nothing was seen to live on those hosts

592 sent, 6 received, 0 forged in 3.1 s · 4 open, 1 closed, 194 filtered, 1
unknown · 196 met, 4 violated, 1 unknown · exit 1: an expectation was violated
"""[1:]
AT_120 = r"""
office-edge  from internet · 100 ports of 2 addresses · raw · seed 7

web  198.18.1.10  4 open · 1 closed · 95 filtered
  53                            open/listening     (domain)                             SYN-ACK, TTL 63
  80                            open/listening     http nginx 1.22.1                    SYN-ACK, TTL 63
  88                            open/listening     (kerberos) "[bold]\x1b[31mhello\x07  SYN-ACK, TTL 63
                                                   =cmd()[bold]\x1b…"
  99                            open/listening     http nginx 1.22.1 · TLSv1.3          SYN-ACK, TTL 63
                                                   CN=www.office.example
  22                            closed/refused                                          RST, TTL 63
  1-21, 23-24, 26-52, 54-79,    filtered/dropped                                        no-response ×3
  81-87, 89-98, 100
  25                            filtered/rejected                                       admin-prohibited from 198.18.0.1

mail  fd18:1::11  99 filtered · 1 unknown
  1-96, 98-100                  filtered/dropped                                        no-response ×3
  97                            unknown                                                 not-sent (ENETUNREACH)

✗ violated  web 198.18.1.10 tcp/22  line 19
  expected  rejected
  seen      closed (refused): RST from 198.18.1.10, TTL 63
✗ violated  web 198.18.1.10 tcp/53  line 20
  expected  dropped or rejected
  seen      open: SYN-ACK from 198.18.1.10, TTL 63, window 65160
✗ violated  web 198.18.1.10 tcp/88  line 20
  expected  dropped or rejected
  seen      open: SYN-ACK from 198.18.1.10, TTL 63, window 65160
✗ violated  web: http on tcp/81  line 22
  moved     web: http expected on tcp/81, but it moved to 198.18.1.10 tcp/80, 198.18.1.10 tcp/99; 198.18.1.10 tcp/81 is
            filtered (dropped): no answer to 3 probes; searched tcp/1-100 of 1 address
? unknown  mail fd18:1::11 tcp/97  line 21
  expected  not-open
  seen      unknown: never sent (ENETUNREACH)
✓ 196 met  99 of them unproven: nothing was seen to live on those hosts

592 sent, 6 received, 0 forged in 3.1 s · 4 open, 1 closed, 194 filtered, 1 unknown · 196 met, 4 violated, 1 unknown ·
exit 1: an expectation was violated
"""[1:]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def page(width: int | None = None, stream: io.StringIO | None = None) -> str:
    out = Memory()
    sink, seen = TableSink(out, width=width, stream=stream), world.verdicts()
    sink.start(world.RUN)
    for verdict in seen:
        sink.port(verdict)
    found = world.findings(seen)
    for finding in found:
        sink.finding(finding)
    assert out.text == ""
    sink.finish(world.summary(found))
    assert out.committed
    return out.text


@pytest.mark.parametrize("width,expected", [(80, AT_80), (120, AT_120)])
def test_the_page(width: int, expected: str) -> None:
    assert page(width) == expected


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, page(width).splitlines())) <= width


def test_a_pipe_has_no_colours_and_a_fixed_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    text = page(stream=io.StringIO())
    assert "\x1b" not in text
    assert 80 < max(map(len, text.splitlines())) <= 100


def test_a_terminal_has_colours_unless_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in page(stream=Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert page(stream=Terminal()) == AT_80
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert page(stream=Terminal()) == AT_80


def test_many_hosts_that_look_the_same_are_one_entry() -> None:
    out = Memory()
    sink = TableSink(out, width=80)
    sink.start(world.RUN)
    for host in range(1, 121):
        for port in range(1, 11):
            sink.port(world.dropped("net", f"198.18.3.{host}", port))
    sink.finish(world.summary())
    assert "net  198.18.3.1-120  (120 hosts alike)  10 filtered" in out.text
    assert out.text.count("no-response") == 1


def test_a_host_that_answers_on_every_port_is_one_row() -> None:
    out = Memory()
    sink = TableSink(out, width=80)
    sink.start(world.RUN)
    for port in range(1, 1001):
        sink.port(world.listening("web", world.WEB, port, world.SSH if port == 500 else None))
    sink.finish(world.summary())
    assert out.text.count("open/listening") == 2
    assert "1-499, 501-1000" in out.text


def test_findings_that_differ_in_the_port_alone_are_one() -> None:
    out = Memory()
    sink = TableSink(out, width=80)
    sink.start(world.RUN)
    expectation = Expectation(1, 9, 1, "web", frozenset(range(1, 51)), words=("rejected",))
    for port in range(1, 51):
        sink.finding(judge_port(expectation, world.dropped("web", world.WEB, port)))
    sink.finish(world.summary())
    assert out.text.count("violated  web") == 1
    assert "violated  web 198.18.1.10 tcp/1-50  line 9" in out.text


def test_one_line_about_several_targets_is_told_for_each() -> None:
    out = Memory()
    sink = TableSink(out, width=80)
    sink.start(world.RUN)
    for name in ("web", "mail"):
        expectation = Expectation(1, 9, 1, name, service="ssh", home=22)
        sink.finding(Finding(Outcome.VIOLATED, expectation, "gone", f"{name}: it is gone"))
    sink.finish(world.summary())
    assert "web: it is gone" in out.text
    assert "mail: it is gone" in out.text


def test_hundreds_of_findings_end_somewhere() -> None:
    out = Memory()
    sink = TableSink(out, width=80)
    sink.start(world.RUN)
    expectation = Expectation(1, 9, 1, "web", frozenset({22}), words=("open",))
    for host in range(1, 251):
        sink.finding(judge_port(expectation, world.dropped("web", f"198.18.3.{host}", 22)))
    sink.finish(world.summary())
    assert out.text.count("✗ violated") == 100
    assert "and 150 more" in out.text


def test_an_interrupted_run_says_so() -> None:
    out = Memory()
    sink = TableSink(out, width=120)
    sink.start(world.RUN)
    sink.finish(world.summary(complete=False, exit_code=130, interrupted="SIGINT"))
    assert "exit 130: interrupted by SIGINT" in out.text


@given(st.text(), st.text(), st.binary())
def test_remote_text_is_neither_control_nor_markup(product: str, subject: str, banner: bytes) -> None:
    out = Memory()
    sink = TableSink(out, width=200)
    sink.start(world.RUN)
    for port, service in ((80, Service("http", product, tls=Tls("TLSv1.3", subject=subject))), (81, None)):
        sink.port(world.listening("web", world.WEB, port, Conversation(Handshake.ANSWERED, service, banner)))
    sink.finish(world.summary())
    assert all(line.isprintable() for line in out.text.splitlines())


def test_markup_of_a_banner_is_text() -> None:
    assert "[bold]\\x1b[31mhello" in page(120)
