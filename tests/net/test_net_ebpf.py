"""The XDP program against a plain predicate, run by the kernel on packets built by scapy, then bent and cut."""

from __future__ import annotations

import ctypes
import ipaddress
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from probe.net import ebpf
from probe.net.ebpf import XDP_PASS, Program, assemble, load

PORT = 40000
TAKEN = 1  # XDP_DROP, in place of a socket
OURS = ("198.18.0.1", "fd18::1")


def is_ours(frame: bytes) -> bool:
    """A reset to our port at our address, in a packet without anything unusual about it."""
    packet, kind = frame[14:], frame[12:14]
    if kind == b"\x08\x00" and len(packet) >= 40:
        whole = packet[0] == 0x45 and int.from_bytes(packet[6:8], "big") & 0x3FFF == 0
        to, protocol, tcp = str(ipaddress.IPv4Address(packet[16:20])), packet[9], packet[20:]
    elif kind == b"\x86\xdd" and len(packet) >= 60:
        whole, to, protocol, tcp = True, str(ipaddress.IPv6Address(packet[24:40])), packet[6], packet[40:]
    else:
        return False
    return whole and protocol == 6 and to in OURS and int.from_bytes(tcp[2:4], "big") == PORT and bool(tcp[13] & 4)


def ethernet() -> Ether:
    """With both addresses given: scapy would ask the network for those that are not."""
    return Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")


OWN, SOCKETS = 7, 8  # descriptors of maps
PACKET, STACK, CONTEXT = 1 << 32, 2 << 32, 3 << 32  # where pointers point


def key(address: str) -> bytes:
    packed = ipaddress.ip_address(address).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def interpret(code: bytes, frame: bytes) -> int:
    """eBPF as far as our program uses it. A read outside of the frame raises, which the kernel's verifier forbids."""
    steps = [(op, to & 15, to >> 4, jump, value) for op, to, jump, value in struct.iter_unpack("=BBhi", code)]
    memory = {PACKET: frame, STACK: bytearray(512), CONTEXT: struct.pack("=5I", 0, len(frame), 0, 0, 3)}
    r = [0] * 11
    r[1], r[10] = CONTEXT, STACK + 512
    at = 0

    def read(pointer: int, size: int) -> int:
        region, offset = pointer >> 32 << 32, pointer & 0xFFFFFFFF
        assert offset + size <= len(memory[region])
        if region == CONTEXT and offset < 8:
            return PACKET + int.from_bytes(memory[CONTEXT][offset : offset + 4], "little")
        return int.from_bytes(memory[region][offset : offset + size], "little")

    def write(pointer: int, size: int, value: int) -> None:
        data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        stack = memory[STACK]
        assert isinstance(stack, bytearray)
        stack[(pointer & 0xFFFFFFFF) : (pointer & 0xFFFFFFFF) + size] = data

    while True:
        op, to, source, jump, value = steps[at]
        at += 1
        match op:
            case 0xB7:
                r[to] = value
            case 0xBF:
                r[to] = r[source]
            case 0x07:
                r[to] += value
            case 0x57:
                r[to] &= value
            case 0x61 | 0x69 | 0x71:
                r[to] = read(r[source] + jump, {0x61: 4, 0x69: 2, 0x71: 1}[op])
            case 0x62 | 0x7A:
                write(r[to] + jump, 4 if op == 0x62 else 8, value)
            case 0x63:
                write(r[to] + jump, 4, r[source])
            case 0x18:
                r[to], at = value, at + 1
            case 0x2D | 0x55 | 0x15 | 0x05:
                held = {0x2D: r[to] > r[source], 0x55: r[to] != value, 0x15: r[to] == value, 0x05: True}[op]
                at += jump if held else 0
            case 0x85 if value == 1:
                assert r[1] == OWN
                wanted = bytes(memory[STACK][r[2] & 0xFFFFFFFF :][:16])
                r[0] = int(wanted in {key(address) for address in OURS})
            case 0x85 if value == 51:
                assert (r[1], r[2]) == (SOCKETS, 3)  # the receive queue
                r[0] = r[3]
            case 0x95:
                return r[0]
            case _:
                raise AssertionError(f"instruction {op:#x}")


