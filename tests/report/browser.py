"""A real browser for tests of the HTML page: headless Chromium, spoken to over a pipe in its DevTools protocol.

It is used where it is installed, or unpacked by `sh lab/debs.sh chromium`. Nothing is sent anywhere: the page is a
file, and what the browser itself may want of the world goes to a proxy that is not there.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_UNPACKED = Path(__file__).resolve().parents[2] / ".tools/chromium"
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--force-color-profile=srgb", "--window-size=1500,1000", "--proxy-server=127.0.0.1:9"),
)


def chromium() -> str | None:
    """The browser's program, if there is one."""
    unpacked = _UNPACKED / "usr/lib/chromium/chromium"
    return shutil.which("chromium") or (str(unpacked) if unpacked.exists() else None)


class Page:
    """One tab."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Log.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; what happens meanwhile is looked through for complaints."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def open(self, path: Path, *, scheme: str = "light") -> None:
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=path.as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def hover(self, selector: str) -> None:
        self.ask(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center', inline: 'center'}})")
        box = self.ask(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
                       f"(document.querySelector({selector!r}).getBoundingClientRect())")  # fmt: skip
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])

    def screenshot(self) -> bytes:
        """PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser is gone"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        if answer.get("method") == "Log.entryAdded":
            self.complaints.append(answer["params"]["entry"]["text"])
        return answer


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are clear of the descriptors that the browser wants."""
    ends = os.pipe()
    read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return read, write


@contextmanager
def browser(program: str) -> Iterator[Page]:
    """A browser with an empty profile, ended with the block."""
    to_browser, we_write = _pipe()
    we_read, from_browser = _pipe()
    libraries = [str(_UNPACKED / "usr/lib/x86_64-linux-gnu" / folder) for folder in ("", "pulseaudio")]
    environment = os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(libraries)}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *_QUIET, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        # The browser reads commands from descriptor 3 and answers on 4.
        plumbing = f'exec "$@" 3<&{to_browser} 4>&{from_browser} 2>/dev/null'
        process = subprocess.Popen(
            ["bash", "-c", plumbing, "bash", *command], pass_fds=(to_browser, from_browser), env=environment
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Page(we_write, we_read)
        finally:
            process.kill()
            process.wait(10)
            os.close(we_write)
            os.close(we_read)
