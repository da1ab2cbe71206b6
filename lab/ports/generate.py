"""Make `probe/services/ports.tsv` from IANA's registry of service names and port numbers.

    python lab/ports/generate.py service-names-port-numbers.csv [ports.tsv]

The CSV is the registry's own export (IANA dedicates it to the public domain); it is read, not shipped. Only port,
transports, name and a short description are kept. One line of the table: `port[-port] TAB letters TAB name TAB text`,
letters of t(cp) u(dp) s(ctp) d(ccp). Names of the same number stay in the registry's order, the current one first.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[2] / "probe" / "services" / "ports.tsv"
LETTERS = {"tcp": "t", "udp": "u", "sctp": "s", "dccp": "d", "": "tu"}  # some old ranges name no transport: both
LONGEST = 60  # characters of a description; the registry has whole paragraphs
HEADER = "# IANA service names and port numbers as of {date}; made by lab/ports/generate.py, do not edit\n"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Key = tuple[int, int, str]  # first port, last port, name


def short(text: str) -> str:
    """One line of printable text, cut at a word near `LONGEST`."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= LONGEST else line[:LONGEST].rsplit(" ", 1)[0] + "…"


def merged(rows: Iterable[dict[str, str]]) -> dict[Key, tuple[str, str]]:
    """Registrations with a name and a number: (first, last, name) -> (letters, description)."""
    table: dict[Key, tuple[str, str]] = {}
    for row in rows:
        name, ports = row["Service Name"].strip().lower(), row["Port Number"].strip()
        if not name or not ports or row["Transport Protocol"] not in LETTERS:
            continue
        first, _, last = ports.partition("-")
        key = int(first), int(last or first), name
        letters, text = table.get(key, ("", short(row["Description"])))
        table[key] = letters + "".join(c for c in LETTERS[row["Transport Protocol"]] if c not in letters), text
    return table


def lines(table: dict[Key, tuple[str, str]]) -> Iterator[str]:
    for (first, last, name), (letters, text) in sorted(table.items(), key=lambda item: item[0][:2]):
        ports = str(first) if first == last else f"{first}-{last}"
        yield f"{ports}\t{letters}\t{name}\t{text if text.lower() != name else ''}\n"


def main(source: str, output: str | Path = OUTPUT) -> None:
    with open(source, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = merged(rows)
    newest = max(date for row in rows for field in row.values() for date in DATE.findall(str(field)))
    Path(output).write_text(HEADER.format(date=newest) + "".join(lines(table)), encoding="utf-8")
    counts = Counter(letter for letters, _ in table.values() for letter in letters)
    print(f"registry as of {newest}: {len(rows)} rows, {len(table)} lines written to {output}")
    print(", ".join(f"{name} {counts[letter]}" for name, letter in LETTERS.items() if name))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
