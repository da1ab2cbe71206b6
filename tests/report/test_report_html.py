"""The HTML page: complete, self-contained, safe whatever hosts say; and looked at in a browser where there is one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.model import Verdict
from probe.report.compared import Baseline
from probe.report.fold import Host, alike
from probe.report.html import HtmlSink
from probe.report.html_text import text
from probe.report.matrix import matrix
from tests.report import large_world as large
from tests.report import report_world as world
from tests.report.browser import Page, browser, chromium
from tests.report.test_report_records import Memory


def page(seen: list[Verdict], baseline: Baseline | None = None, **changes: object) -> str:
    out = Memory()
    sink = HtmlSink(out, baseline)
    sink.start(world.RUN)
    for verdict in seen:
        sink.port(verdict)
    found = world.findings(seen)
    for finding in found:
        sink.finding(finding)
    sink.finish(world.summary(found, **changes))
    assert out.committed
    return out.text


class Reader(HTMLParser):
    """What a browser would make of the page: its elements, its text, its scripts."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.scripts.append(data)
        else:
            self.words += f" {data}"


def test_it_says_what_the_table_says() -> None:
    words = " ".join(Reader(page(world.verdicts())).words.split())
    for said in (
        "office-edge 2026-01-02T03:04:05Z · from internet · 100 ports of 2 addresses · raw · seed 7",
        "exit 1: an expectation was violated",
        "✗ violated web 198.18.1.10 tcp/22 19 expected rejected, but it is closed (refused): RST from 198.18.1.10",
        "✗ violated web: http on tcp/81 22 http expected on tcp/81, but it moved to",
        "? unknown mail fd18:1::11 tcp/97 21 expected not-open, cannot tell: never sent (ENETUNREACH)",
        "✓ 196 met , 99 of them unproven",
        "http (nginx 1.22.1) inside TLSv1.3, CN=www.office.example",
        "filtered/rejected admin-prohibited from 198.18.0.1",
    ):
        assert said in words


def test_what_was_not_judged_has_no_findings() -> None:
    out = Memory()
    sink = HtmlSink(out)
    sink.start(world.RUN)
    sink.finish(world.summary())
    words = Reader(out.text).words
    assert "Findings" not in words
    assert "Since" not in words


def test_the_diff_to_the_baseline() -> None:
    words = " ".join(Reader(page(world.verdicts(), lambda run: large.compared())).words.split())
    assert "Since 2026-02-02T04:05:06.789Z" in words
    assert "moved mail 198.18.1.11: smtp (<b>Exim</b> 4.96) moved from tcp/587 to tcp/465" in words
    assert "8 changes, 19889 ports unchanged" in words
    assert "99 ports not compared" in words
    assert "198.18.2.17 tcp/901-969, 971-1000 undecided" in words


def test_no_host_before_this_one_no_diff() -> None:
    assert "Since" not in page(world.verdicts(), lambda run: None)


# --- nothing from outside, nothing from hosts


def test_nothing_is_loaded_and_only_our_own_script_may_run() -> None:
    reader = Reader(page(world.verdicts()))
    (policy,) = (
        attributes["content"] or ""
        for tag, attributes in reader.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    hashes = re.findall(r"'sha256-([^']+)'", policy)
    runs = [source for source in reader.scripts if not source.startswith("[")]
    assert hashes == [base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in runs]
    assert len(hashes) == 2
    outward = {"src", "href", "action", "style", "srcset", "data"}
    assert [(tag, name) for tag, attributes in reader.tags for name in attributes if name in outward] == []
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]


def hostile(evil: str) -> list[Verdict]:
    talk = world.spoke(
        evil, evil, evil, replace(world.TLS, subject=evil, version=evil), evil.encode("utf-8", "replace")
    )
    seen = world.listening("web", world.WEB, 80, talk)
    return [seen, replace(seen, key=world.key(world.WEB, 81), evidence=replace(seen.evidence, note=evil, errno=evil))]


BREAKOUTS = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "]]>",
    "<!--",
]


@pytest.mark.parametrize("evil", BREAKOUTS)
def test_what_hosts_say_is_text(evil: str) -> None:
    harmless, bad = Reader(page(hostile("x"))), Reader(page(hostile(evil)))
    assert [tag for tag, _ in bad.tags] == [tag for tag, _ in harmless.tags]
    assert evil in bad.words


