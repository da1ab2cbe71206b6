"""CSV for spreadsheets (RFC 4180): one table for `port` and `finding` rows, and a last row of type `summary`.

The columns are stable: new ones come at the end. What is absent is an empty cell. A spreadsheet runs a cell that starts
with `=`, `+`, `-`, `@`, TAB or CR as a formula, and hosts choose what their banners say, so such cells get a quote mark
in front (OWASP, "CSV Injection"). No cell holds a line break: control characters arrive escaped.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from probe.judge.exits import MEANING
from probe.judge.wording import printable
from probe.model import Finding, RunInfo, Summary, Verdict
from probe.report import Out
from probe.report.records import Record, finding_record, port_record
from probe.sweep import Sweep

COLUMNS = (
    *("type", "target", "address", "transport", "port", "state", "reason", "cause"),
    *("responder", "ttl", "window", "flags", "icmp_type", "icmp_code", "errno", "note"),
    *("attempts", "rtt_ms", "registered", "handshake", "service", "product", "version", "info"),
    *("tls_version", "tls_alpn", "tls_subject", "tls_issuer", "tls_names"),
    *("tls_not_before", "tls_not_after", "tls_sha256", "banner"),
    *("outcome", "proof", "expectation", "line", "expected", "observed", "home", "found", "message"),
    *("hop", "hop_address", "silent_hop"),
    *("tls_starttls", "key_type", "key_fingerprint"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """One cell as text that no spreadsheet takes for a formula."""
    text = "" if value is None else printable(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


class CsvSink:
    def __init__(self, out: Out) -> None:
        self._out = out

    def start(self, run: RunInfo) -> None:
        self._row(dict(zip(COLUMNS, COLUMNS, strict=True)))

    def port(self, verdict: Verdict) -> None:
        self._row(port_row(verdict))

    def ports(self, sweep: Sweep) -> None:
        from probe.report.csv_sweep import lines  # numpy takes 0.1 s to import, and who sweeps has it

        self._out.write(lines(sweep))

    def finding(self, finding: Finding) -> None:
        self._row(_finding_row(finding_record(finding)))

    def finish(self, summary: Summary) -> None:
        observed = "complete" if summary.complete else "incomplete"
        message = f"exit {summary.exit_code}: {MEANING.get(summary.exit_code, '')}"
        self._row({"type": "summary", "observed": summary.interrupted or observed, "message": message})
        self._out.commit()

    def _row(self, row: Record) -> None:
        self._out.write(written(row, COLUMNS) + "\r\n")


def written(row: Record, columns: tuple[str, ...]) -> str:
    """Some cells of a row as they stand in the file, without the end of the line. There are at least two."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([cell(row.get(column)) for column in columns])
    return text.getvalue()


def port_row(verdict: Verdict) -> Record:
    """What stands in the row of a port, by column."""
    record = port_record(verdict)
    service: dict[str, Any] = record.pop("service", {})
    tls: dict[str, Any] = service.pop("tls", {})
    key: dict[str, Any] = service.pop("key", {})
    tls["names"] = " ".join(tls.get("names", ()))
    layers = {f"tls_{name}": value for name, value in tls.items()} | {f"key_{name}": key[name] for name in key}
    flat: Record = record | record.pop("evidence") | service | layers
    return flat | {"service": service.get("name")}


def _finding_row(record: Record) -> Record:
    found = [f"{place['address']} {place['port']}" for place in record.get("found", ())]
    return record | {"expected": " ".join(record.get("expected", ())), "found": ", ".join(found)}