ports = st.sampled_from([PORT, PORT, PORT, 40001, 0x409C])
flags = st.sampled_from(["RA", "R", "SA", "SR", "A", "F", "RAU"])
tcp = st.builds(lambda port, flags, data: TCP(dport=port, flags=flags) / Raw(data), ports, flags, st.binary(max_size=9))
udp = st.builds(lambda port: UDP(dport=port) / Raw(bytes(40)), ports)
v4 = st.builds(
    lambda dst, frag, flags, options: IP(src="198.18.0.2", dst=dst, frag=frag, flags=flags, options=[Raw(options)]),
    st.sampled_from(["198.18.0.1", "198.18.0.1", "198.18.0.3"]),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from(["", "DF", "MF"]),
    st.sampled_from([b"", b"", b"\x01" * 4]),
)
v6 = st.builds(lambda dst: IPv6(src="fd18::2", dst=dst), st.sampled_from(["fd18::1", "fd18::1", "fd18::3"]))
v6_longer = st.builds(lambda ip: ip / IPv6ExtHdrDestOpt(), v6)
link = st.sampled_from([ethernet(), ethernet(), ethernet() / Dot1Q(vlan=5)])
frames = st.builds(
    lambda link, ip, rest: bytes(link / ip / rest),
    link.map(lambda each: each.copy()),
    st.one_of(v4, v6, v6_longer),
    st.one_of(tcp, tcp, tcp, udp, st.just(ICMP()), st.just(ICMPv6DestUnreach() / Raw(bytes(40)))),
)
short = st.builds(lambda frame, size: frame[: 14 + size % len(frame)], frames, st.integers(0, 90))


def flipped(frame: bytes, at: int, bit: int) -> bytes:
    at %= len(frame)
    return frame[:at] + bytes([frame[at] ^ 1 << bit]) + frame[at + 1 :]


bent = st.builds(
    flipped,
    frames,
    st.integers(0, 90),
    st.integers(0, 7),
)  # fmt: skip


SURE = [
    (bytes(ethernet() / IP(dst="198.18.0.1") / TCP(dport=PORT, flags="RA")), TAKEN),
    (bytes(ethernet() / IPv6(dst="fd18::1") / TCP(dport=PORT, flags="R")), TAKEN),
    (bytes(ethernet() / IP(dst="198.18.0.1") / TCP(dport=PORT, flags="SA")), XDP_PASS),
    (bytes(ethernet() / IPv6(dst="fd18::9") / TCP(dport=PORT, flags="RA")), XDP_PASS),
]


@settings(max_examples=300)
@given(st.one_of(frames, short, bent))
@example(SURE[0][0])
@example(SURE[1][0])
def test_the_program_takes_resets_to_us_and_nothing_else(frame: bytes) -> None:
    assert interpret(assemble(PORT, OWN, SOCKETS, TAKEN), frame) == (TAKEN if is_ours(frame) else XDP_PASS)


def test_the_kernel_takes_the_program_and_runs_it_so() -> None:
    """By BPF_PROG_TEST_RUN, which takes its time: few frames."""
    try:
        program = Program(PORT)
    except OSError as error:
        pytest.skip(f"no BPF programs here: {error.strerror}")
    for address in OURS:
        program.own(key(address))
    code = program._keep(load(assemble(PORT, program._own, program._sockets, TAKEN)))
    said = [run_by_kernel(code, frame) for frame, _ in SURE]
    program.close()
    assert said == [expected for _, expected in SURE]


def run_by_kernel(code: int, frame: bytes) -> int:
    data = ctypes.create_string_buffer(frame, len(frame))
    # union bpf_attr, test: program, result, input and output sizes, input and output, repeat, duration
    asked = struct.pack("=IIIIQQII", code, 0, len(frame), 0, ctypes.addressof(data), 0, 0, 0)
    buffer = ctypes.create_string_buffer(asked, len(asked))
    assert ebpf._libc.syscall(321, 10, buffer, len(asked)) == 0
    return int(struct.unpack_from("=I", buffer, 4)[0])


def test_jumps_lead_to_their_labels() -> None:
    code = ebpf._link([(0x05, 0, 0, "end", 0), (0xB7, 1, 0, 0, -2), "end", (0x95, 0, 0, 0, 0)])
    assert code == bytes.fromhex("0500010000000000 b7010000feffffff 9500000000000000")


def test_another_machine_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(OSError, match="AF_XDP is not used on riscv64"):
        Program(PORT)