@given(st.text(max_size=30))
def test_any_text_is_text(evil: str) -> None:
    reader = Reader(f"<p>{text(evil)}</p>")
    assert [tag for tag, _ in reader.tags] == ["p"]
    assert all(char.isprintable() for char in reader.words)


# --- the picture


def hosts(*rows: tuple[str, dict[int, Verdict]]) -> list[list[Host]]:
    made = []
    for address, ports in rows:
        host = Host("web", world.key(address, 1).address)
        for verdict in ports.values():
            host.add(verdict)
        made.append(host)
    return list(alike(made))


def dropped_but(address: str, **others: Verdict) -> tuple[str, dict[int, Verdict]]:
    ports = {port: world.dropped("web", address, port) for port in range(1, 101)}
    return address, ports | {verdict.key.port: verdict for verdict in others.values()}


def test_neighbours_that_look_alike_are_one_column() -> None:
    one = dropped_but("198.18.0.1", ssh=world.listening("web", "198.18.0.1", 22))
    two = dropped_but("198.18.0.2", web=world.refused("web", "198.18.0.2", 80))
    made = matrix(hosts(one, two), [], 1000)
    assert made.columns == [(1, 21), (22, 22), (23, 79), (80, 80), (81, 100)]
    assert [[cell and str(cell.cause) for cell in line.cells] for line in made.lines] == [
        ["dropped", "listening", "dropped", "dropped", "dropped"],
        ["dropped", "dropped", "dropped", "refused", "dropped"],
    ]


def test_what_was_not_scanned_has_no_column_and_no_colour() -> None:
    scattered = {port: world.dropped("web", "198.18.0.1", port) for port in (22, 80, 443)}
    few = {22: world.refused("web", "198.18.0.2", 22)}
    made = matrix(hosts(("198.18.0.1", scattered), ("198.18.0.2", few)), [{50, 80}], 1000)
    assert made.columns == [(22, 22), (80, 80), (443, 443)]
    assert [cell is None for cell in made.lines[1].cells] == [False, True, True]


def test_findings_do_not_share_a_column_with_others() -> None:
    made = matrix(hosts(dropped_but("198.18.0.1")), [{10, 11}], 1000)
    assert made.columns == [(1, 9), (10, 11), (12, 100)]


def test_hosts_that_look_alike_are_one_line_and_a_picture_has_an_end() -> None:
    quiet = [dropped_but(f"198.18.0.{host}") for host in range(1, 9)]
    loud = [dropped_but(f"198.18.1.{host}", ssh=world.listening("web", f"198.18.1.{host}", 22)) for host in range(1, 9)]
    made = matrix(hosts(*quiet, *loud), [], 9)
    assert [len(line.hosts) for line in made.lines] == [8, 1, 1]
    assert made.left_out == 6


RUNS = st.dictionaries(st.integers(1, 30), st.sampled_from(["dropped", "refused", "open"]), min_size=1)


@given(st.lists(RUNS, min_size=1, max_size=3), st.sets(st.integers(1, 30)))
def test_every_port_is_in_the_picture_as_what_it_is(runs: list[dict[int, str]], marked: set[int]) -> None:
    kinds: dict[str, Callable[[str, str, int], Verdict]] = {
        "dropped": world.dropped,
        "refused": world.refused,
        "open": world.listening,
    }
    rows = [
        (address, {port: kinds[kind]("web", address, port) for port, kind in run.items()})
        for address, run in zip(["198.18.0.1", "198.18.0.2", "198.18.0.3"], runs, strict=False)
    ]
    made = matrix(hosts(*rows), [marked], 100_000)
    for line in made.lines:
        for host in line.hosts:
            ports = dict(rows)[str(host.address)]
            shown = {
                port: cell.state
                for (first, last), cell in zip(made.columns, line.cells, strict=True)
                for port in range(first, last + 1)
                if cell
            }
            assert shown == {port: verdict.state for port, verdict in ports.items()}


# --- in a real browser

BROWSER = chromium()
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium; `sh lab/debs.sh chromium` unpacks one")


