"""probe: an active port and handshake scanner for people who answer for a network.

Data goes one way, one room per step:

    profile ─→ core.plan ─→ core.frames ─→ net ─→ core.replies ─→ core.assess ─→ judge ─→ report
    (YAML)     (slots)      (packets)     (wire)   (columns)       (verdicts)    (findings) (jsonl, csv, junit, table)

`model` has the nouns that all of them share, `services` what speaks behind an open port, `lab` the rehearsal networks,
`run` the corridor that connects the rooms (`net.trace` is that of `probe trace`), `cli` the front door. README.md says
what users may rely on.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
