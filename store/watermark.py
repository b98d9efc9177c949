"""How far a book's log is durable, told to readers in other processes.

Frames say what was synced before them, so a log alone always leaves its last batch in doubt. After each sync the
writer therefore notes the last durable seq in a small file, `u64-LE seq | u32-LE crc32 of those 8 bytes`,
overwritten in place and never synced itself: whatever of it reaches the disk was true when it was written.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from struct import Struct
from zlib import crc32

from .files import OUT_OF_DESCRIPTORS, Files, read_all, write_all

logger = logging.getLogger("store")

WATERMARK_NAME = "index-watermark"
_SEQ, _NOTE = Struct("<Q"), Struct("<QI")


class Watermark:
    """The writer's end. Derived and only ever a hint, so its failures stop nothing."""

    def __init__(self, files: Files, directory: Path) -> None:
        self._files, self._path = files, directory / WATERMARK_NAME
        self._fd: int | None = None
        self._failed = False

    def publish(self, seq: int) -> None:
        """Note that events up to `seq` are durable. Blocks."""
        if self._failed:
            return
        try:
            if self._fd is None:
                try:
                    self._fd = self._files.create(self._path)
                except FileExistsError:
                    self._fd = self._files.open(self._path, write=True)
            write_all(self._files, self._fd, _NOTE.pack(seq, crc32(_SEQ.pack(seq))), 0)
        except OSError as e:
            if e.errno in OUT_OF_DESCRIPTORS:
                return  # the next batch tries again
            logger.warning("%s cannot be written, readers in other processes lag: %s", self._path, e)
            self._failed = True

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):  # as above
                self._files.close(fd)


def read_watermark(files: Files, directory: Path) -> int:
    """The last seq that was noted, 0 when there is none or it is being overwritten. Blocks; raises OSError."""
    try:
        fd = files.open(directory / WATERMARK_NAME)
    except FileNotFoundError:
        return 0
    try:
        data = read_all(files, fd, _NOTE.size, 0)
    finally:
        files.close(fd)
    if len(data) != _NOTE.size:
        return 0
    seq, checksum = _NOTE.unpack(data)
    return int(seq) if crc32(_SEQ.pack(seq)) == checksum else 0
