"""The options of every command. argparse, because it is there: the larger libraries cost three times its start-up."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any, NoReturn

from probe.cli import COMMANDS
from probe.errors import UsageError
from probe.report.terminal import size_of

EXAMPLES = {
    "run": "probe run profiles/lab.yaml -o jsonl:- | jq 'select(.type == \"finding\")'",
    "scan": "probe scan 127.0.0.1 ::1 -p 22,80,443,8000-8100",
    "trace": "probe trace 198.18.1.10 https --pcap https.pcap",
    "find": "probe find ssh 198.18.1.10 198.18.3.0/24 -p 1-65535",
    "merge": "probe merge shard-1.jsonl shard-2.jsonl -o jsonl:whole.jsonl",
    "learn": "probe learn 198.18.1.0/28 -p 1-1024 > profile.yaml",
    "diff": "probe diff last~1 last",
    "runs": "probe runs office-edge",
    "show": "probe show last -o csv:last.csv",
    "plan": "probe plan profiles/lab.yaml",
    "check": "probe check profiles/*.yaml",
    "ports": "probe ports 8443",
    "doctor": "probe doctor",
    "schema": "probe schema > profile.schema.json",
    "lab": "probe lab up lab/office.yaml",
    "lab up": "probe lab up lab/office.yaml",
    "lab down": "probe lab down",
    "lab exec": "probe lab exec edge nft list ruleset",
    "lab list": "probe lab list",
}


class _Page(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. Left alone, argparse asks `shutil`, which takes 6 ms to import, on adding an option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=size_of(sys.stdout).columns - 2)


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of leaving the program, and shows an example under the options."""

    def __init__(self, **options: Any) -> None:
        name = str(options.get("prog", "")).removeprefix("probe ")
        options.setdefault("epilog", f"example:\n  {EXAMPLES[name]}" if name in EXAMPLES else None)
        options.setdefault("formatter_class", _Page)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}\nMore: {self.prog} --help")


def parser_for(command: str) -> Parser:
    """The parser of one command's arguments."""
    parser = Parser(prog=f"probe {command}", description=_sentence(COMMANDS[command]))
    _FILL[command](parser)
    return parser


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _run(parser: Parser) -> None:
    parser.add_argument("profile", metavar="PROFILE", help="a YAML file, or `-` for standard input")
    parser.add_argument("--strict", action="store_true", help="an unproven deny makes the run incomplete (exit 3)")
    parser.add_argument("--seed", type=_whole, help="repeat the probe order of an earlier run")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished run, if there is one")
    parser.add_argument(
        "--shard", metavar="I/N", type=_shard, default=(0, 1), help="only the I-th part of N, see merge"
    )
    parser.add_argument("--until", metavar="TIME", type=_duration, help="repeat for 60s or 5m, or until it holds")
    parser.add_argument("--stable", metavar="N", type=_whole, default=3, help="how often in a row it must (default 3)")
    _output_options(parser)


def _scan(parser: Parser) -> None:
    _target_options(parser, ports="common")
    parser.add_argument("--no-handshake", action="store_true", help="do not complete handshakes on open ports")
    parser.add_argument("--locate", action="store_true", help="find the hop after which dropped ports are dropped")
    _output_options(parser)


def _learn(parser: Parser) -> None:
    _target_options(parser, ports="common")
    parser.add_argument("--no-handshake", action="store_true", help="do not complete handshakes on open ports")
    _run_options(parser)


def _find(parser: Parser) -> None:
    parser.add_argument("service", metavar="SERVICE", help="what shall answer there: ssh, http, postgresql …")
    _target_options(parser, ports="all")
    _output_options(parser)


def _target_options(parser: Parser, ports: str) -> None:
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="an address, CIDR, range or host name")
    parser.add_argument(
        "-p", "--tcp", metavar="PORTS", default=ports, help=f"22,80,8000-8100, names, `all` (default {ports})"
    )
    parser.add_argument("--exclude", metavar="TARGET", action="append", default=[], help="leave these addresses out")
    parser.add_argument("--rate", type=float, help="ceiling in packets per second (default 5000)")
    parser.add_argument("--attempts", type=_whole, help="probes to a port that stays silent (default 3)")
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        help="how long each attempt waits: 300ms (default 1s, less where a host answers)",
    )
    parser.add_argument(
        "--confidence", type=float, help="how sure the silence of a host must be before it counts (default 0.999)"
    )
    parser.add_argument("--max-probes", type=_whole, help="how many probes are not too many (default 100 million)")
    parser.add_argument("--seed", type=_whole, help="repeat the probe order of an earlier run")


def _output_options(parser: Parser) -> None:
    _output_option(parser, _FORMATS)
    _run_options(parser)


