"""The file seam's faulty twin: it fails when told to, writes short, and knows what a power cut would leave.

Beside the real files it keeps, for every file, the bytes that were synced and the writes since, and for every
directory the names that were synced. `image` puts together what the disk may hold after a crash.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from store.files import Entry, Files

Write = tuple[int, bytes | None]
"""Bytes at an offset; None for a truncation there."""


def applied(data: bytes, write: Write) -> bytes:
    offset, new = write
    if new is None:
        return data[:offset].ljust(offset, b"\0")
    return data[:offset].ljust(offset, b"\0") + new + data[offset + len(new) :]


@dataclass(eq=False)
class Node:
    """A file: `synced` is what the platter has, `pending` what only the page cache knows."""

    synced: bytes = b""
    pending: list[Write] = field(default_factory=list)

    def shown(self) -> bytes:
        data = self.synced
        for write in self.pending:
            data = applied(data, write)
        return data

    def flush(self) -> None:
        self.synced, self.pending = self.shown(), []

    def mixed(self, random: Random) -> bytes:
        """Any of the unsynced writes in any order, some of them in part."""
        data = self.synced
        for offset, new in random.sample(self.pending, random.randint(0, len(self.pending))):
            if new and random.random() < 0.5:
                start = random.randrange(len(new))
                stop = random.randint(start, len(new))
                data = applied(data, (offset + start, new[start:stop]))
            else:
                data = applied(data, (offset, new))
        return data


DIRECTORY = Node()
Names = dict[Path, Node]
Fails = Callable[[str, int], OSError | None]


def never(call: str, number: int) -> None:
    return None


def nth(number: int, code: int = errno.EIO) -> Fails:
    """Fail the call with this number, counting from 1."""
    return lambda call, n: OSError(code, os.strerror(code)) if n == number else None


def every(name: str, code: int = errno.EIO, after: int = 0) -> Fails:
    """Fail every call of this name once `after` calls of any name have passed."""
    return lambda call, n: OSError(code, os.strerror(code)) if call == name and n > after else None


class UnsyncedFiles(Files):
    """Real files, for looking at many ledgers: no sync reaches the disk."""

    def sync(self, fd: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


class FaultyFiles(Files):
    """`fails(name, number)` gives the error a call raises instead of doing anything, or None; it may block.

    A sync that fails leaves what it should have written for ever unsynced, as kernels do.
    """

    def __init__(self, root: Path, fails: Fails = never, longest_write: int | None = None) -> None:
        self.root, self.fails, self.longest_write = root, fails, longest_write
        self.calls: list[str] = []
        self._lock = threading.RLock()
        self._names: Names = {}
        self._synced_names: Names = {}
        self._nodes: dict[int, Node] = {}
        self._adopt(root)

    def _adopt(self, path: Path) -> None:
        """What is there before counts as synced."""
        if not path.exists():
            return
        self._names[path] = self._synced_names[path] = DIRECTORY if path.is_dir() else Node(path.read_bytes())
        if path.is_dir():
            for child in path.iterdir():
                self._adopt(child)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        error = self.fails(name, len(self.calls))
        if error is not None:
            raise error

    # The seam.

    def entries(self, directory: Path) -> list[Entry]:
        self._call("entries")
        with self._lock:
            return super().entries(directory)

    def make_directory(self, path: Path) -> None:
        self._call("make_directory")
        with self._lock:
            super().make_directory(path)
            self._names[path] = DIRECTORY

    def create(self, path: Path) -> int:
        self._call("create")
        with self._lock:
            fd = super().create(path)
            self._names[path] = self._nodes[fd] = Node()
            return fd

    def open(self, path: Path, write: bool = False) -> int:
        self._call("open")
        with self._lock:
            fd = super().open(path, write)
            if path not in self._names:
                self._names[path] = Node(path.read_bytes())
            self._nodes[fd] = self._names[path]
            return fd

    def size(self, fd: int) -> int:
        self._call("size")
        with self._lock:
            return super().size(fd)

    def read(self, fd: int, count: int, offset: int) -> bytes:
        self._call("read")
        with self._lock:
            return super().read(fd, count, offset)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self._call("write")
        with self._lock:
            part = bytes(data[: self.longest_write])
            written = super().write(fd, part, offset)
            self._nodes[fd].pending.append((offset, part[:written]))
            return written

    def truncate(self, fd: int, size: int) -> None:
        self._call("truncate")
        with self._lock:
            super().truncate(fd, size)
            self._nodes[fd].pending.append((size, None))

    def sync(self, fd: int) -> None:
        try:
            self._call("sync")
        except OSError:
            self._nodes[fd].pending = []
            raise
        with self._lock:
            self._nodes[fd].flush()

    def close(self, fd: int) -> None:
        with self._lock:
            self._nodes.pop(fd, None)
            super().close(fd)

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename")
        with self._lock:
            super().rename(source, target)
            self._names[target] = self._names.pop(source)

    def remove(self, path: Path) -> None:
        self._call("remove")
        with self._lock:
            super().remove(path)
            self._names.pop(path, None)

    def remove_directory(self, path: Path) -> None:
        self._call("remove_directory")
        with self._lock:
            super().remove_directory(path)
            self._names.pop(path, None)

    def sync_directory(self, path: Path) -> None:
        self._call("sync_directory")
        with self._lock:
            for name in [name for name in self._synced_names if name.parent == path]:
                del self._synced_names[name]
            self._synced_names |= {name: node for name, node in self._names.items() if name.parent == path}

    # What a crash leaves.

    def image(self, random: Random | None = None) -> dict[str, bytes | None]:
        """The disk after a power cut, for `observe.plant`.

        Without `random` all that was not synced is lost; with it any part of that may have been kept.
        """
        with self._lock:
            left: dict[str, bytes | None] = {}
            if self._survives(self.root, random) is not None:
                self._walk(self.root, random, left)
            return left

    def _survives(self, path: Path, random: Random | None) -> Node | None:
        synced, shown = self._synced_names.get(path), self._names.get(path)
        if random is None or synced is shown:
            return synced
        return random.choice([synced, shown])

    def _walk(self, directory: Path, random: Random | None, left: dict[str, bytes | None]) -> None:
        names = {name for name in (*self._names, *self._synced_names) if name.parent == directory}
        for path in sorted(names):
            node = self._survives(path, random)
            if node is None or path.name == "LOCK":
                continue
            name = str(path.relative_to(self.root))
            if node is DIRECTORY:
                left[name] = None
                self._walk(path, random, left)
            else:
                left[name] = node.synced if random is None else node.mixed(random)


class FailingDisk(FaultyFiles):
    """Fails the calls of these names, with this code, for as long as they are named."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.failing: set[str] = set()
        self.code = errno.EIO
        self.fails = lambda call, n: (
            OSError(self.code, os.strerror(self.code)) if call in self.failing else None
        )
