"""A ledger's directory and its lock: one process has it open."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import IO

from .errors import StoreLocked
from .files import Files, make_directories

# its defaults name the directory for temporary files, which is found by writing to it: where every disk is full, not
# even a reader could be started
_tempdir, tempfile.tempdir = tempfile.tempdir, os.sep
try:
    import portalocker
finally:
    tempfile.tempdir = _tempdir

LOCK_NAME, BOOKS_NAME = "LOCK", "books"


def locked(files: Files, directory: Path) -> IO[str]:
    """Make the directory if need be and take its lock. Blocks; raises StoreLocked, OSError."""
    if directory.exists() and not directory.is_dir():
        raise OSError(None, "it is a file, not a directory")
    make_directories(files, directory)
    path = directory / LOCK_NAME
    new = not path.exists()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    lock = os.fdopen(fd, "r+", encoding="ascii", errors="replace")
    try:
        try:
            portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except portalocker.LockException as e:
            if isinstance(e.strerror, str) and not isinstance(e, portalocker.AlreadyLocked):
                raise OSError(None, e.strerror) from e
            raise StoreLocked(directory, _told(lock)) from e
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        if new:
            files.sync_directory(directory)
        # an earlier life may have made the directory and ended before it synced its entry
        with contextlib.suppress(PermissionError):
            files.sync_directory(directory.parent)
    except BaseException:
        lock.close()
        raise
    return lock


def release(lock: IO[str]) -> None:
    """Let go of the lock, also where a child of this process was forked meanwhile and holds its file open."""
    with contextlib.closing(lock):
        portalocker.unlock(lock)


def _told(lock: IO[str]) -> int | None:
    try:
        lock.seek(0)
        return int(lock.read(20))
    except (OSError, ValueError):
        return None


def holder_of(directory: Path) -> int | None:
    """The process that has the ledger open, or had it last and may live; None when it is gone or not known. Blocks."""
    try:
        pid = int((directory / LOCK_NAME).read_text("ascii"))
    except (OSError, ValueError):
        return None
    try:
        os.kill(pid, 0)
    except PermissionError:
        return pid  # somebody else's process
    except (OSError, OverflowError):
        return None
    return pid
