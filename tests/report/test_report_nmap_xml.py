"""nmap's XML: as its DTD has it, whatever hosts say, with nothing in it that was not seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.model import Cause, State, Verdict
from probe.report.nmap_xml import NmapXmlSink
from tests.report import large_world as large
from tests.report import report_world as world
from tests.report.test_report_records import Memory

TOOLS = Path(__file__).resolve().parents[2] / ".tools"
DTD = TOOLS / "nmap-common/usr/share/nmap/nmap.dtd"
LINT = shutil.which("xmllint") or str(TOOLS / "libxml2-utils/usr/bin/xmllint")


def document(seen: Iterable[Verdict], **changes: object) -> str:
    out = Memory()
    sink = NmapXmlSink(out)
    sink.start(world.RUN)
    for verdict in seen:
        sink.port(verdict)
    sink.finish(world.summary((), **changes))
    return out.text


def root(seen: Iterable[Verdict], **changes: object) -> ET.Element:
    return ET.fromstring(document(seen, **changes))


def test_a_port_is_told_as_nmap_does() -> None:
    host = root([world.listening("web", world.WEB, 22, world.SSH)]).find("host")
    assert host is not None
    told = {element.tag: element.attrib for element in host.iter()}
    assert told["status"] == {"state": "up", "reason": "syn-ack", "reason_ttl": "63"}
    assert told["address"] == {"addr": world.WEB, "addrtype": "ipv4"}
    assert told["port"] == {"protocol": "tcp", "portid": "22"}
    assert told["state"] == {"state": "open", "reason": "syn-ack", "reason_ttl": "63"}
    known = {"name": "ssh", "product": "OpenSSH", "version": "9.2p1", "method": "probed", "conf": "10"}
    assert told["service"] == known
    assert told["script"] == {"id": "banner", "output": "SSH-2.0-OpenSSH_9.2p1\\r\\n"}


def test_many_alike_are_extraports_and_few_are_not() -> None:
    ports = root([world.dropped("web", world.WEB, port) for port in range(1, 27)]).find("host/ports")
    assert ports is not None
    extra = ports.find("extraports")
    assert extra is not None
    assert extra.attrib == {"state": "filtered", "count": "26"}
    assert extra[0].attrib == {"reason": "no-response", "count": "26", "proto": "tcp", "ports": "1-26"}
    assert ports.findall("port") == []
    few = root([world.dropped("web", world.WEB, port) for port in range(1, 26)]).findall("host/ports/port/state")
    assert len(few) == 25


def test_tls_is_a_tunnel_and_a_table_name_no_detection() -> None:
    seen = [
        world.listening("web", world.WEB, 443, world.spoke("http", tls=world.TLS)),
        world.refused("web", world.WEB, 80),
    ]
    services = [element.attrib for element in root(seen).iter("service")]
    assert services == [
        {"name": "http", "method": "table", "conf": "3"},
        {"name": "http", "tunnel": "ssl", "method": "probed", "conf": "10"},
    ]
    alone = [world.listening("web", world.WEB, 443, world.spoke(None, tls=world.TLS))]
    assert root(alone).find("host/ports/port/service").attrib["name"] == "ssl"  # type: ignore[union-attr]


def test_who_answered_in_the_hosts_place_and_who_never_did() -> None:
    seen = [world.prohibited("web", world.WEB, 25), world.dropped("mail", world.MAIL, 25, live=False)]
    web, mail = root(seen).findall("host")
    assert web.find("ports/port/state").attrib["reason_ip"] == "198.18.0.1"  # type: ignore[union-attr]
    assert mail.find("status").attrib["reason"] == "user-set"  # type: ignore[union-attr]


@pytest.mark.parametrize("complete, word", [(True, "success"), (False, "error")])
def test_how_it_ended(complete: bool, word: str) -> None:
    assert root([], complete=complete).find("runstats/finished").attrib["exit"] == word  # type: ignore[union-attr]


@given(st.text(max_size=20))
def test_whatever_hosts_say_it_is_well_formed(evil: str) -> None:
    talk = world.spoke(evil, evil, evil, replace(world.TLS, subject=evil), evil.encode("utf-8", "replace"))
    odd = replace(world.listening("web", world.WEB, 80, talk), target=evil)
    elements = [element.tag for element in root([odd]).iter()]
    assert elements.count("port") == 1


@pytest.mark.skipif(not DTD.exists(), reason="no DTD; `sh lab/debs.sh nmap-common libxml2-utils` unpacks one")
def test_it_is_valid_by_nmaps_own_dtd(tmp_path: Path) -> None:
    path = tmp_path / "r.xml"
    states = [
        replace(world.refused("web", world.WEB, 1000 + n), state=state, cause=Cause.UNDETERMINED)
        for n, state in enumerate(State)
    ]
    path.write_text(document([*large.verdicts(), *states]))
    libraries = TOOLS / "libxml2-utils/usr/lib/x86_64-linux-gnu"
    done = subprocess.run(
        [LINT, "--noout", "--dtdvalid", str(DTD), str(path)],
        env=os.environ | {"LD_LIBRARY_PATH": str(libraries)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
