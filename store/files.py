"""The file seam: every call that durability rests on. A test can hand in a twin that fails, writes short or forgets.

What only looks (`os.path`), and the lock, go past it.

All of these may block, so the store calls them off its loop, but for closing and asking for a size.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import NamedTuple

PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a full disk or quota reports."""

RIGHTS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""What is reported where a file may not be read or written by this process."""

CANNOT_SYNC = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What file systems report that cannot sync a directory, as some network mounts; PostgreSQL's `fsync_fname` passes
over the first two as well."""

OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})

UNREADABLE = frozenset({errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)})
"""What is reported of a file whose bytes or whose place on the disk are lost: the last two by ext4, XFS and others
whose checksums or metadata are damaged."""

TEMPORARY_SUFFIX = ".tmp"


class SyncError(OSError):
    """A sync failed: whatever it reports, what reached the disk is unknown from here on."""


def reason(error: OSError, where_rights_lack: str) -> str:
    """What the system said, of which file, and what to do where it is a matter of rights."""
    said = error.strerror or str(error)
    if error.filename is not None:
        said = f"{error.filename}: {said}"
    return f"{said}; {where_rights_lack}" if error.errno in RIGHTS else said


class Entry(NamedTuple):
    """One name in a directory; a symbolic link is never followed, and no file. `modified` is in seconds since 1970."""

    name: str
    is_file: bool
    is_directory: bool
    is_link: bool
    bytes: int
    modified: float


class Files:
    """The operating system's files. Each call raises OSError."""

    def entries(self, directory: Path) -> list[Entry]:
        """By name; an empty list when there is no such directory."""
        found = []
        try:
            listing = os.scandir(directory)
        except FileNotFoundError:
            return []
        with listing as scan:
            for e in scan:
                try:
                    stat = e.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # it went away while the others were read
                is_file, is_directory = e.is_file(follow_symlinks=False), e.is_dir(follow_symlinks=False)
                entry = Entry(e.name, is_file, is_directory, e.is_symlink(), stat.st_size, stat.st_mtime)
                found.append(entry)
        return sorted(found)

    def make_directory(self, path: Path) -> None:
        os.mkdir(path, PRIVATE_DIRECTORY)

    def create(self, path: Path) -> int:
        """A new file for writing and reading; FileExistsError when there is one."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)

    def open(self, path: Path, write: bool = False) -> int:
        """One that is there; a pipe in its place is opened, too, without waiting for its other end."""
        return os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_NOFOLLOW | os.O_NONBLOCK)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def read(self, fd: int, count: int, offset: int) -> bytes:
        """Up to `count` bytes, fewer only at the end of the file or when the system feels like it."""
        return os.pread(fd, count, offset)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """How many of the bytes were written, at least one."""
        return os.pwrite(fd, data, offset)

    def is_deleted(self, fd: int) -> bool:
        """Whether no directory names the file any more, so that it ends with its last open descriptor."""
        return os.fstat(fd).st_nlink == 0

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Return once the file's bytes and size are on stable storage."""
        if sys.platform == "darwin":
            import fcntl

            # fsync there does not reach the platter
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        elif hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            os.fsync(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        os.remove(path)

    def remove_directory(self, path: Path) -> None:
        os.rmdir(path)

    def sync_directory(self, path: Path) -> None:
        """Return once the names in a directory are on stable storage."""
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        except OSError as e:
            if e.errno not in CANNOT_SYNC:
                raise
        finally:
            os.close(fd)


def write_all(files: Files, fd: int, data: bytes, offset: int) -> None:
    """Every byte, however short the single writes are."""
    view = memoryview(data)
    while view:
        n = files.write(fd, view, offset)
        view, offset = view[n:], offset + n


def read_all(files: Files, fd: int, count: int, offset: int) -> bytes:
    """`count` bytes, fewer only at the end of the file."""
    data = files.read(fd, count, offset)
    while len(data) < count:
        more = files.read(fd, count - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def sync_directory(files: Files, path: Path) -> None:
    """As `Files.sync_directory`, a failure told apart from one to open it for want of descriptors. Raises OSError."""
    try:
        files.sync_directory(path)
    except OSError as e:
        if e.errno in OUT_OF_DESCRIPTORS:
            raise
        raise SyncError(e.errno, e.strerror) from e


def make_directories(files: Files, path: Path) -> None:
    """`path` and what is missing above it, each entry durable on return."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        if path == path.parent:
            break  # a drive that is not there: making it will tell
        path = path.parent
    for directory in reversed(missing):
        try:
            files.make_directory(directory)
            is_new = True
        except FileExistsError:
            if not os.path.isdir(directory):
                raise
            is_new = False  # somebody else was quicker
        try:
            sync_directory(files, directory.parent)
        except OSError:
            if is_new:
                # whoever finds the directory may take its entry for durable
                files.remove_directory(directory)
            raise


class DurableFile:
    """A file that is there complete or not at all: written beside its name, synced, then renamed.

    Either `commit` or `abandon` ends it.
    """

    def __init__(self, files: Files, path: Path) -> None:
        self._files, self._path = files, path
        self._temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
        if os.path.lexists(self._temporary):
            files.remove(self._temporary)
        self._fd: int | None = files.create(self._temporary)
        self.bytes = 0

    def write(self, data: bytes) -> None:
        assert self._fd is not None
        write_all(self._files, self._fd, data, self.bytes)
        self.bytes += len(data)

    def commit(self) -> None:
        assert self._fd is not None
        self._files.sync(self._fd)
        self._close()
        self._files.rename(self._temporary, self._path)
        self._files.sync_directory(self._path.parent)

    def abandon(self) -> None:
        """Leave nothing behind, as far as the disk allows; opening removes what stays."""
        self._close()
        with contextlib.suppress(OSError):
            self._files.remove(self._temporary)

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            self._files.close(fd)
