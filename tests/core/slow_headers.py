"""From the IP header to the transport header, one packet at a time, in plain Python: RFC 791, RFC 8200, and the Linux
kernel's word where they leave a choice."""

from __future__ import annotations

from dataclasses import dataclass

EXTENSIONS = {0: "hop-by-hop", 43: "routing", 44: "fragment", 51: "authentication", 60: "destination"}
MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True)
class Upper:
    """What an IP packet carries: bytes `start` … `end` of it, unless there is a `fault`. `protocol` is what it says."""

    protocol: int
    start: int
    end: int
    fault: str


def ones(data: bytes) -> int:
    """The ones' complement sum of 16-bit words, an odd byte padded with zero (RFC 1071): the whole number modulo 65535,
    because 65536 is 1 there; a sum that is not of zeros alone has 65535 for zero."""
    number = int.from_bytes(data + bytes(len(data) % 2), "big")
    return number % 0xFFFF or (0xFFFF if number else 0)


def upper(data: bytes) -> Upper | None:
    """None where there is not even a family."""
    version = data[0] >> 4 if data else 0
    padded = data + bytes(64)
    if version == 4:
        return Upper(padded[9], (data[0] & 15) * 4, int.from_bytes(padded[2:4], "big"), _ipv4_fault(data))
    return _ipv6(data, padded) if version == 6 else None


def _ipv4_fault(data: bytes) -> str:
    start, end = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big")
    if len(data) < 20 or start < 20 or end > len(data) or end < start + 8:
        return "IP length"
    if int.from_bytes(data[6:8], "big") & 0x3FFF:
        return "fragment"
    if ones(data[:start]) != 0xFFFF:
        return "IP checksum"
    return "" if ip_options_sound(data[20:start]) else "IP options"


def split_options(options: bytes, filler: int, stop: int, uncounted: int = 0) -> tuple[list[tuple[int, bytes]], bytes]:
    """(kind, all of its bytes) of each option, and what is left where one has an impossible size. An option says its
    size, all or without `uncounted` bytes (IPv6: without kind and size, RFC 8200 section 4.2)."""
    found = list[tuple[int, bytes]]()
    while options and options[0] != stop:
        size = 1 if options[0] == filler else options[1] + uncounted if len(options) > 1 else 0
        if size < 1 + (options[0] != filler) or size > len(options):
            return found, options
        found.append((options[0], options[:size]))
        options = options[size:]
    return found, b""


def ip_options_sound(options: bytes) -> bool:
    found, rest = split_options(options, filler=1, stop=0)
    kinds = [kind for kind, _ in found]
    if rest or {131, 137, 134} & set(kinds) or kinds.count(7) > 1 or kinds.count(68) > 1:
        return False  # source routes and CIPSO are refused; one record route and one list of times are enough
    return all(_has_room(kind, option) for kind, option in found)


def _has_room(kind: int, option: bytes) -> bool:
    size = len(option)
    if kind == 148:
        return size >= 4
    if kind == 7:
        return size >= 3 and option[2] >= 4 and (option[2] > size or option[2] + 3 <= size)
    if kind != 68:
        return True
    if size < 4 or option[2] < 5:
        return False
    entry = 8 if option[3] & 15 in (1, 3) else 4
    if option[2] > size:
        return option[3] & 15 == 3 or option[3] >> 4 < 15
    return option[2] - 1 + entry <= size


def _ipv6(data: bytes, padded: bytes) -> Upper:
    end = 40 + int.from_bytes(padded[4:6], "big")
    protocol, start, headers = follow(data, 0, min(end, len(data)))
    return Upper(protocol, start, end, _ipv6_fault(padded, start + 8 <= end <= len(data), headers))


def _ipv6_fault(padded: bytes, fits: bool, headers: list[tuple[int, bytes]]) -> str:
    if not fits:
        return "IP length"
    if padded[8:24].startswith(MAPPED):
        return "mapped address"
    for place, (kind, header) in enumerate(headers):
        if not _extension_sound(kind, header, first=place == 0):
            return EXTENSIONS[kind]
    return "fragment" if [kind for kind, _ in headers].count(44) > 1 else ""


def follow(data: bytes, at: int, end: int) -> tuple[int, int, list[tuple[int, bytes]]]:
    """Behind an IPv6 header at `at`: the protocol, where it begins, and up to five extension headers before it."""
    kind, place, headers = (data + bytes(64))[at + 6], at + 40, list[tuple[int, bytes]]()
    while kind in EXTENSIONS and len(headers) < 5 and place + 8 <= end:
        words = data[place + 1]
        size = 8 if kind == 44 else words * 4 + 8 if kind == 51 else words * 8 + 8
        if place + size > end or (kind == 44 and int.from_bytes(data[place + 2 : place + 4], "big") >> 3):
            break
        headers.append((kind, data[place : place + size]))
        kind, place = data[place], place + size
    return kind, place, headers


def _extension_sound(kind: int, header: bytes, first: bool) -> bool:
    match EXTENSIONS[kind]:
        case "hop-by-hop":
            return first and _list_sound(header[2:], hop_by_hop=True)
        case "destination":
            return _list_sound(header[2:], hop_by_hop=False)
        case "routing":
            return header[3] == 0 and header[2] not in (3, 4)
        case "fragment":
            return not header[3] & 1
    return False


def _list_sound(options: bytes, hop_by_hop: bool) -> bool:
    found, rest = split_options(options, filler=0, stop=256, uncounted=2)
    padding = wanted = 0
    for kind, option in found:
        if kind in (0, 1):
            padding += len(option)
            if padding > 7 or any(option[2:]):
                return False
            continue
        padding, wanted = 0, wanted + 1
        if kind >> 6 or wanted > 8 or (hop_by_hop and kind == 5 and len(option) != 4):
            return False
    return not rest
