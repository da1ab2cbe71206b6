"""Real daemons on random ports, and who names them right: `probe` beside `nmap -sV`.

    .venv/bin/python -m lab.bench.services

Each entry in `daemons/*.yaml` is a daemon of a Debian package, which is unpacked and never installed. It runs in a
small root of its own (`jail`), inside a lab network without a way out. The truth about it comes from its package, not
from anything that it says on the wire.

    catalog → fetch → stage (a jail for each) → scanners (probe, nmap) → grade, by truth → table
"""
