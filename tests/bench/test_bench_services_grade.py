"""The same rule for both scanners: what is right, what is silence, what is a false identification."""

from __future__ import annotations

import json

import pytest

from lab.bench.services import table
from lab.bench.services.catalog import Entry
from lab.bench.services.grade import Grade, Mark, grade
from lab.bench.services.scanners import Seen, read_nmap, read_probe
from lab.bench.services.truth import upstream_of

APACHE = Entry(
    key="apache",
    package="apache2-bin",
    name=["http"],
    product=["Apache httpd", "Apache"],
    run="",
    vague=["a web server"],
)
SERVICES = {
    22: '<service name="ssh" product="OpenSSH" version="9.2p1 Debian 2" method="probed"/>',
    23: '<service name="telnet" method="table"/>',
    24: '<service name="tcpwrapped" method="probed"/>',
    25: "",
}
PORTS = "".join(f'<port portid="{port}"><state state="open"/>{text}</port>' for port, text in SERVICES.items())
NMAP = f'<?xml version="1.0"?><nmaprun><host><ports>{PORTS}</ports></host></nmaprun>'


@pytest.mark.parametrize(
    ("seen", "marks"),
    [
        (Seen(), "– – –"),
        (Seen("http"), "✓ – –"),
        (Seen("HTTP", "apache", "2.4.57"), "✓ ✓ ✓"),
        (Seen("http", "Apache httpd", "2.4.57 (Debian)"), "✓ ✓ ✓"),
        (Seen("http", "Apachelike", "2.4.5"), "✓ ✗ ✗"),
        (Seen("https", "nginx", "2.4.57.1"), "✗ ✗ ✗"),
        (Seen("http", "Apache", "2.4"), "✓ ✓ –"),
        (Seen("http", "Apache", "2.4.0 or later"), "✓ ✓ –"),
        (Seen("http", "Apache", "2.4.1 - 2.4.60"), "✓ ✓ –"),
        (Seen("http", "Apache", "12.4.57"), "✓ ✓ ✗"),
        (Seen("http", "Apache", "v2.4.57"), "✓ ✓ ✓"),
        (Seen("http", "HTTP"), "✓ – –"),
        (Seen("http", "A web server"), "✓ – –"),
    ],
)
def test_marks(seen: Seen, marks: str) -> None:
    given = grade(APACHE, "2.4.57", seen)
    assert f"{given.name} {given.product} {given.version}" == marks
    assert given.false == ("✗" in marks)


@pytest.mark.parametrize(
    ("debian", "upstream"),
    [
        ("1:9.2p1-2+deb12u10", "9.2p1"),
        ("2.42.0+ds-5+deb12u1", "2.42.0"),
        ("2.5.13+dfsg-5", "2.5.13"),
        ("2:1.12.13+real-28+deb12u1", "1.12.13"),
        ("3.5.0+ds1-0+deb12u1", "3.5.0"),
        ("1.0.3-2", "1.0.3"),
        ("20140814", "20140814"),
    ],
)
def test_debians_own_marks_are_taken_off(debian: str, upstream: str) -> None:
    assert upstream_of(debian) == upstream


def test_a_name_from_the_table_of_ports_is_none() -> None:
    assert read_nmap(NMAP) == {22: Seen("ssh", "OpenSSH", "9.2p1 Debian 2"), 23: Seen(), 24: Seen(), 25: Seen()}


def test_probes_records_are_read_alike() -> None:
    records: list[dict[str, object]] = [
        {"type": "run"},
        {"type": "port", "port": 22, "service": {"name": "ssh", "product": "OpenSSH"}, "registered": "ssh"},
        {"type": "port", "port": 23, "registered": "telnet"},
    ]
    assert read_probe("\n".join(map(json.dumps, records))) == {22: Seen("ssh", "OpenSSH"), 23: Seen()}


def rows() -> list[table.Row]:
    good, bad = Grade(Mark.RIGHT, Mark.RIGHT, Mark.SILENT), Grade(Mark.RIGHT, Mark.WRONG, Mark.SILENT)
    seen = {"ours": Seen("http", "Apache"), "theirs": Seen("http", "nginx")}
    return [table.Row(APACHE, "2.4.57", seen, {"ours": good, "theirs": bad}, {})]


def test_the_table_spells_out_what_is_wrong() -> None:
    assert table.plain(table.daemons(rows())).splitlines() == [
        "daemon  truth                      ours   theirs",
        "apache  http: Apache httpd 2.4.57  ✓ ✓ –  ✓ ✗ (nginx) –",
    ]


def test_totals_count_right_and_false_ones() -> None:
    assert table.markdown(table.totals(rows(), {"ours": 1.25, "theirs": 90})).splitlines() == [
        "|  | name | product | version | false | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
        "| ours | 1 of 1 | 1 of 1 | 0 of 1 | 0 | 1.2 |",
        "| theirs | 1 of 1 | 0 of 1 | 0 of 1 | 1 | 90.0 |",
    ]
