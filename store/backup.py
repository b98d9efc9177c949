"""A copy of a ledger taken while it is written: it opens, and equals what was durable when its copying began."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

from .errors import CorruptLog, StoreIOError
from .files import DurableFile, Files, make_directories, read_all
from .lock import BOOKS_NAME
from .offload import Offload
from .segments import SegmentLog, segment_name
from .verification import Extent
from .watermark import Watermark

logger = logging.getLogger("store")

MANIFEST_NAME = "MANIFEST.json"
UNFINISHED_NAME = "unfinished-backup"
"""Where the books of a copy lie until all of them are there."""
_PIECE_BYTES = 2**20

BackupProgress = Callable[[int, int], None]
"""Told (bytes copied, bytes in all)."""


async def copy_ledger(
    files: Files,
    offload: Offload,
    target: Path,
    books: Sequence[tuple[str, SegmentLog, Extent]],
    progress: BackupProgress | None,
) -> dict[str, Any]:
    """Copy the logs within their extents to `target`, new or empty; the manifest of the copy.

    Logs alone are copied, the rest is derived from them. The copy is a ledger only once it is whole: until then its
    books lie under another name. Raises OSError, StoreIOError; what was copied is removed then, and when cancelled,
    unless it was whole already.
    """
    target = await offload.run(target.absolute)  # the process may change its directory
    made = await offload.run(_refuse_bad_target, target, {log.directory.parent for _, log, _ in books})
    try:
        unfinished = target / UNFINISHED_NAME
        manifest = await _copy_books(files, offload, unfinished, books, progress)
        await offload.run_to_end(_conclude, files, target, target / BOOKS_NAME, manifest)
    except BaseException:
        # it ends although its caller may lose patience once more
        removal = asyncio.ensure_future(offload.run(_remove_unfinished, files, target, made))
        await asyncio.wait([removal])
        raise
    if progress is not None:
        progress(manifest["bytes"], manifest["bytes"])
    return manifest


async def _copy_books(
    files: Files,
    offload: Offload,
    place: Path,
    books: Sequence[tuple[str, SegmentLog, Extent]],
    progress: BackupProgress | None,
) -> dict[str, Any]:
    """Copy the logs to a directory each in `place`; the manifest."""
    await offload.run_to_end(make_directories, files, place)
    total = sum(size for _, _, extent in books for _, size, _ in extent.segments)
    done = 0
    listed: dict[str, Any] = {}
    for name, log, extent in books:
        directory = place / name
        await offload.run_to_end(make_directories, files, directory)
        digests: dict[str, str] = {}
        for segment, size, checksum in extent.segments:
            file_name = segment_name(segment.base_seq)
            copy = _Copy(files, log.directory / file_name, directory / file_name, size)
            try:
                while await offload.run_to_end(copy.step):
                    if progress is not None:
                        progress(done + copy.copied, total)
                if checksum not in (0, copy.checksum):
                    raise CorruptLog(name, file_name, None, "its bytes are not those that were written")
                digests[file_name] = copy.digest
            finally:
                await offload.run(copy.close)
            done += size
        await offload.run_to_end(_publish, files, directory, extent.last_seq)
        listed[name] = {"last_seq": extent.last_seq, "head": extent.head.hex(), "sha256": digests}
    return {"format": 1, "bytes": total, "books": listed}


def _refuse_bad_target(target: Path, roots: set[Path]) -> list[Path]:
    """The directories that are to be made for it, the innermost first."""
    if target.exists() and os.listdir(target):
        raise StoreIOError(f"{target} is not empty; back up into a new directory.")
    place = target.resolve()
    if any(root.resolve() in (place, *place.parents) for root in roots):
        raise StoreIOError(f"{target} lies among the books of this ledger; back up to another place.")
    return [path for path in (target, *target.parents) if not path.exists()]


def _remove_unfinished(files: Files, target: Path, made: Sequence[Path]) -> None:
    """Take back what a copy that came to nothing has left, as far as the disk allows."""
    unfinished, manifest = target / UNFINISHED_NAME, target / MANIFEST_NAME
    try:
        if manifest.exists() and not unfinished.exists():
            return  # it is whole: the cancellation came too late
        if unfinished.exists():
            _remove_tree(files, unfinished)
        if manifest.exists():
            files.remove(manifest)
        for directory in made:
            if directory.exists():
                files.remove_directory(directory)
    except OSError as e:
        logger.warning("What a backup that failed left in %s could not be removed: %s", target, e)


def _remove_tree(files: Files, directory: Path) -> None:
    for entry in files.entries(directory):
        path = directory / entry.name
        if entry.is_directory:
            _remove_tree(files, path)
        else:
            files.remove(path)
    files.remove_directory(directory)


def _publish(files: Files, directory: Path, seq: int) -> None:
    """Let readers that do not open the copy believe all of it."""
    watermark = Watermark(files, directory)
    watermark.publish(seq)
    watermark.close()


def _conclude(files: Files, target: Path, books: Path, manifest: dict[str, Any]) -> None:
    """Make a copy that is whole a ledger."""
    _write_manifest(files, target, manifest)
    files.rename(target / UNFINISHED_NAME, books)
    try:
        files.sync_directory(target)
    except OSError:
        files.rename(books, target / UNFINISHED_NAME)
        raise


def _write_manifest(files: Files, target: Path, manifest: dict[str, Any]) -> None:
    make_directories(files, target)
    file = DurableFile(files, target / MANIFEST_NAME)
    try:
        file.write(json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n")
        file.commit()
    except BaseException:
        file.abandon()
        raise


class _Copy:
    """One file's first bytes, copied piece by piece."""

    def __init__(self, files: Files, source: Path, target: Path, size: int) -> None:
        self._files, self._source, self._target, self._size = files, source, target, size
        self._fd: int | None = None
        self._file: DurableFile | None = None
        self._hash = sha256()
        self.copied = self.checksum = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def step(self) -> bool:
        """Copy a piece; False when all is there, durable."""
        if self._fd is None or self._file is None:
            self._fd = self._files.open(self._source)
            self._file = DurableFile(self._files, self._target)
        piece = read_all(self._files, self._fd, min(_PIECE_BYTES, self._size - self.copied), self.copied)
        if not piece and self.copied < self._size:
            raise StoreIOError(f"{self._source} ended while it was copied.")
        self._file.write(piece)
        self._hash.update(piece)
        self.checksum = crc32(piece, self.checksum)
        self.copied += len(piece)
        if self.copied < self._size:
            return True
        self._file.commit()
        self._file = None
        return False

    def close(self) -> None:
        if self._fd is not None:
            self._files.close(self._fd)
        if self._file is not None:
            self._file.abandon()
