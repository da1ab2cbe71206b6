"""The number of a host in the history. An IPv4 address over TCP is one itself; all others stand in a table.

Of 65,536 hosts, to write them into a table and find them again took longer than all else about them.
"""

from __future__ import annotations

from probe.model import Address

NUMBERED = 1 << 32  # the first that is not an IPv4 address, but this much more than the number in the table


def own_number(address: Address, transport: str) -> int | None:
    return int(address) if address.version == 4 and transport == "tcp" else None
