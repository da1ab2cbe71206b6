"""Processes of a case that are ready and wait for a word: forks must be over before the event loop runs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from probe.lab.namespaces import NEW_NET, die_with_parent, set_namespace


@dataclass
class Child:
    """`go` starts it; `finished` collects what it wrote. It dies with its parent."""

    pid: int
    word: int
    outputs: tuple[int, int]
    written: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    seconds: float = 0.0

    def go(self) -> None:
        os.write(self.word, b"!")
        os.close(self.word)

    def pause(self, seconds: float) -> None:
        """Stopped, as by Ctrl-Z, and continued."""
        os.kill(self.pid, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(seconds, os.kill, self.pid, signal.SIGCONT)

    async def finished(self, longest: float) -> int:
        """The exit code, negative for a signal; both outputs are in `written` then. Killed, with its own
        children, after so many seconds."""
        loop = asyncio.get_running_loop()
        began, ends = loop.time(), loop.call_later(longest, os.killpg, self.pid, signal.SIGKILL)
        await asyncio.gather(*(self._drain(end, into) for end, into in zip(self.outputs, self.written, strict=True)))
        ends.cancel()
        _, status = os.waitpid(self.pid, 0)
        self.seconds = loop.time() - began
        return os.waitstatus_to_exitcode(status)

    @staticmethod
    async def _drain(end: int, into: bytearray) -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def read() -> None:
            data = os.read(end, 1 << 16)
            into.extend(data)
            if not data:
                loop.remove_reader(end)
                os.close(end)
                done.set()

        loop.add_reader(end, read)
        await done.wait()


def hold(network: int, act: Callable[[], int]) -> Child:
    """A child in that network namespace, which waits for `go` and then ends with the exit code of `act`."""
    word, told = os.pipe()
    out, err = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _be_child(network, word, out[1], err[1], act)
    for end in (word, out[1], err[1]):
        os.close(end)
    return Child(pid, told, (out[0], err[0]))


def _be_child(network: int, word: int, out: int, err: int, act: Callable[[], int]) -> NoReturn:
    code = 70
    try:
        os.setsid()
        die_with_parent()
        set_namespace(network, NEW_NET)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        if os.read(word, 1):  # nothing: the parent went away without a word
            code = act()
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def command(argv: list[str], environment: dict[str, str]) -> Callable[[], int]:
    """Becomes another program."""

    def act() -> int:
        os.execve(argv[0], argv, environment)

    return act
