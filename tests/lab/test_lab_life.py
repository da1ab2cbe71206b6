"""Labs come up quickly, mind their own business, and leave nothing behind, however they end.

These run as whoever runs pytest; `test_lab_ordinary_user` runs them once more without root's rights.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe import lab as labs
from probe.errors import LabError
from probe.lab import Lab
from probe.lab.tools import provide
from tests.lab.lab_world import MINI, PATIENCE, REPOSITORY, all_end, greeting, processes, write_mini

pytestmark = pytest.mark.lab


@pytest.fixture
def mini(tmp_path: Path) -> Iterator[Lab]:
    with labs.up(labs.load(write_mini(tmp_path)), owner="process") as lab:
        yield lab


def folder_of(lab: Lab) -> Path:
    return lab._folder


def test_servers_answer_across_the_router_in_both_families(mini: Lab) -> None:
    for address in ("198.18.1.10", "fd18:1::10"):
        assert greeting(mini, "internet", address).endswith(f"{mini.id}/web/raw")


def test_up_is_quick_and_down_leaves_nothing(tmp_path: Path) -> None:
    topology = labs.load(write_mini(tmp_path))
    begin = time.monotonic()
    lab = labs.up(topology, owner="process")
    assert time.monotonic() - begin < 2
    folder, inhabitants = folder_of(lab), processes(lab)
    assert len(inhabitants) >= 2
    lab.close()
    assert not folder.exists()
    assert all_end(inhabitants)


def test_close_twice_is_once(mini: Lab) -> None:
    mini.close()
    mini.close()


def test_two_labs_do_not_disturb_each_other(mini: Lab, tmp_path: Path) -> None:
    with labs.up(mini_topology(mini), owner="process") as other:
        assert greeting(mini, "internet", "198.18.1.10").endswith(f"{mini.id}/web/raw")
        assert greeting(other, "internet", "198.18.1.10").endswith(f"{other.id}/web/raw")
        assert {mini.id, other.id} <= {info.id for info in labs.list_labs()}
    assert greeting(mini, "internet", "198.18.1.10").endswith(f"{mini.id}/web/raw")


def mini_topology(lab: Lab) -> labs.Topology:
    return labs.load(lab.path)


def test_a_lab_has_no_way_out(mini: Lab) -> None:
    assert greeting(mini, "mail", "198.18.0.10") == "OSError 101"


def test_servers_have_no_rights_over_their_network(mini: Lab) -> None:
    """Every process in the network of `web` without the init's rights: no capability, and none to be had."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if b"echo.py" not in (entry / "cmdline").read_bytes():
                continue
            status = (entry / "status").read_text()
        except OSError:
            continue
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status


def test_packets_carry_their_checksums(mini: Lab) -> None:
    """A packet socket at the vantage sees a TCP checksum that is right, as on a real cable."""
    script = (
        "import socket, struct\n"
        "tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))\n"
        "socket.create_connection(('198.18.1.10', 80), 3).recv(9)\n"
        "while True:\n"
        "    packet, origin = tap.recvfrom(2000)\n"
        "    if origin[2] == socket.PACKET_HOST and packet[9] == 6 and packet[33] == 0x12: break\n"
        "tcp = packet[20:]\n"
        "pseudo = packet[12:20] + struct.pack('!HH', 6, len(tcp))\n"
        "total = sum(struct.unpack(f'!{len(pseudo + tcp) // 2}H', pseudo + tcp))\n"
        "print(total % 0xffff)\n"
    )
    assert mini.run("internet", [sys.executable, "-c", script], timeout=PATIENCE).stdout == "0\n"


def owner(path: str, then: str = "sys.stdin.read()") -> subprocess.Popen[str]:
    """Another process that owns a lab, prints its id and waits."""
    script = (
        f"import sys; from probe import lab as labs\n"
        f"lab = labs.up(labs.load({path!r}), owner='process')\nprint(lab.id, flush=True)\n{then}\n"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True)


@pytest.mark.parametrize("victim", ["owner", "keeper"])
def test_a_kill_takes_everything_along(tmp_path: Path, victim: str) -> None:
    with owner(write_mini(tmp_path)) as process:
        assert process.stdout is not None
        with labs.attach(process.stdout.readline().strip()) as lab:
            folder, inhabitants = folder_of(lab), [*processes(lab), os.dup(lab.keeper)]
            if victim == "owner":
                process.kill()
            else:
                signal.pidfd_send_signal(lab.keeper, signal.SIGKILL)
        assert all_end(inhabitants)
        assert folder not in [folder_of(lab) for lab in labs_running()]
        assert not folder.exists()
        process.kill()


