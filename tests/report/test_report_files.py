"""Files: what is refused, what is left untouched, and that nobody ever reads half of a result."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from probe.errors import OutputError, UsageError
from probe.report import files
from probe.report.files import OutFile, StandardOutput, make_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_appears_whole_and_private(tmp_path: Path) -> None:
    final = tmp_path / "r.jsonl"
    out = OutFile(str(final))
    out.write("one\n")
    out.flush()
    partial = tmp_path / ".r.jsonl.partial"
    assert not final.exists()
    assert (partial.read_text(), mode(partial)) == ("one\n", 0o600)
    out.write("two\n")
    out.commit()
    assert (final.read_text(), mode(final)) == ("one\ntwo\n", 0o600)
    assert os.listdir(tmp_path) == ["r.jsonl"]


def test_the_last_result_stays_until_the_new_one_is_done(tmp_path: Path) -> None:
    final = tmp_path / "r.csv"
    final.write_text("old")
    final.chmod(0o644)
    out = OutFile(str(final))
    out.write("new")
    out.flush()
    assert final.read_text() == "old"
    out.commit()
    assert (final.read_text(), mode(final)) == ("new", 0o600)


@pytest.mark.parametrize("kind", ["symlink", "dangling", "fifo", "folder", "socket"])
def test_what_is_no_plain_file_is_refused_and_untouched(tmp_path: Path, kind: str) -> None:
    path, aim = tmp_path / "out", tmp_path / "aim"
    if kind != "dangling":
        aim.write_text("precious")
    makers: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "socket": lambda: os.mknod(path, stat.S_IFSOCK | 0o600),
    }
    makers.get(kind, lambda: path.symlink_to(aim))()
    before = os.lstat(path)
    with pytest.raises(UsageError, match="left untouched"):
        OutFile(str(path))
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert sorted(os.listdir(tmp_path)) == (["out"] if kind == "dangling" else ["aim", "out"])
    assert kind == "dangling" or aim.read_text() == "precious"


@pytest.mark.parametrize("path", ["", ".", "..", "sub/", "a\0b", "/dev/null", "/dev/full", "nowhere/r.csv", "x" * 300])
def test_bad_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        OutFile(path)
    assert os.listdir(tmp_path) == []


def test_a_symlink_that_appears_during_the_run_is_not_replaced(tmp_path: Path) -> None:
    final = tmp_path / "r.csv"
    out = OutFile(str(final))
    out.write("result")
    final.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is a symlink"):
        out.commit()
    out.abandon(keep=True)
    assert final.is_symlink()
    assert (tmp_path / ".r.csv.partial").read_text() == "result"


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    first = OutFile(str(tmp_path / "r.csv"))
    first.write("first")
    with pytest.raises(UsageError, match="another run"):
        OutFile(str(tmp_path / "r.csv"))
    first.commit()
    assert (tmp_path / "r.csv").read_text() == "first"


def test_what_a_killed_run_left_is_taken_over(tmp_path: Path) -> None:
    left = tmp_path / ".r.csv.partial"
    left.write_text("half of a long line")
    left.chmod(0o644)
    out = OutFile(str(tmp_path / "r.csv"))
    out.write("new")
    out.commit()
    assert ((tmp_path / "r.csv").read_text(), mode(tmp_path / "r.csv")) == ("new", 0o600)


@pytest.mark.parametrize("trap", ["symlink", "hard link", "folder", "fifo"])
def test_a_trap_in_the_place_of_the_partial_file_catches_nobody(tmp_path: Path, trap: str) -> None:
    precious, partial = tmp_path / "precious", tmp_path / ".r.csv.partial"
    precious.write_text("precious")
    makers: dict[str, Callable[[], object]] = {
        "symlink": lambda: partial.symlink_to(precious),
        "hard link": lambda: partial.hardlink_to(precious),
        "folder": partial.mkdir,
        "fifo": lambda: os.mkfifo(partial),
    }
    makers[trap]()
    with pytest.raises(UsageError):
        OutFile(str(tmp_path / "r.csv"))
    assert precious.read_text() == "precious"
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize("number,kind", [(errno.EACCES, UsageError), (errno.EROFS, UsageError)])
def test_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refuse(path: Path) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "_create", refuse)
    with pytest.raises(kind, match=rf"r\.csv: cannot be written: {os.strerror(number)}"):
        OutFile(str(tmp_path / "r.csv"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        OutFile(str(tmp_path / "r.csv"))


def test_a_disk_that_was_full_from_the_start_is_no_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_create", full)
    with pytest.raises(OutputError, match="No space left"):
        OutFile(str(tmp_path / "r.csv"))


def test_a_full_disk_says_where_the_rest_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_create", lambda path: os.open("/dev/full", os.O_WRONLY))
    out = OutFile(str(tmp_path / "r.csv"))
    out.write("line\n")
    with pytest.raises(OutputError, match=r"No space left on device; what was written is in .*\.r\.csv\.partial"):
        out.flush()
    out.abandon(keep=True)
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_that_fails_at_the_end_leaves_the_old_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    final = tmp_path / "r.csv"
    final.write_text("old")
    out = OutFile(str(final))
    out.write("new")

    def fail(*args: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OutputError, match="Input/output error"):
        out.commit()
    monkeypatch.undo()
    out.abandon(keep=True)
    assert final.read_text() == "old"
    assert (tmp_path / ".r.csv.partial").read_text() == "new"


@pytest.mark.parametrize("keep", [True, False])
def test_abandoned(tmp_path: Path, keep: bool) -> None:
    out = OutFile(str(tmp_path / "r.csv"))
    out.write("half")
    out.abandon(keep=keep)
    assert os.listdir(tmp_path) == ([".r.csv.partial"] if keep else [])


def test_folders_are_made(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        make_folder(tmp_path / "file" / "sub")
    with pytest.raises(UsageError):
        make_folder(tmp_path / "file")


def test_a_reader_that_went_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        out = StandardOutput(stream)
        out.write("nobody reads this\n")
        out.flush()
        out.write("nor this\n")
        out.commit()


def test_standard_output_on_a_full_disk() -> None:
    with open("/dev/full", "w") as stream:
        out = StandardOutput(stream)
        out.write("line\n")
        with pytest.raises(OutputError, match="standard output: No space left"):
            out.flush()


def test_standard_output_in_a_poor_encoding() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    out = StandardOutput(stream)
    out.write("✓ met ×3\n")
    out.commit()
    assert raw.getvalue() == b"\\u2713 met \\xd73\n"


def test_standard_output_is_that_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    StandardOutput().write("hello\n")
    assert capsys.readouterr().out == "hello\n"
    assert StandardOutput().stream is sys.stdout


CALLS = ["open", "fstat", "lstat", "fchmod", "ftruncate", "fsync", "rename", "close"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("which", range(3))
def test_every_call_may_fail(call: str, which: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call fails, at whatever time: a sentence or success, and NAME holds the old result or the new one."""
    final = tmp_path / "r.csv"
    final.write_text("old")
    made = 0
    real = getattr(os, call)

    def failing(*arguments: object, **more: object) -> object:
        nonlocal made
        made += 1
        if made == which + 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*arguments, **more)

    monkeypatch.setattr(os, call, failing)
    said = ""
    try:
        out = OutFile(str(final))
        try:
            out.write("new")
            out.commit()
        except OutputError as error:
            said = str(error)
            out.abandon(keep=True)
    except (OutputError, UsageError) as error:
        said = str(error)
    monkeypatch.undo()
    assert made or which
    assert final.read_text() in ("old", "new")
    assert said or final.read_text() == "new"
    assert not said or said.startswith((str(final), str(tmp_path / ".r.csv.partial")))
    again = OutFile(str(final))
    again.write("newer")
    again.commit()
    assert final.read_text() == "newer"