def _run_options(parser: Parser) -> None:
    _history_option(parser)
    parser.add_argument("--no-history", action="store_true", help="do not remember this run")
    wires = ("auto", "raw", "packet", "xdp", "connect")
    parser.add_argument(
        "--wire", choices=wires, default="auto", help="how packets are sent (default auto: by the rate)"
    )
    parser.add_argument("--no-progress", action="store_true", help="no progress line, nor what was found so far")


def _trace(parser: Parser) -> None:
    parser.add_argument("target", metavar="TARGET", help="an address or host name")
    parser.add_argument("port", metavar="PORT", help="a number, or a name of the table")
    parser.add_argument("--timeout", metavar="TIME", default="4s", help="how long the handshake may take (default 4s)")
    parser.add_argument("--pcap", metavar="FILE", help="write the packets for Wireshark")
    parser.add_argument("--no-locate", action="store_true", help="do not follow a silent port along its way")
    _output_option(parser, "jsonl, table")
    parser.epilog = f"""\
exit code: 0 the port is open, 1 it is not, 2 the command line is wrong, 3 it cannot be told

{parser.epilog}"""


_FORMATS = "jsonl, csv, junit, table, html, nmap-xml, sarif, prometheus, profile"


def _output_option(parser: Parser, formats: str) -> None:
    parser.add_argument(
        "-o", "--output", metavar="FORMAT:PATH", action="append", default=[], help=f"{formats}; PATH `-`"
    )


def _history_option(parser: Parser) -> None:
    parser.add_argument("--history", metavar="PATH", help="the file that remembers runs (default: the user's own)")


_RUN = "`last`, `last~1`, a profile's name for its last run, the beginning of a run's id, or a jsonl file"


def _diff(parser: Parser) -> None:
    parser.add_argument("old", metavar="OLD", help=_RUN)
    parser.add_argument("new", metavar="NEW", help="the same")
    _history_option(parser)
    _output_option(parser, "text, jsonl, junit")


def _show(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help=_RUN)
    _history_option(parser)
    _output_option(parser, _FORMATS)


def _runs(parser: Parser) -> None:
    parser.add_argument("profile", metavar="PROFILE", nargs="?", help="only runs of this profile")
    parser.add_argument("-n", "--limit", metavar="N", type=_whole, default=20, help="how many (default 20; 0: all)")
    parser.add_argument("--keep", metavar="N|DAYSd", help="forget the others: keep 50 of each profile, or those of 90d")
    _history_option(parser)


def _merge(parser: Parser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="jsonl files of runs of one profile")
    parser.add_argument("--strict", action="store_true", help="an unproven deny makes the run incomplete (exit 3)")
    _history_option(parser)
    parser.add_argument("--no-history", action="store_true", help="do not remember the merged run")
    _output_option(parser, _FORMATS)


def _plan(parser: Parser) -> None:
    parser.add_argument("profile", metavar="PROFILE", help="a YAML file, or `-` for standard input")


def _check(parser: Parser) -> None:
    parser.add_argument("profiles", metavar="PROFILE", nargs="+", help="YAML files, or `-` for standard input")


def _ports(parser: Parser) -> None:
    parser.add_argument("query", metavar="QUERY", nargs="?", default="", help="a number, or a part of a name")


def _nothing(parser: Parser) -> None:
    """No arguments."""


def _lab(parser: Parser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="up|down|exec|list", required=True)
    up = actions.add_parser("up", help="build a lab and leave it running; prints its id")
    up.add_argument("topology", metavar="TOPOLOGY", help="a lab file such as lab/office.yaml")
    down = actions.add_parser("down", help="take a lab down")
    down.add_argument("lab", metavar="LAB", nargs="?", help="its id or name; not needed when there is only one")
    run = actions.add_parser("exec", help="run a command on a host of a lab")
    run.add_argument("--lab", metavar="LAB", help="its id or name; not needed when there is only one")
    run.add_argument("host", metavar="HOST")
    run.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
    actions.add_parser("list", help="running labs and their hosts")


def _whole(text: str) -> int:
    """A whole number in ASCII digits: int() would take other digits, signs and underscores."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    """`2/5` as (1, 5): the index from 0, and how many there are."""
    match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no shard (write 2/5 for the second part of five)")
    return int(match[1]) - 1, int(match[2])


def _duration(text: str) -> float:
    """Seconds of a duration: `60s`, `5m`, `500ms`."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s|m|h)", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration (write 60s, 5m or 500ms)")
    return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2]]


_FILL = {
    "run": _run,
    "scan": _scan,
    "trace": _trace,
    "find": _find,
    "learn": _learn,
    "merge": _merge,
    "diff": _diff,
    "runs": _runs,
    "show": _show,
    "plan": _plan,
    "check": _check,
    "ports": _ports,
    "lab": _lab,
    "doctor": _nothing,
    "schema": _nothing,
}