def labs_running() -> list[Lab]:
    from probe.lab.client import running

    found = running()
    for lab in found:
        lab.close()
    return found


def test_a_kill_while_it_is_built_takes_everything_along(tmp_path: Path) -> None:
    """The server never opens the port that is waited for. That it runs, it tells by a FIFO."""
    (tmp_path / "mute.py").write_text(
        "import os, signal\nopen(os.path.dirname(__file__) + '/up', 'w').write('here')\nsignal.pause()\n"
    )
    os.mkfifo(tmp_path / "up")
    path = write_mini(tmp_path, MINI.replace("echo.py", "mute.py"))
    with owner(path) as process:
        runs = os.open(tmp_path / "up", os.O_RDONLY | os.O_NONBLOCK)
        assert select.select([runs], [], [], PATIENCE)[0]
        os.close(runs)
        servers = [os.pidfd_open(pid) for pid in pids_of(str(tmp_path / "mute.py"))]
        assert servers
        process.kill()
        assert all_end(servers)


def pids_of(script: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if script.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_detached_labs_stay_until_down(tmp_path: Path) -> None:
    path = write_mini(tmp_path)
    script = f"from probe import lab; print(lab.up_detached({path!r}))"
    identity = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    try:
        assert [info.detached for info in labs.list_labs() if info.id == identity] == [True]
        with labs.attach(identity) as lab:
            inhabitants = processes(lab)
            assert greeting(lab, "internet", "198.18.1.10").endswith(f"{identity}/web/raw")
    finally:
        assert labs.down(identity) == identity
    assert all_end(inhabitants)
    assert identity not in [info.id for info in labs.list_labs()]


def test_down_and_exec_without_such_a_lab() -> None:
    with pytest.raises(LabError, match="no lab 'none-such' is running"):
        labs.down("none-such")
    with pytest.raises(LabError, match="no lab 'none-such' is running"):
        labs.exec_("none-such", "edge", ["true"])


def test_two_labs_of_one_name_must_be_told_apart(mini: Lab) -> None:
    with labs.up(mini_topology(mini), owner="process"), pytest.raises(LabError, match="more than one lab is running"):
        labs.attach("mini")


def test_exec_runs_a_command_on_a_host(mini: Lab) -> None:
    done = mini.run("web", [sys.executable, "-c", "import socket; print(*[name for _, name in socket.if_nameindex()])"])
    assert done.stdout == "lo dmz\n"
    assert mini.run("web", [sys.executable, "-c", "raise SystemExit(7)"]).returncode == 7


@pytest.mark.parametrize(
    "host, argv, message",
    [
        ("nowhere", ["true"], "has no host 'nowhere' (it has: internet, edge, web, mail)"),
        ("web", ["no-such"], "no-such"),
    ],
)
def test_exec_says_what_is_wrong(mini: Lab, host: str, argv: list[str], message: str) -> None:
    done = mini.run(host, argv)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_enter_with_threads_names_the_reason(mini: Lab) -> None:
    if os.geteuid() == 0:
        pytest.skip("root enters a network without a user namespace, threads or not")
    script = (
        "import threading; from probe import lab\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        f"lab.attach({mini.id!r}).enter('web')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "this process has threads" in done.stderr


BAD_STARTS = [
    ("echo.py", "none.py", "the server 'raw' on 'web' ended with code 2"),
    ("router: true", "router: true\n    nft: [echo.py]", "the rules of 'edge' were refused:\n.*echo.py:1:"),
    ("router: true", "sysctl: {net.ipv4.no_such_knob: 1}", "could not set the sysctl net.ipv4.no_such_knob on 'edge'"),
    ('"{python}"', "no-such-program", "the program 'no-such-program' is missing"),
]


@pytest.mark.parametrize("old, new, message", BAD_STARTS, ids=[start[2][:30] for start in BAD_STARTS])
def test_a_lab_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path, old: str, new: str, message: str) -> None:
    provide(["nft"], {"nft": "nftables"}, REPOSITORY)  # in a fresh clone nothing has needed it yet
    (tmp_path / ".tools").mkdir()
    for package in (REPOSITORY / ".tools").glob("[!.]*"):
        (tmp_path / ".tools" / package.name).symlink_to(package)
    topology = labs.load(write_mini(tmp_path, MINI.replace(old, new, 1)))
    before = {folder_of(lab) for lab in labs_running() if lab.name == topology.name}  # others may be at work here
    with pytest.raises(LabError, match=f"(?s){message}"):
        labs.up(topology, owner="process")
    assert {folder_of(lab) for lab in labs_running() if lab.name == topology.name} == before