@pytest.fixture(scope="module")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = Memory()
    sink = HtmlSink(out, lambda run: large.compared())
    sink.start(large.RUN)
    for verdict in large.verdicts():
        sink.port(verdict)
    found = large.judged()
    for finding in found:
        sink.finding(finding)
    sink.finish(world.summary(found))
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(out.text)
    return path


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    assert BROWSER
    with browser(BROWSER) as opened:
        yield opened


@needs_browser
def test_it_loads_without_a_complaint_and_hosts_break_out_of_nothing(tab: Page, large_page: Path) -> None:
    tab.open(large_page)
    assert tab.ask("document.title") == "office-network"
    assert tab.complaints == []
    assert tab.ask("document.images.length + document.links.length") == 0
    assert tab.ask("document.getElementById('tools').hidden") is False
    assert tab.ask("performance.getEntriesByType('resource').length") == 0


@needs_browser
def test_hovering_shows_the_packet(tab: Page, large_page: Path) -> None:
    tab.open(large_page)
    tab.hover(".matrix td.rejected")
    assert tab.ask("document.getElementById('tip').textContent").splitlines() == [
        "printer 198.18.4.14  tcp/130-139",
        "filtered (rejected): ICMP admin-prohibited (type 3 code 13) from 198.18.0.1, TTL 64",
    ]
    tab.hover("h1")
    assert tab.ask("document.getElementById('tip').hidden") is True


@needs_browser
@pytest.mark.parametrize(
    "typed, rows, columns",
    [
        ("", 20, None),
        ("mail", 4, None),
        ("nginx", 8, None),
        ("22", 20, 1),
        ("130-135 printer", 4, 1),
        ("nowhere", 0, None),
    ],
)
def test_the_filter(typed: str, rows: int, columns: int | None, tab: Page, large_page: Path) -> None:
    tab.open(large_page)
    tab.ask(f"filter.value = {json.dumps(typed)}; filter.dispatchEvent(new Event('input'))")
    assert tab.ask("document.querySelectorAll('.matrix tbody tr:not([hidden])').length") == rows
    if columns is not None:
        assert tab.ask("document.querySelectorAll('.matrix thead th:not([hidden])').length") == 1 + columns


@needs_browser
def test_the_legend_picks_causes_out(tab: Page, large_page: Path) -> None:
    tab.open(large_page)
    tab.ask("document.querySelector('.tools button[data-c=rejected]').click()")
    bright = "[...document.querySelectorAll('.matrix td')].filter(td => getComputedStyle(td).opacity === '1')"
    assert tab.ask(f"[...new Set({bright}.map(td => td.classList[0]))].join()") == "rejected"


@needs_browser
def test_light_and_dark(tab: Page, large_page: Path) -> None:
    """Seen, not asked: the picture has the colours of the paper and of what listens, in either scheme."""
    shots = {}
    for scheme in ("light", "dark"):
        tab.open(large_page, scheme=scheme)
        tab.ask("document.querySelector('.matrix').scrollIntoView()")
        shots[scheme] = colours(tab, tab.screenshot())
    assert {"#fcfcfb", "#2da44e", "#b9cbe0", "#e3b341"} <= shots["light"]
    assert {"#111417", "#2ea04f", "#33465c", "#b88a1d"} <= shots["dark"]
    assert not shots["light"] & {"#111417", "#33465c"}


def colours(tab: Page, png: bytes) -> set[str]:
    """The colours that a picture has much of; the browser decodes it."""
    code = f"""(async () => {{
        const data = Uint8Array.from(atob('{base64.b64encode(png).decode()}'), (char) => char.charCodeAt(0));
        const picture = await createImageBitmap(new Blob([data], {{type: 'image/png'}}));
        const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
        canvas.drawImage(picture, 0, 0);
        const bytes = canvas.getImageData(0, 0, picture.width, picture.height).data;
        const seen = new Map();
        for (let at = 0; at < bytes.length; at += 4) {{
            const colour = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
            seen.set(colour, (seen.get(colour) ?? 0) + 1);
        }}
        return [...seen].filter(([, number]) => number > 500).map(([colour]) => colour);
    }})()"""
    result = tab.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
    return {f"#{colour:06x}" for colour in result["result"]["value"]}
