"""Target expressions: `198.18.1.10`, `198.18.1.0/24`, `198.18.1.10-20`, `fd18::1-fd18::20`, `web.example`.

A CIDR stands for all its addresses, the network and the broadcast address too, as in nmap: the prefix of the scanner's
view need not be the one of the network, and a host at `.0` or `.255` is a host. What different programs read
differently (`127.1`, `0x7f.1`, `010.0.0.1`) is refused with what it could mean.
"""

from __future__ import annotations

import ipaddress
import re

from probe.model import Address, AddressRange, AddressSpec
from probe.profile.words import quoted

_V4 = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10}){3}")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER_LIKE = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_MAPPED = AddressRange(6, 0xFFFF_0000_0000, 0xFFFF_FFFF_FFFF)
# Addresses that are no single host's. RFC 1122 section 3.2.1.3, RFC 5771, RFC 4291 sections 2.5.2 and 2.7.
_NO_HOSTS = (
    (AddressRange(4, 0, (1 << 24) - 1), "0.0.0.0/8 means 'this network', which is no host's address"),
    (AddressRange(4, 0xE000_0000, 0xEFFF_FFFF), "224.0.0.0/4 is multicast"),
    (AddressRange(4, 0xFFFF_FFFF, 0xFFFF_FFFF), "255.255.255.255 is the broadcast address"),
    (AddressRange(6, 0, 0), ":: is the unspecified address"),
    (AddressRange(6, 0xFF << 120, (1 << 128) - 1), "ff00::/8 is multicast"),
)


class TargetError(ValueError):
    """A target expression that cannot be understood or must not be scanned; its text says why."""


def parse_target(text: str) -> AddressSpec:
    """What to scan: an address, CIDR, range or host name. Raises TargetError."""
    spec = parse_address(text)
    if spec.range is not None and (reason := no_host(spec.range)):
        raise TargetError(f"{text} cannot be scanned: {reason}")
    return spec


def parse_address(text: str) -> AddressSpec:
    """The same grammar for `scope` and `exclude`, where multicast does no harm. Raises TargetError."""
    if complaint := _foreign(text):
        raise TargetError(complaint)
    if "/" in text:
        return AddressSpec(text, range=_not_mapped(_network(text)))
    if ":" in text or re.fullmatch(r"[0-9.-]+", text):
        return AddressSpec(text, range=_not_mapped(_range(text)))
    return AddressSpec(text, host=_host(text))


def no_host(part: AddressRange) -> str | None:
    """Why some address in the range is no host's, or None."""
    hits = (why for bad, why in _NO_HOSTS if part.version == bad.version and _overlap(part, bad))
    return next(hits, None)


def _overlap(one: AddressRange, other: AddressRange) -> bool:
    return one.first <= other.last and other.first <= one.last


def _foreign(text: str) -> str | None:
    """What belongs to other notations than ours."""
    if not text.strip():
        return "an address is missing"
    if not text.isascii():
        return f"{quoted(text)} has characters beyond ASCII (write digits as 0-9 and names as xn--…)"
    if "://" in text:
        return f"{quoted(text)} is a URL (write the host name alone; ports belong to scan: tcp)"
    if "%" in text:
        return f"{quoted(text)} has a zone id, which only means something on one machine (leave the '%…' out)"
    if "[" in text or "]" in text:
        return f"{quoted(text)} has brackets (write the IPv6 address without them)"
    if "," in text or " " in text:
        return f"{quoted(text)} is more than one address (write a list: [a, b])"
    return None


def _not_mapped(part: AddressRange) -> AddressRange:
    if part.version == 6 and _overlap(part, _MAPPED):
        raise TargetError("IPv4-mapped IPv6 addresses (::ffff:0:0/96) never travel (write the IPv4 address)")
    return part


