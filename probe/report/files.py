"""Where text goes: a file that appears whole and by rename, or standard output.

A file is first `.NAME.partial` in the folder of NAME, mode 0600, locked while it is written. `commit` syncs it, renames
it over NAME and syncs the folder: whoever reads NAME sees the last run or this one, never a half. A killed run leaves
the partial file behind, readable, and the next run takes it over.

A NAME that is anything but a plain file or free is refused on opening, which is before anything is sent.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from probe.errors import OutputError, ProbeError, UsageError

# These mean that the path was chosen badly, not that the machine failed us.
_BAD_PATH = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EEXIST),
}
_KINDS = {
    stat.S_IFLNK: "a symlink",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def make_folder(path: Path) -> None:
    """The folder of `results: {dir: …}`, made with its parents. Raises UsageError, or OutputError if the disk fails."""
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise opening_error(str(path), error) from error


class OutFile:
    """A file in the making. Raises UsageError where the path cannot be used; nothing was written then.

    `encoding` latin-1 makes it a file of bytes, one per character.
    """

    def __init__(self, path: str, encoding: str = "utf-8") -> None:
        self.name = path
        self._final = _usable(path)
        self.partial = self._final.with_name(f".{self._final.name}.partial")
        try:
            handle = _create(self.partial)
        except OSError as error:
            raise opening_error(path, error) from error
        self._text: TextIO = os.fdopen(handle, "w", encoding=encoding, newline="")

    def write(self, text: str) -> None:
        with self._failing():
            self._text.write(text)

    def flush(self) -> None:
        with self._failing():
            self._text.flush()

    def commit(self) -> None:
        with self._failing():
            self._text.flush()
            os.fsync(self._text.fileno())
            refuse_odd(self.name, self._final, OutputError)
            os.rename(self.partial, self._final)
            _sync_folder(self._final.parent)
        self._close()

    def abandon(self, *, keep: bool) -> None:
        with contextlib.suppress(OSError):
            if not keep:
                os.unlink(self.partial)
        self._close()

    def _close(self) -> None:
        # Closing flushes, and on a full disk fails; whoever had to know was told before.
        with contextlib.suppress(OSError):
            self._text.close()

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"{self.name}: {error.strerror}; what was written is in {self.partial}") from error


class StandardOutput:
    """Standard output. A reader that went away (`| head`) is no error: the rest is for nobody."""

    name = "standard output"

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self._gone = False

    def write(self, text: str) -> None:
        if not self._gone:
            self._try(lambda: self.stream.write(self._fit(text)))

    def flush(self) -> None:
        if not self._gone:
            self._try(self.stream.flush)

    commit = flush

    def abandon(self, *, keep: bool) -> None:
        with contextlib.suppress(OutputError):
            self.flush()

    def _fit(self, text: str) -> str:
        if text.isascii():
            return text  # no encoding lacks these, and this is asked of a flag
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except BrokenPipeError:
            self._give_up()
        except OSError as error:
            self._give_up()
            raise OutputError(f"{self.name}: {error.strerror}") from error

    def _give_up(self) -> None:
        """Python flushes standard output once more at exit and would complain: let that go nowhere."""
        self._gone = True
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


def _usable(path: str) -> Path:
    final = Path(path)
    if not path or "\0" in path or path.endswith("/") or final.name in ("", "..", "."):
        raise UsageError(f"{path!r}: not the name of a file")
    if not final.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {final.parent}; make it first")
    refuse_odd(path, final, UsageError)
    return final


def refuse_odd(path: str, final: Path, error: type[ProbeError]) -> None:
    """Raise `error` where something else than a plain file stands."""
    try:
        kind = stat.S_IFMT(os.lstat(final).st_mode)
    except FileNotFoundError:
        return
    except OSError as cause:
        raise opening_error(path, cause) from cause
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "not a plain file")
        raise error(f"{path}: is {what}; results only replace plain files, it was left untouched")


def _create(partial: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(partial, flags, 0o600)
    try:
        _claim(handle, partial)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _claim(handle: int, partial: Path) -> None:
    """Take over what a killed run left, but neither a file that another run is writing nor somebody's hard link."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != os.geteuid():
        raise UsageError(f"{partial}: is in the way and not ours; remove it or choose another name")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The other run may have renamed it away between our open and our lock: then it is the other's result.
        ours = os.path.samestat(os.lstat(partial), found)
    except (BlockingIOError, FileNotFoundError):
        ours = False
    if not ours:
        raise UsageError(f"{partial}: another run is writing this file")
    os.fchmod(handle, 0o600)
    os.ftruncate(handle, 0)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def opening_error(path: str, error: OSError) -> ProbeError:
    """UsageError where the path was chosen badly, OutputError where the machine failed."""
    kind = UsageError if error.errno in _BAD_PATH else OutputError
    return kind(f"{path}: cannot be written: {error.strerror}")