def _network(text: str) -> AddressRange:
    base, _, prefix = text.partition("/")
    address = _address(base)
    length = _prefix(prefix, address)
    if length == 0:
        raise TargetError(f"{text} is every address there is (name the networks that you answer for)")
    host_bits = (1 << (address.max_prefixlen - length)) - 1
    first = int(address) & ~host_bits
    if first != int(address):
        meant = f"{_KINDS[address.version](first)}/{length}"
        raise TargetError(f"{text} has host bits set (did you mean the network {meant}, or the host {address}?)")
    return AddressRange(address.version, first, first | host_bits)


def _prefix(text: str, address: Address) -> int:
    bounds = f"IPv{address.version} has /0 to /{address.max_prefixlen}"
    if not re.fullmatch(r"0|[1-9][0-9]{0,2}", text):
        raise TargetError(f"{quoted('/' + text)} is no prefix length ({bounds})")
    if int(text) > address.max_prefixlen:
        raise TargetError(f"the prefix length /{text} is too long ({bounds})")
    return int(text)


def _range(text: str) -> AddressRange:
    start, dash, end = text.partition("-")
    first = _address(start)
    last = _address(_whole_end(start, end)) if dash else first
    if last.version != first.version:
        raise TargetError(f"{text} begins in IPv{first.version} and ends in IPv{last.version}")
    if int(last) < int(first):
        raise TargetError(f"the range {text} is reversed (did you mean {last}-{first}?)")
    return AddressRange(first.version, int(first), int(last))


def _whole_end(start: str, end: str) -> str:
    """`20` behind `198.18.1.10-` is the last number of an address; behind IPv6 it could be decimal or hex."""
    if ":" not in start and re.fullmatch(r"[0-9]+", end):
        return f"{start.rpartition('.')[0]}.{end}"
    if ":" in start and ":" not in end:
        raise TargetError(f"the range {start}-{end} needs a whole IPv6 address at its end")
    return end


def _address(text: str) -> Address:
    if ":" in text:
        return _v6(text)
    if not _V4.fullmatch(text):
        raise TargetError(_short_form(text))
    for number in text.split("."):
        if len(number) > 1 and number[0] == "0":
            raise TargetError(f"{text} has a number with a leading zero, which some programs read as octal")
        if int(number) > 255:
            raise TargetError(f"{text} is no IPv4 address ({number} is more than 255)")
    return ipaddress.IPv4Address(text)


def _v6(text: str) -> ipaddress.IPv6Address:
    try:
        return ipaddress.IPv6Address(text)
    except ValueError:
        pass
    before, _, after = text.partition(":")
    if _V4.fullmatch(before) and after.isdigit():
        raise TargetError(f"{quoted(text)} has a port (write {before}; ports belong to scan: tcp)")
    raise TargetError(f"{quoted(text)} is no IPv6 address")


def _host(text: str) -> str:
    labels = text.removesuffix(".").split(".")
    if _NUMBER_LIKE.fullmatch(labels[-1]):
        # The last label of a host name is never a number (RFC 3696 section 2), so this is meant as an address.
        raise TargetError(_short_form(text))
    if "*" in text:
        raise TargetError(f"{quoted(text)} has a wildcard (write a network such as 198.18.1.0/24)")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise TargetError(f"{quoted(text)} is no address and no host name")
    return text


def _short_form(text: str) -> str:
    """Why a dotted number is refused, with what inet_aton(3) would read into it."""
    parts = text.split(".")
    try:
        numbers = [int(part, 8 if part[0] == "0" and part.isdigit() else 0) for part in parts]
        *front, rest = numbers
        value = sum(number << (24 - 8 * place) for place, number in enumerate(front)) + rest
        fits = (
            2 <= len(parts) <= 4
            and all(map(_NUMBER_LIKE.fullmatch, parts))
            and all(number < 256 for number in front)
            and rest < 1 << (40 - 8 * len(parts))
        )
    except (ValueError, IndexError):
        fits, value = False, 0
    meant = f", did you mean {ipaddress.IPv4Address(value)}?" if fits else ""
    return f"{quoted(text)} is no IPv4 address (write four decimal numbers with dots{meant})"


_KINDS = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
